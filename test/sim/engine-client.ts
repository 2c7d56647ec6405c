import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import { startSimEngine, type AttemptRecord, type SimEngine, type SimEngineOptions } from '../../src/sim/index.ts';
import { eventually } from '../support/eventually.ts';

const open: SimEngine[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.close()));
});

/** A simulated engine on a free port, fast unless told otherwise, closed after the test. */
export async function engine(options: SimEngineOptions = {}): Promise<SimEngine> {
  const one = await startSimEngine({ timeScale: 100, ...options });
  open.push(one);
  return one;
}

export function post(one: SimEngine, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(one.url + path, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json' },
    ...(signal === undefined ? {} : { signal }),
  });
}

export async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

export interface Chunk {
  readonly id: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta?: { readonly role?: string; readonly content?: string; readonly reasoning_content?: string; readonly tool_calls?: readonly { readonly function: { readonly name?: string; readonly arguments: string } }[] };
    readonly text?: string;
    readonly token_ids?: readonly number[];
    readonly prompt_token_ids?: readonly number[];
    readonly logprobs: unknown;
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly reasoning_tokens: number; readonly prompt_tokens_details: { readonly cached_tokens: number } | null } | null;
  readonly error?: unknown;
}

export interface Stream {
  readonly chunks: readonly Chunk[];
  readonly isDone: boolean;
  /** The connection broke before the end. */
  readonly isBroken: boolean;
  readonly text: string;
  readonly tokenIds: readonly number[];
}

/** Reads a streamed answer to its end, however it ends. */
export async function readStream(response: Response): Promise<Stream> {
  let raw = '';
  let isBroken = false;
  try {
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) raw += part;
  } catch {
    isBroken = true;
  }
  const events = raw.split('\n\n').filter((event) => event.startsWith('data: ')).map((event) => event.slice(6));
  const chunks = events.filter((event) => event.startsWith('{') && event.endsWith('}')).map((event) => JSON.parse(event) as Chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
  return {
    chunks,
    isDone: events.at(-1) === '[DONE]',
    isBroken,
    text: choices.map((choice) => choice.delta?.content ?? choice.text ?? '').join(''),
    tokenIds: choices.flatMap((choice) => choice.token_ids ?? []),
  };
}

export function chat(content: string, more: object = {}): object {
  return { model: 'deepseek-v3', messages: [{ role: 'user', content }], ...more };
}

/** Waits until `count` requests ended and gives their records. */
export async function records(one: SimEngine, count: number): Promise<readonly AttemptRecord[]> {
  return eventually(async () => {
    const body = (await (await fetch(`${one.url}/sim/requests`)).json()) as { data: AttemptRecord[] };
    if (body.data.length < count) throw new Error(`only ${body.data.length} requests ended`);
    return body.data;
  });
}

/** Sends a request by hand; the socket is the caller's. */
export function rawPost(port: number, path: string, body: object): Socket {
  const text = JSON.stringify(body);
  const socket = connect(port, '127.0.0.1');
  socket.write(`POST ${path} HTTP/1.1\r\nhost: e\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  return socket;
}
