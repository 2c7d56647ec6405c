import { isIPv4 } from 'node:net';
import { NodeOptionsError, type EngineOptions } from './options.ts';

/**
 * Engines are not hardened for a network edge, so one that others could reach is refused: by its URL, and by a `--host`
 * in its command. Throws NodeOptionsError.
 */
export function requireLoopback(engine: Pick<EngineOptions, 'url' | 'command' | 'allowRemote'>): void {
  if (engine.allowRemote === true) return;
  const { hostname } = new URL(engine.url);
  if (!isLoopback(hostname)) throw new NodeOptionsError(`the engine's URL must be on the loopback, not on ${hostname}`);
  const bound = boundHost(engine.command ?? []);
  if (bound !== null && !isLoopback(bound)) throw new NodeOptionsError(`the engine must bind to the loopback, not to ${bound}`);
}

function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

function boundHost(command: readonly string[]): string | null {
  const at = command.indexOf('--host');
  if (at >= 0) return command[at + 1] ?? null;
  return command.find((word) => word.startsWith('--host='))?.slice('--host='.length) ?? null;
}
