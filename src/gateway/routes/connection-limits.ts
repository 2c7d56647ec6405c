import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { MeridianError } from '../../core/index.ts';
import { refuseOnSocket } from './raw-refusal.ts';

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** From one address; 0: no bound, for gateways behind a proxy, where all come from its address. */
  readonly connectionsPerAddressMax: number;
}

/** Refuses connections beyond what `limitsNow` says before a byte of them is read. Under TLS there is no way to say why. */
export function limitConnections(server: Server, limitsNow: () => ConnectionLimits, isTls: boolean): void {
  const byAddress = new Map<string, number>();
  let open = 0;
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const ofAddress = (byAddress.get(address) ?? 0) + 1;
    open += 1;
    byAddress.set(address, ofAddress);
    socket.once('close', () => {
      open -= 1;
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left === 0) byAddress.delete(address);
      else byAddress.set(address, left);
    });
    const error = refusal(open, ofAddress);
    if (error === null) return;
    if (isTls) socket.destroy();
    else refuseOnSocket(error, socket);
  });

  function refusal(all: number, ofAddress: number): MeridianError | null {
    const { connectionsMax, connectionsPerAddressMax } = limitsNow();
    if (connectionsPerAddressMax > 0 && ofAddress > connectionsPerAddressMax) {
      return new MeridianError('rate_limit_exceeded', { message: `At most ${connectionsPerAddressMax} connections are taken from one address.`, retryAfterMs: 1_000 });
    }
    return all > connectionsMax ? new MeridianError('overloaded', { message: 'This gateway has all the connections it can have.', retryAfterMs: 1_000 }) : null;
  }
}
