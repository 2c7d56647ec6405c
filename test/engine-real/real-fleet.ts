import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { startGateway, type Gateway } from '../../src/app.ts';
import { seededRng, systemClock, type Logger } from '../../src/core/index.ts';
import { CANARY_DEFAULTS, startNodeDaemon, type NodeDaemon } from '../../src/node/index.ts';
import { freePort } from '../support/meridian-process.ts';
import { adminOf, baseConfig, nodeOptions, type TestFleet } from '../support/test-fleet.ts';

export const MODEL = 'deepseek-tiny';
export const NEAR = 'near';
export const FAR = 'far';
const REGIONS = { [NEAR]: 'gcp-us-east4', [FAR]: 'oci-uk-london' };
const CONTEXT_TOKENS = 4_096;
const START_TIMEOUT_MS = 600_000;

/** A gateway, and two nodes each with a real engine as the daemon's child. The far one is dearer, so that the near one is asked first. */
export interface RealFleet {
  readonly gateway: Gateway;
  readonly admin: TestFleet['admin'];
  /** A client of an organization of its own. */
  clientOf(organization: string): Promise<OpenAI>;
  daemon(node: string): NodeDaemon;
  engineUrl(node: string): string;
  close(): Promise<void>;
}

/** `engine`: the program of vLLM; `model`: where its weights are. Resolves when the daemons run; their engines take minutes. */
export async function startRealFleet(engine: string, model: string, log: Logger): Promise<RealFleet> {
  const world = { clock: systemClock, rng: seededRng(1), log };
  const dataDir = mkdtempSync(join(tmpdir(), 'meridian-engine-'));
  const base = baseConfig(dataDir);
  const gateway = await startGateway(
    {
      ...base,
      models: { [MODEL]: { contextTokens: CONTEXT_TOKENS, outputTokensMax: 2_048, bytesPerToken: 1, free: true } },
      balancer: { ...base.balancer, regionPriceMs: { [REGIONS[FAR]]: 1e6 } },
    },
    world,
  );
  const nodes = new Map<string, { readonly daemon: NodeDaemon; readonly url: string }>();
  for (const [id, region] of Object.entries(REGIONS)) {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const options = nodeOptions(id, region, url, String(gateway.fleetUrl));
    const daemon = await startNodeDaemon(
      {
        ...options,
        engine: {
          ...options.engine,
          kind: 'vllm',
          command: commandOf(engine, model, port),
          env: { VLLM_MLA_DISABLE: '1', VLLM_SERVER_DEV_MODE: '1', VLLM_CPU_KVCACHE_SPACE: '1', VLLM_NO_USAGE_STATS: '1', HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1', CUDA_VISIBLE_DEVICES: '' },
          startTimeoutMs: START_TIMEOUT_MS,
        },
        models: [MODEL],
        weightDtype: 'bf16',
        contextTokens: CONTEXT_TOKENS,
        // What random weights write never makes sense.
        canary: { ...CANARY_DEFAULTS, tokens: 0 },
      },
      world,
    );
    nodes.set(id, { daemon, url });
  }
  const nodeOf = (id: string) => {
    const node = nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  };
  return {
    gateway,
    admin: adminOf(gateway.adminUrl),
    clientOf: async (organization) => new OpenAI({ baseURL: gateway.publicUrl, apiKey: (await gateway.keys.create({ name: organization, organization })).secret, maxRetries: 0, timeout: 300_000 }),
    daemon: (id) => nodeOf(id).daemon,
    engineUrl: (id) => nodeOf(id).url,
    async close() {
      await Promise.all([...nodes.values()].map(({ daemon }) => daemon.close()));
      await gateway.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

function commandOf(engine: string, model: string, port: number): string[] {
  const paths = ['serve', model, '--served-model-name', MODEL, '--host', '127.0.0.1', '--port', String(port)];
  const sizes = ['--max-model-len', String(CONTEXT_TOKENS), '--max-num-seqs', '8', '--dtype', 'bfloat16', '--enforce-eager'];
  return [engine, ...paths, ...sizes, '--enable-prefix-caching', '--enable-prompt-tokens-details'];
}
