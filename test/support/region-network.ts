import { execFileSync } from 'node:child_process';

/** For `describe.skipIf`: networks of their own need root and Debian's iproute2. */
export const hasNetworks = mayMakeNetworks();

let networks = 0;

/** A network of its own for the processes of a region, linked to this one by a line. */
export class RegionNetwork {
  /** This end of the line, where what the region reaches listens. */
  readonly outside: string;
  /** The region's end. */
  readonly inside: string;
  readonly #name: string;

  constructor() {
    networks += 1;
    this.#name = `mt${process.pid % 100_000}x${networks}`;
    const subnet = `10.88.${(process.pid + networks) % 250}`;
    [this.outside, this.inside] = [`${subnet}.1`, `${subnet}.2`];
    const [here, there] = [`${this.#name}a`, `${this.#name}b`];
    ip('netns', 'add', this.#name);
    ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', this.#name);
    ip('addr', 'add', `${this.outside}/30`, 'dev', here);
    ip('link', 'set', here, 'up');
    ip('-n', this.#name, 'addr', 'add', `${this.inside}/30`, 'dev', there);
    ip('-n', this.#name, 'link', 'set', there, 'up');
    ip('-n', this.#name, 'link', 'set', 'lo', 'up');
  }

  /** What runs a command in it. */
  get through(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  close(): void {
    ip('netns', 'del', this.#name);
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function mayMakeNetworks(): boolean {
  const name = `mt${process.pid % 100_000}try`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'del', name);
    return true;
  } catch {
    return false;
  }
}
