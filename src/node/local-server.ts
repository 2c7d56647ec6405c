import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LocalServerActions {
  /** Why the node should get no traffic; null when it is ready. */
  notReady(): string | null;
  metrics(): string;
  status(): object;
  drain(): void;
  resume(): void;
  /** Empties the engine's prefix cache; null when it has no way. */
  readonly flush: (() => Promise<void>) | null;
}

/** The daemon's own HTTP, for the machine it runs on: health, metrics, status, drain. */
export class LocalServer {
  readonly #http: Server;
  readonly #actions: LocalServerActions;

  constructor(actions: LocalServerActions) {
    this.#actions = actions;
    this.#http = createServer((request, response) => {
      const path = (request.url ?? '/').split('?')[0] ?? '/';
      request.resume();
      this.#answer(request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'), path, response);
    });
  }

  /** Resolves with the port once it listens; rejects when the address cannot be had. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, host, () => {
        this.#http.off('error', reject);
        resolve((this.#http.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }

  #answer(method: string, path: string, response: ServerResponse): void {
    const route = this.#routes[path];
    if (route === undefined) return sendJson(response, 404, { error: `There is nothing at ${path}.` });
    if (route.method !== method) {
      response.setHeader('allow', route.method);
      return sendJson(response, 405, { error: `${path} takes ${route.method}.` });
    }
    route.answer(response);
  }

  readonly #routes: Readonly<Record<string, Route>> = {
    '/healthz': { method: 'GET', answer: (response) => sendJson(response, 200, { status: 'ok' }) },
    '/readyz': {
      method: 'GET',
      answer: (response) => {
        const reason = this.#actions.notReady();
        if (reason === null) sendJson(response, 200, { status: 'ready' });
        else sendJson(response, 503, { status: 'not ready', reason });
      },
    },
    '/metrics': {
      method: 'GET',
      answer: (response) => send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', this.#actions.metrics()),
    },
    '/status': { method: 'GET', answer: (response) => sendJson(response, 200, this.#actions.status()) },
    '/drain': { method: 'POST', answer: (response) => this.#operate(response, () => this.#actions.drain()) },
    '/flush': { method: 'POST', answer: (response) => void this.#flush(response) },
    '/resume': { method: 'POST', answer: (response) => this.#operate(response, () => this.#actions.resume()) },
  };

  async #flush(response: ServerResponse): Promise<void> {
    const { flush } = this.#actions;
    if (flush === null) return sendJson(response, 409, { error: 'This kind of engine has no way to empty its prefix cache.' });
    await flush().then(
      () => sendJson(response, 200, { status: 'flushed' }),
      (error: unknown) => sendJson(response, 409, { error: `The engine does not empty its prefix cache, as while requests run: ${error instanceof Error ? error.message : String(error)}` }),
    );
  }

  #operate(response: ServerResponse, operation: () => void): void {
    operation();
    sendJson(response, 202, this.#actions.status());
  }
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly answer: (response: ServerResponse) => void;
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  send(response, status, 'application/json', `${JSON.stringify(value)}\n`);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
