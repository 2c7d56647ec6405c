import { once } from 'node:events';
import { systemClock, type Clock, type Logger } from '../core/index.ts';
import { DEEPSEEK_V3_NODE, type EngineModelConfig } from './engine-config.ts';
import { EngineModel } from './engine-model.ts';
import { EngineServer } from './engine-server.ts';
import type { FaultSwitch } from './fault-switch.ts';
import type { FaultSet } from './faults.ts';

export interface SimEngineOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default: any free one. */
  readonly port?: number | undefined;
  /** Name of the served model. Default: `deepseek-v3`. */
  readonly model?: string | undefined;
  /** How much faster than real time it runs. Default: 1. */
  readonly timeScale?: number | undefined;
  /** Seed of the chance in faults. Default: 0. */
  readonly seed?: number | undefined;
  /** Figures that differ from `DEEPSEEK_V3_NODE`. */
  readonly engine?: Partial<EngineModelConfig> | undefined;
  readonly faults?: FaultSet | undefined;
  /** Whether it tells token ids along a stream; SGLang refuses to. Default: true. */
  readonly streamsTokenIds?: boolean | undefined;
  readonly apiKey?: string | undefined;
  /** Default: 8 MiB. */
  readonly bodyBytesMax?: number | undefined;
  /** Unread bytes at which a client is cut. Default: 16 MiB. */
  readonly unsentBytesMax?: number | undefined;
  /** Ended requests that are remembered. Default: 200,000. */
  readonly recordsMax?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: Logger | undefined;
  /** Called when the crash fault hits, after all connections broke. */
  readonly onCrash?: (() => void) | undefined;
}

export interface SimEngine {
  readonly url: string;
  readonly port: number;
  readonly model: EngineModel;
  readonly faults: FaultSwitch;
  readonly server: EngineServer;
  /** Breaks all connections and stops listening. */
  close(): Promise<void>;
}

const MIB = 1_024 * 1_024;

/** Starts a simulated engine in this process. Rejects when the port is taken; throws RangeError on impossible figures. */
export async function startSimEngine(options: SimEngineOptions = {}): Promise<SimEngine> {
  const timeScale = options.timeScale ?? 1;
  if (!(timeScale > 0 && Number.isFinite(timeScale))) throw new RangeError(`timeScale must be positive, not ${timeScale}`);
  const host = options.host ?? '127.0.0.1';
  const server = new EngineServer(new EngineModel({ ...DEEPSEEK_V3_NODE, ...options.engine }), {
    identity: { model: options.model ?? 'deepseek-v3', weightDtype: 'fp8', streamsTokenIds: options.streamsTokenIds ?? true },
    clock: options.clock ?? systemClock,
    timeScale,
    seed: options.seed ?? 0,
    apiKey: options.apiKey ?? null,
    bodyBytesMax: options.bodyBytesMax ?? 8 * MIB,
    unsentBytesMax: options.unsentBytesMax ?? 16 * MIB,
    recordsMax: options.recordsMax ?? 200_000,
    onCrash: options.onCrash ?? (() => {}),
    log: options.log,
  });
  if (options.faults !== undefined) server.faults.set(options.faults);
  server.http.listen(options.port ?? 0, host);
  await once(server.http, 'listening');
  const address = server.http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const urlHost = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${urlHost}:${port}`,
    port,
    model: server.model,
    faults: server.faults,
    server,
    close: () => server.close(),
  };
}

/** Serves until `stop` aborts; resolves with the exit code: 0 when stopped, 70 when the crash fault hit. */
export async function runSimEngine(options: SimEngineOptions, stop: AbortSignal, onReady: (engine: SimEngine) => void): Promise<number> {
  const crash = new AbortController();
  const engine = await startSimEngine({ ...options, onCrash: () => crash.abort() });
  onReady(engine);
  const end = AbortSignal.any([stop, crash.signal]);
  if (!end.aborted) await once(end, 'abort');
  if (crash.signal.aborted) return 70;
  await engine.close();
  return 0;
}
