import type { IncomingMessage, ServerResponse } from 'node:http';

/** A refusal, told to the client in SGLang's error shape. */
export class SimHttpError extends Error {
  readonly status: number;
  readonly param: string | null;

  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.name = 'SimHttpError';
    this.status = status;
    this.param = param;
  }
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  404: 'NotFoundError',
  405: 'MethodNotAllowedError',
  413: 'PayloadTooLargeError',
  429: 'RateLimitError',
  503: 'ServiceUnavailableError',
};

/** SGLang's error object. */
export function engineError(status: number, message: string, param: string | null = null): object {
  return { object: 'error', message, type: ERROR_TYPES[status] ?? 'InternalServerError', param, code: status };
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a JSON object of at most `bytesMax`; an empty body is an empty object. */
export async function readJsonObject(request: IncomingMessage, bytesMax: number): Promise<JsonObject> {
  const parts: Buffer[] = [];
  let bytes = 0;
  // The connection must outlive a refusal, so that the client can read it.
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new SimHttpError(413, `The body is larger than ${bytesMax} bytes.`);
    parts.push(part);
  }
  if (bytes === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(parts).toString());
  } catch (error) {
    throw new SimHttpError(400, `The body is not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(value)) throw new SimHttpError(400, 'The body must be a JSON object.');
  return value;
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', JSON.stringify(value));
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', text);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
