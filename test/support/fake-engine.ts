import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that the fake engine holds open, to be answered by the test word by word. */
export interface HeldRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
  readonly response: ServerResponse;
}

/** An engine that says what a test tells it to: SGLang's control endpoints, and completions that wait for their script. */
export class FakeEngine {
  readonly held: HeldRequest[] = [];
  readonly aborts: string[] = [];
  readonly gone: string[] = [];
  loadPolls = 0;
  isHealthy = true;
  version = 'fake-1';
  instance = 1;
  load: Record<string, unknown> = { dp_rank: 0, num_running_reqs: 0, num_waiting_reqs: 0, num_waiting_uncached_tokens: 0 };
  /** What `/metrics` says. */
  metrics = '';
  flushes = 0;
  /** Paths that answer 404, as an older engine's would. */
  readonly missing = new Set<string>();
  /** What an abort does to the requests it names; by default they stay as they are. */
  onAbort: (request: HeldRequest) => void = () => {};
  #http: Server | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, at the same port as before if it did before. */
  async start(): Promise<void> {
    const http = createServer((request, response) => void this.#serve(request, response));
    this.#http = http;
    await new Promise<void>((resolve) => http.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (http.address() as AddressInfo).port;
  }

  /** Breaks everything and listens no more. */
  async stop(): Promise<void> {
    const http = this.#http;
    this.#http = null;
    if (http === null) return;
    await new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const path = request.url ?? '/';
    const text = Buffer.concat(parts).toString();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    if (this.missing.has(path)) return void response.writeHead(404).end();
    switch (path) {
      case '/health':
        return void response.writeHead(this.isHealthy ? 200 : 503).end();
      case '/v1/models':
        return json(response, { object: 'list', data: [{ id: 'm', max_model_len: 4096 }] });
      case '/get_server_info':
      case '/server_info':
        return json(response, {
          version: this.version,
          max_total_num_tokens: 1000,
          max_running_requests: 8,
          context_length: 4096,
          dp_size: 1,
          random_seed: this.instance,
        });
      case '/v1/loads':
        this.loadPolls += 1;
        return json(response, { loads: [this.load] });
      case '/get_load':
        return json(response, [{ dp_rank: 0, num_reqs: 5, num_waiting_reqs: 2, num_tokens: 900 }]);
      case '/version':
        return json(response, { version: this.version });
      case '/metrics':
        return void response.writeHead(200, { 'content-type': 'text/plain' }).end(this.metrics);
      case '/flush_cache':
      case '/reset_prefix_cache':
        this.flushes += 1;
        return void response.writeHead(200).end();
      case '/abort_request':
        return this.#abort(String(body['rid']), response);
      default: {
        const held: HeldRequest = { path, headers: request.headers, body, response };
        response.on('close', () => {
          if (!response.writableFinished) this.gone.push(String(body['rid']));
        });
        this.held.push(held);
      }
    }
  }

  #abort(rid: string, response: ServerResponse): void {
    this.aborts.push(rid);
    for (const request of this.held) if (request.body['rid'] === rid) this.onAbort(request);
    json(response, {});
  }
}

/** Begins an answer of server-sent events. */
export function streamHead({ response }: HeldRequest): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', server: 'fake', 'x-internal': 'yes' });
}

/** One token, with the engine's running count of tokens so far. */
export function streamToken({ response }: HeldRequest, text: string, completionTokens: number): void {
  response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text }, finish_reason: null }], usage: usage(completionTokens) })}\n\n`);
}

/** The end of a stream: why, the final counts, and the mark. */
export function streamEnd({ response }: HeldRequest, finishReason: string, completionTokens: number): void {
  response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: finishReason }] })}\n\n`);
  response.write(`data: ${JSON.stringify({ choices: [], usage: usage(completionTokens) })}\n\n`);
  response.end('data: [DONE]\n\n');
}

/** Ten prompt tokens, four of them cached. */
export function usage(completionTokens: number): object {
  return {
    prompt_tokens: 10,
    completion_tokens: completionTokens,
    total_tokens: 10 + completionTokens,
    prompt_tokens_details: { cached_tokens: 4 },
  };
}

function json(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
