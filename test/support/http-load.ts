import { Agent, request } from 'node:http';
import { until } from './until.ts';

/** One GET on a connection of its own, or on one of `agent`; the body of a whole 200. */
export function askOnce(url: string, agent: Agent | false = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => (text += bytes.toString()));
      response.on('error', reject);
      response.on('end', () => (response.statusCode === 200 && response.complete ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`))));
    });
    asking.on('error', reject);
    asking.end();
  });
}

/** Clients that ask all the time: on new connections, on connections that they keep, and for streams. Nothing is tried again. */
export class HttpLoad {
  readonly failures: string[] = [];
  answered = 0;
  streams = 0;
  #isOver = false;
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 4 });
  readonly #lanes: readonly Promise<void>[];

  constructor(url: string) {
    this.#lanes = [
      ...Array.from({ length: 4 }, () => this.#lane(url, false)),
      ...Array.from({ length: 4 }, () => this.#lane(url, this.#kept)),
      ...Array.from({ length: 4 }, (_, i) => this.#lane(`${url}/stream`, i % 2 === 0 ? false : this.#kept)),
    ];
  }

  /** Waits until so many more have been answered. */
  async more(count: number): Promise<void> {
    const before = this.answered;
    await until(() => this.answered >= before + count, 'more is answered');
  }

  async stop(): Promise<this> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
    this.#kept.destroy();
    return this;
  }

  async #lane(url: string, agent: Agent | false): Promise<void> {
    while (!this.#isOver) {
      try {
        await askOnce(url, agent);
        this.answered += 1;
        if (url.endsWith('/stream')) this.streams += 1;
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}
