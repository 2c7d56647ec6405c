import { connect, type Socket } from 'node:net';
import { FaultLane, type Toxics, type World } from './fault-lane.ts';

/** `up`: from the client to the target; `down`: back. */
export type Direction = 'up' | 'down';

/** How a connection is broken: by a reset, by closing both ways, by closing this way only, or by passing nothing more this way. */
export type Breakage = 'reset' | 'close' | 'half-close' | 'stall';

export interface LineOptions {
  readonly target: { readonly host: string; readonly port: number };
  readonly world: World;
  readonly toxics: (direction: Direction) => Toxics;
  readonly onBytes: (direction: Direction, count: number) => void;
  /** Both ends are closed. */
  readonly onClosed: () => void;
}

/** One connection through the proxy: a socket at each end, and a lane each way. A reset of either end resets the other. */
export class FaultLine {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #lanes: Readonly<Record<Direction, FaultLane>>;

  constructor(client: Socket, { target: address, world, toxics, onBytes, onClosed }: LineOptions) {
    const target = connect({ ...address, allowHalfOpen: true, noDelay: true });
    this.#client = client;
    this.#target = target;
    const lane = (direction: Direction, from: Socket, to: Socket): FaultLane =>
      new FaultLane(from, to, world, () => toxics(direction), {
        onBytes: (count) => onBytes(direction, count),
        onHole: () => this.reset(),
      });
    this.#lanes = { up: lane('up', client, target), down: lane('down', target, client) };
    for (const socket of [client, target]) {
      socket.on('error', () => this.reset());
      socket.on('close', () => {
        if (client.closed && target.closed) onClosed();
        else this.#closed(socket);
      });
    }
    client.resume();
  }

  changed(direction: Direction): void {
    this.#lanes[direction].changed();
  }

  heal(): void {
    for (const lane of Object.values(this.#lanes)) lane.heal();
  }

  cutAfter(direction: Direction, afterBytes: number, how: Breakage): void {
    this.#lanes[direction].cutAfter(afterBytes, () => this.break(direction, how));
  }

  break(direction: Direction, how: Breakage): void {
    switch (how) {
      case 'reset':
        return this.reset();
      case 'close':
        for (const lane of Object.values(this.#lanes)) lane.shut();
        for (const socket of [this.#client, this.#target]) socket.destroySoon();
        return;
      case 'half-close':
        return this.#lanes[direction].shut();
      case 'stall':
        return this.#lanes[direction].stall();
    }
  }

  reset(): void {
    for (const socket of [this.#client, this.#target]) {
      // A reset waits for a connection that is being made, and that may be for ever.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  /** One end is gone: nobody takes what goes there, and what came from it is still to be delivered. */
  #closed(gone: Socket): void {
    const [toGone, fromGone, other] =
      gone === this.#client ? [this.#lanes.down, this.#lanes.up, this.#target] : [this.#lanes.up, this.#lanes.down, this.#client];
    toGone.shut();
    fromGone.whenOver(() => other.destroySoon());
  }
}
