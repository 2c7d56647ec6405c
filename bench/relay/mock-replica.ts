import type { Socket } from 'node:net';
import { MODEL, TOKENS_PER_STREAM } from './answer.ts';
import { closingEvents, jsonAnswer, roleEvent, tokenEvent, type AnswerTerms } from './engine-text.ts';
import { HttpReader } from './http-reader.ts';
import type { Pace } from './pace.ts';

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nserver: mock\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n';

interface ChatBody {
  readonly rid?: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean; readonly continuous_usage_stats?: boolean } | null;
}

/** One engine: the streams it has open, and the step timer that gives each of them a token at the same instant. */
export class MockEngine {
  readonly #streams = new Set<MockStream>();
  readonly #phase: number;
  #pace: Pace = { kind: 'unpaced' };
  #timer: NodeJS.Timeout | undefined;
  #stepDueMs = 0;
  #lastId = 0;

  /** `phase` (0 to 1) sets the engine's steps apart from those of the others, as real engines are. */
  constructor(phase: number) {
    this.#phase = phase;
  }

  setPace(pace: Pace): void {
    this.#pace = pace;
    clearTimeout(this.#timer);
    if (pace.kind !== 'steps') return;
    this.#stepDueMs = performance.now() + pace.stepMs * this.#phase;
    this.#awaitStep(pace.stepMs);
  }

  /** A new request's id, when it brought none. */
  nextId(): string {
    this.#lastId += 1;
    return this.#lastId.toString(16).padStart(32, '0');
  }

  /** The first token comes at once, as prefill ends apart from the other streams' steps. */
  open(socket: Socket, terms: AnswerTerms): MockStream {
    const stream = new MockStream(socket, terms);
    this.#streams.add(stream);
    stream.begin();
    if (this.#pace.kind === 'unpaced') this.#writeOnAndOn(stream);
    return stream;
  }

  /** Forgets a stream whose client has gone. */
  drop(stream: MockStream): void {
    this.#streams.delete(stream);
  }

  /** Ends streams as SGLang does: by prefix of their id, or all. */
  abort(idPrefix: string, all: boolean): void {
    for (const stream of this.#streams) {
      if (!all && !stream.id.startsWith(idPrefix)) continue;
      this.#streams.delete(stream);
      stream.end();
    }
  }

  get running(): number {
    return this.#streams.size;
  }

  #awaitStep(stepMs: number): void {
    const delayMs = Math.max(0, this.#stepDueMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#step();
      this.#stepDueMs += stepMs;
      this.#awaitStep(stepMs);
    }, delayMs);
  }

  #step(): void {
    for (const stream of this.#streams) {
      stream.writeToken();
      if (stream.isWhole) this.#streams.delete(stream);
    }
  }

  /** One write per token, a turn of the event loop apart, except where the socket takes no more. */
  #writeOnAndOn(stream: MockStream): void {
    const isTaken = stream.isWhole || stream.writeToken();
    if (stream.isWhole) this.#streams.delete(stream);
    else if (isTaken) setImmediate(() => this.#writeOnAndOn(stream));
    else stream.socket.once('drain', () => this.#writeOnAndOn(stream));
  }
}

/** A streamed answer under way. */
class MockStream {
  readonly socket: Socket;
  readonly #terms: AnswerTerms;
  #written = 0;

  constructor(socket: Socket, terms: AnswerTerms) {
    this.socket = socket;
    this.#terms = terms;
  }

  get id(): string {
    return this.#terms.id;
  }

  get isWhole(): boolean {
    return this.#written === TOKENS_PER_STREAM;
  }

  begin(): void {
    this.socket.write(STREAM_HEAD + chunk(roleEvent(this.#terms)), 'latin1');
    this.writeToken();
  }

  /** Writes the next token, and the end after the last; false when the socket is full. */
  writeToken(): boolean {
    const isTaken = this.socket.write(chunk(tokenEvent(this.#terms, this.#written)), 'latin1');
    this.#written += 1;
    if (this.isWhole) this.end();
    return isTaken;
  }

  end(): void {
    this.#written = TOKENS_PER_STREAM;
    this.socket.write(`${chunk(closingEvents(this.#terms))}0\r\n\r\n`, 'latin1');
  }
}

/** One client connection of a mock engine; requests come one at a time. */
export class MockConnection {
  readonly #socket: Socket;
  readonly #engine: MockEngine;
  readonly #setPace: (pace: Pace) => void;
  #path = '';
  #body: Buffer[] = [];
  #stream: MockStream | undefined;

  constructor(socket: Socket, engine: MockEngine, setPace: (pace: Pace) => void) {
    this.#socket = socket;
    this.#engine = engine;
    this.#setPace = setPace;
    const reader = new HttpReader({
      onHead: (head) => {
        this.#path = head.split(' ', 2)[1]?.split('?')[0] ?? '';
        this.#body = [];
      },
      onBody: (bytes) => this.#body.push(Buffer.from(bytes)),
      onEnd: () => this.#answer(),
    });
    socket.on('data', (bytes: Buffer) => reader.push(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#stream !== undefined) engine.drop(this.#stream);
    });
  }

  #answer(): void {
    const body = Buffer.concat(this.#body).toString();
    switch (this.#path) {
      case '/v1/chat/completions':
        return this.#complete(JSON.parse(body) as ChatBody);
      case '/abort_request':
        return this.#abort(JSON.parse(body) as { rid?: string; abort_all?: boolean });
      case '/mock/pace':
        this.#setPace(JSON.parse(body) as Pace);
        return this.#reply(200, '{}');
      case '/v1/models':
        return this.#reply(200, `{"object":"list","data":[{"id":"${MODEL}","object":"model","created":0,"owned_by":"sglang","root":"${MODEL}","max_model_len":163840}]}`);
      case '/v1/loads':
        return this.#reply(200, `{"timestamp":"2026-11-23T00:00:00Z","version":"mock","dp_rank_count":1,"loads":[${this.#load()}]}`);
      case '/get_load':
        return this.#reply(200, `[${this.#load()}]`);
      case '/get_server_info':
      case '/server_info':
        return this.#reply(200, `{"served_model_name":"${MODEL}","version":"mock","quantization":"fp8","dp_size":1,"page_size":64,"context_length":163840,"max_total_num_tokens":4000000,"max_running_requests":4096}`);
      case '/health':
      case '/health_generate':
        return this.#reply(200, '');
      default:
        return this.#reply(404, '{"detail":"Not Found"}');
    }
  }

  #complete(body: ChatBody): void {
    const id = body.rid ?? this.#engine.nextId();
    if (body.stream !== true) return this.#reply(200, jsonAnswer(id));
    this.#stream = this.#engine.open(this.#socket, {
      id,
      usageAsked: body.stream_options?.include_usage === true,
      runningCounts: body.stream_options?.continuous_usage_stats === true,
    });
  }

  #abort(body: { rid?: string; abort_all?: boolean }): void {
    if (body.rid || body.abort_all) this.#engine.abort(body.rid ?? '', body.abort_all === true);
    this.#reply(200, '');
  }

  #load(): string {
    const running = this.#engine.running;
    return `{"dp_rank":0,"num_running_reqs":${running},"num_waiting_reqs":0,"num_waiting_uncached_tokens":0,"num_used_tokens":${running * 250},"num_total_tokens":${running * 250},"max_total_num_tokens":4000000,"max_running_requests":4096,"token_usage":0.01,"gen_throughput":${running * 50},"cache_hit_rate":0,"utilization":0}`;
  }

  #reply(status: number, body: string): void {
    this.#socket.write(
      `HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Not Found'}\r\nserver: mock\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      'latin1',
    );
  }
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}
