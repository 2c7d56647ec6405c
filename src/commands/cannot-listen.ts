import { MeridianError } from '../core/index.ts';

/** To be thrown on: what a port that cannot be had means for the person at the terminal; anything else as it is. */
export function cannotListen(error: unknown): unknown {
  const { code, address, port } = Object(error) as { code?: unknown; address?: unknown; port?: unknown };
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return error;
  const why = code === 'EACCES' ? 'may not be used without privileges' : 'is in use by another program';
  return new MeridianError('conflict', { message: `port ${String(port)} on ${String(address)} ${why}; choose another one.`, cause: error });
}
