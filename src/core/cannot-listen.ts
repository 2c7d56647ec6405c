import { MeridianError } from './errors.ts';

/**
 * To be thrown on: what a port that cannot be had means for the person at the terminal; anything else as it is. `path`
 * names where the configuration says the port.
 */
export function cannotListen(error: unknown, path?: string): unknown {
  const { code, address, port } = Object(error) as { code?: unknown; address?: unknown; port?: unknown };
  if (code === 'ENOTSUP') return new MeridianError('conflict', { message: 'This system cannot share a port among processes; run one gateway, without --workers.', cause: error });
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return error;
  const why = code === 'EACCES' ? 'may not be used without privileges' : 'is in use by another program';
  const where = path === undefined ? '' : `${path}: `;
  return new MeridianError('conflict', { message: `${where}port ${String(port)} on ${String(address)} ${why}; choose another one.`, cause: error });
}
