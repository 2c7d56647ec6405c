import type { IncomingMessage, ServerResponse } from 'node:http';
import { asMeridianError, MeridianError } from '../core/index.ts';
import type { FleetGate } from './fleet-gate.ts';
import { JOIN_PATH } from './join.ts';

const BODY_BYTES_MAX = 64 * 1024;
const TEXT_MAX = 200;

/** Answers `POST /join` on a fleet listener; what else is asked there is no request at all. */
export function joinEndpoint(gate: Pick<FleetGate, 'join'>): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    if (request.url !== JOIN_PATH || request.method !== 'POST') return void response.writeHead(426, { connection: 'close' }).end();
    void answer(request, gate).then(
      (certificate) => reply(response, 200, { certificate }),
      (thrown: unknown) => {
        const { row, message, param, code } = asMeridianError(thrown);
        reply(response, row.status, { error: { message, type: row.type, param, code } });
      },
    );
  };
}

async function answer(request: IncomingMessage, gate: Pick<FleetGate, 'join'>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) throw new MeridianError('request_too_large');
    pieces.push(piece);
  }
  const body = parse(Buffer.concat(pieces));
  const joining = { secret: text(body, 'token'), node: text(body, 'node'), region: text(body, 'region'), models: texts(body, 'models'), address: request.socket.remoteAddress ?? '' };
  return gate.join(joining, text(body, 'request', BODY_BYTES_MAX));
}

function parse(body: Buffer): object {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw new MeridianError('invalid_json');
}

function text(body: object, name: string, lengthMax = TEXT_MAX): string {
  const value: unknown = Reflect.get(body, name);
  if (typeof value === 'string' && value !== '' && value.length <= lengthMax) return value;
  throw new MeridianError('invalid_value', { param: name, message: `Invalid value for '${name}': expected a text of 1 to ${lengthMax} characters.` });
}

function texts(body: object, name: string): string[] {
  const value: unknown = Reflect.get(body, name);
  if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string')) return value as string[];
  throw new MeridianError('invalid_value', { param: name, message: `Invalid value for '${name}': expected a list of texts.` });
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
}
