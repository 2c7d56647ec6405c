import { Pool, type Dispatcher } from 'undici';

export interface EngineClientOptions {
  readonly url: string;
  readonly apiKey?: string | undefined;
  readonly attemptsMax: number;
  readonly controlConnectionsMax: number;
  readonly connectTimeoutMs: number;
  readonly controlTimeoutMs: number;
}

const CONTROL_ANSWER_BYTES_MAX = 8 << 20;

/** The engine answered a control call with a status that is not 2xx. */
export class EngineStatusError extends Error {
  readonly status: number;

  constructor(status: number, path: string) {
    super(`the engine answered ${status} to ${path}`);
    this.name = 'EngineStatusError';
    this.status = status;
  }
}

/**
 * HTTP to the engine: one pool for attempts, with a connection each, and a small one for control calls, so that an abort
 * never waits behind the answers it is to end.
 */
export class EngineClient {
  readonly #attempts: Pool;
  readonly #control: Pool;
  readonly #options: EngineClientOptions;
  readonly #authorization: Readonly<Record<string, string>>;

  constructor(options: EngineClientOptions) {
    this.#options = options;
    this.#authorization = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    const connect = { timeout: options.connectTimeoutMs };
    this.#attempts = new Pool(options.url, {
      connect,
      pipelining: 1,
      connections: options.attemptsMax,
      // Each attempt has its deadline; a long prefill sends nothing for minutes and is well.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#control = new Pool(options.url, { connect, pipelining: 1, connections: options.controlConnectionsMax });
  }

  /** Sends an attempt's request; `handler` gets the raw answer. */
  dispatch(path: string, headers: Readonly<Record<string, string>>, body: Buffer, handler: Dispatcher.DispatchHandler): void {
    this.#attempts.dispatch({ method: 'POST', path, headers: { ...headers, ...this.#authorization }, body }, handler);
  }

  /** The body of a control call. Throws EngineStatusError, or undici's error when the engine cannot be reached in time. */
  async control(method: 'GET' | 'POST', path: string, body?: object, timeoutMs = this.#options.controlTimeoutMs): Promise<string> {
    const answer = await this.#control.request({
      method,
      path,
      headers: { ...this.#authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    if (answer.statusCode < 200 || answer.statusCode > 299) {
      await answer.body.dump();
      throw new EngineStatusError(answer.statusCode, path);
    }
    return readText(answer.body);
  }

  /** The JSON of a control call; undefined when it is none. Throws as `control` does. */
  async json(path: string): Promise<unknown> {
    const text = await this.control('GET', path);
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Breaks every connection. */
  async close(): Promise<void> {
    await Promise.all([this.#attempts.destroy(), this.#control.destroy()]);
  }
}

/** Nothing listens at the engine's address: it is surely not running, however busy it might have been. */
export function isRefused(error: unknown): boolean {
  return Reflect.get(Object(error), 'code') === 'ECONNREFUSED';
}

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > CONTROL_ANSWER_BYTES_MAX) throw new RangeError('the answer to a control call is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
