import { Type, type Static, type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { AttemptTerms } from '../openai/index.ts';
import { LinkProtocolError } from './frames.ts';

const Headers = Type.Record(Type.String(), Type.String());
const Count = Type.Integer({ minimum: 0 });

const UsageSchema = Type.Object({
  promptTokens: Count,
  cachedTokens: Count,
  completionTokens: Count,
  reasoningTokens: Count,
});

export const SettlementSchema = Type.Object({
  usage: Type.Union([UsageSchema, Type.Null()]),
  counted: Type.Union([UsageSchema, Type.Null()]),
  frames: Count,
});

const Id = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });

const ResumeSchema = Type.Object({
  text: Type.String(),
  reasoning: Type.String(),
  tokens: Count,
  ids: Type.Union([Type.Object({ prompt: Type.Array(Id), delivered: Type.Array(Id) }), Type.Null()]),
});

export const OpenHead = Type.Object({
  method: Type.Literal('POST'),
  path: Type.String({ pattern: '^/' }),
  headers: Headers,
  attempt: Type.Object({
    id: Type.String({ minLength: 1, maxLength: 64 }),
    replica: Type.String(),
    deadlineMs: Type.Number({ minimum: 0 }),
    priority: Type.Integer(),
    cacheSalt: Type.String(),
    streamed: Type.Boolean(),
    usageAsked: Type.Boolean(),
    continuable: Type.Boolean(),
    resume: Type.Union([ResumeSchema, Type.Null()]),
  }),
});
/** What opens a stream, before the request's body. */
export type OpenHead = Omit<Static<typeof OpenHead>, 'attempt'> & { readonly attempt: AttemptTerms };

export const AnswerHead = Type.Object({ status: Type.Integer({ minimum: 100, maximum: 599 }), headers: Headers });
/** Status and headers of an answer. */
export type AnswerHead = Static<typeof AnswerHead>;

export const StreamEnd = Type.Object({ settlement: SettlementSchema });
export type StreamEnd = Static<typeof StreamEnd>;

export const StreamFailure = Type.Object({
  kind: Type.Union([
    Type.Literal('unreachable'),
    Type.Literal('broken'),
    Type.Literal('empty'),
    Type.Literal('engine'),
    Type.Literal('timeout'),
    Type.Literal('cancelled'),
  ]),
  message: Type.String(),
  settlement: Type.Union([SettlementSchema, Type.Null()]),
});
export type StreamFailure = Static<typeof StreamFailure>;

const readOpenHead = reader(OpenHead, 'open');
export const readAnswerHead = reader(AnswerHead, 'head');
export const readStreamEnd = reader(StreamEnd, 'end');
export const readStreamFailure = reader(StreamFailure, 'error');

/** Payload of `open`: the head's length (u32), the head as JSON, the body. */
export function writeOpen(head: OpenHead, body: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const payload = Buffer.allocUnsafe(4 + text.length + body.length);
  payload.writeUInt32LE(text.length, 0);
  text.copy(payload, 4);
  body.copy(payload, 4 + text.length);
  return payload;
}

/** The head and the body, which is a view into `payload`. Throws LinkProtocolError. */
export function readOpen(payload: Buffer): { head: OpenHead; body: Buffer } {
  if (payload.length < 4) throw new LinkProtocolError('an open frame is cut short');
  const bodyStart = 4 + payload.readUInt32LE(0);
  if (bodyStart > payload.length) throw new LinkProtocolError('the head of an open frame is longer than the frame');
  return { head: readOpenHead(payload.subarray(4, bodyStart)), body: payload.subarray(bodyStart) };
}

export function writeJson(value: AnswerHead | StreamEnd | StreamFailure): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function reader<T extends TSchema>(schema: T, name: string): (payload: Buffer) => Static<T> {
  let check: Validator | undefined;
  return (payload) => {
    check ??= Compile(schema);
    let value: unknown;
    try {
      value = JSON.parse(payload.toString());
    } catch {
      throw new LinkProtocolError(`the payload of a ${name} frame is not JSON`);
    }
    if (!check.Check(value)) throw new LinkProtocolError(`the payload of a ${name} frame has the wrong shape`);
    return value as Static<T>;
  };
}
