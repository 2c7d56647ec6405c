import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Somebody who is told things over HTTP on loopback, for the length of a test. `answer` may let a request hang. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  answer: (response: ServerResponse) => void;
  connections = 0;
  #port = 0;

  private constructor(answer: (response: ServerResponse) => void) {
    this.answer = answer;
  }

  static async start(answer: (response: ServerResponse) => void = (response) => void response.writeHead(204).end()): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(answer);
    const server = createServer((request, response) => void receiver.#take(request, response));
    server.on('connection', () => (receiver.connections += 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    receiver.#port = address.port;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return receiver;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    this.received.push({ headers: request.headers, body });
    this.answer(response);
  }
}
