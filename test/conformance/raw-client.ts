import { connect, type Socket } from 'node:net';

export interface RawHead {
  readonly version: string;
  readonly status: number;
  /** Lower-case names; the values in the order they stood. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

export interface RawAnswer extends RawHead {
  readonly framing: 'chunked' | 'length' | 'close';
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly version?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Sent with its Content-Length unless `headers` frame it otherwise. */
  readonly body?: string | Buffer;
  /** Leaves `Host` out. */
  readonly hostless?: boolean;
}

/** The bytes of a request, with what is asked and nothing more but `Host` and `Content-Length` where they are left out. */
export function requestBytes(request: RawRequest): Buffer {
  const { method = 'POST', path, version = 'HTTP/1.1', headers = [], body = '' } = request;
  const has = (name: string): boolean => headers.some(([given]) => given.toLowerCase() === name);
  const lines = [`${method} ${path} ${version}`];
  if (!has('host') && request.hostless !== true) lines.push('Host: gateway.test');
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (method !== 'GET' && !has('content-length') && !has('transfer-encoding')) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([head, typeof body === 'string' ? Buffer.from(body) : body]);
}

/** An HTTP client that hides nothing: it takes framing literally and rejects whatever is not exactly right. */
export class RawClient {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #ending: 'open' | 'closed' | 'broken' = 'open';
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
    socket.on('end', () => this.#end('closed'));
    socket.on('error', () => this.#end('broken'));
    socket.on('close', () => this.#end('closed'));
  }

  static open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Whether the other side has ended the connection, and if so, in order or not. */
  get ending(): 'open' | 'closed' | 'broken' {
    return this.#ending;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  close(): void {
    this.socket.destroy();
  }

  /** Rejects when the connection ends within a head. */
  async readHead(): Promise<RawHead> {
    const text = (await this.#until('\r\n\r\n')).toString('latin1').slice(0, -4);
    const [first = '', ...lines] = text.split('\r\n');
    const status = /^(HTTP\/1\.[01]) (\d{3})( |$)/.exec(first);
    if (status === null) throw new Error(`not a status line: ${first}`);
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new Error(`not a header: ${line}`);
      const name = line.slice(0, colon).toLowerCase();
      headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
    }
    return { version: String(status[1]), status: Number(status[2]), headers };
  }

  /** One chunk of a chunked body; empty for the last one, with whose blank line the body ends. */
  async readChunk(): Promise<Buffer> {
    const line = (await this.#until('\r\n')).toString('latin1').slice(0, -2);
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const data = await this.#take(size);
    const end = (await this.#take(2)).toString('latin1');
    if (end !== '\r\n') throw new Error(`a chunk ended in ${JSON.stringify(end)}`);
    return data;
  }

  async readBody(head: RawHead): Promise<Pick<RawAnswer, 'framing' | 'body'>> {
    const length = head.headers.get('content-length');
    if (head.headers.get('transfer-encoding')?.[0] === 'chunked') {
      if (length !== undefined) throw new Error('both Content-Length and Transfer-Encoding');
      const parts: Buffer[] = [];
      for (let part = await this.readChunk(); part.length > 0; part = await this.readChunk()) parts.push(part);
      return { framing: 'chunked', body: Buffer.concat(parts).toString() };
    }
    if (length !== undefined) return { framing: 'length', body: (await this.#take(Number(length[0]))).toString() };
    await this.ended();
    return { framing: 'close', body: (await this.#take(this.#bytes.length)).toString() };
  }

  async readAnswer(): Promise<RawAnswer> {
    const head = await this.readHead();
    return { ...head, ...(await this.readBody(head)) };
  }

  async exchange(request: RawRequest): Promise<RawAnswer> {
    this.send(requestBytes(request));
    return this.readAnswer();
  }

  /** Resolves once the other side has ended the connection. */
  async ended(): Promise<void> {
    while (this.#ending === 'open') await this.#more();
  }

  /** Bytes that came and were not read. */
  get unread(): string {
    return this.#bytes.toString('latin1');
  }

  async #until(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.#bytes.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      await this.#moreOrFail();
    }
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) await this.#moreOrFail();
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  async #moreOrFail(): Promise<void> {
    if (this.#ending !== 'open') throw new Error(`the connection was ${this.#ending} after ${JSON.stringify(this.unread.slice(0, 200))}`);
    await this.#more();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #end(how: 'closed' | 'broken'): void {
    if (this.#ending === 'open') this.#ending = how;
    this.#wake();
  }
}

/** One exchange on a connection of its own. */
export async function rawExchange(url: string, request: RawRequest): Promise<RawAnswer> {
  const client = await RawClient.open(url);
  try {
    return await client.exchange(request);
  } finally {
    client.close();
  }
}

/** The events of a body of server-sent events: the data of each, and the comments as they stand. */
export function eventsOf(body: string): string[] {
  const events = body.split('\n\n');
  if (events.pop() !== '') throw new Error('the body ends within an event');
  return events.map((event) => (event.startsWith('data: ') ? event.slice('data: '.length) : event));
}
