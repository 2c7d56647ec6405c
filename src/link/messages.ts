import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { LinkProtocolError } from './frames.ts';
import { SettlementSchema } from './stream-payloads.ts';

/** Raised when a change would make old peers misread; a gateway refuses what it does not speak. */
export const PROTOCOL_VERSION = 4;
/** Close code by which a gateway tells a node that another one dialled in with its id. */
export const CLOSE_REPLACED = 4000;
/** Close code by which a gateway tells a node that it may not be linked, or not any more. */
export const CLOSE_REFUSED = 4001;
/** The WebSocket subprotocol. */
export const SUBPROTOCOL = 'meridian.node.v4';

const Count = Type.Integer({ minimum: 0 });
const Rate = Type.Number({ minimum: 0 });
const Name = Type.String({ minLength: 1, maxLength: 200 });
const OrUnknown = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const Hello = Type.Object({
  type: Type.Literal('hello'),
  protocol: Type.Integer(),
  node: Name,
  region: Name,
  /** New at each start of the engine: what was known of its cache is void. */
  epoch: Name,
  engine: Type.Object({ kind: Name, version: OrUnknown(Type.String()) }),
  models: Type.Array(Name, { minItems: 1 }),
  weightDtype: Name,
  contextTokens: Count,
  kvTokens: OrUnknown(Count),
  runningMax: OrUnknown(Count),
  /** How its engine can go on with an answer that another one began. */
  continuation: Type.Union([Type.Literal('none'), Type.Literal('text'), Type.Literal('tokens')]),
  replicas: Type.Array(Type.Object({ id: Name, rank: Count }), { minItems: 1, maxItems: 256 }),
});

const Load = Type.Object({
  type: Type.Literal('load'),
  replica: Name,
  /** Rises by one with each report of the replica on this link. */
  seq: Count,
  /** How long ago it was taken when it was sent, in milliseconds. */
  ageMs: Type.Number({ minimum: 0 }),
  /** Highest stream number of this link that the engine had been given when the report was taken. */
  seenStream: Count,
  running: Count,
  queued: Count,
  queuedUncachedTokens: OrUnknown(Count),
  kvTokensUsed: OrUnknown(Count),
  kvTokens: OrUnknown(Count),
  prefillTokensPerS: OrUnknown(Rate),
  decodeTokensPerS: OrUnknown(Rate),
  /** Tokens that one step of speculative decoding yields; null without any. */
  acceptLength: Type.Optional(OrUnknown(Rate)),
});

const NodeState = Type.Union([
  Type.Literal('starting'),
  Type.Literal('warming'),
  Type.Literal('ready'),
  Type.Literal('draining'),
  Type.Literal('unhealthy'),
]);

const State = Type.Object({ type: Type.Literal('state'), state: NodeState, reason: Type.String() });

const Settled = Type.Object({
  type: Type.Literal('settled'),
  attempt: Name,
  outcome: Type.Union([Type.Literal('aborted'), Type.Literal('failed'), Type.Literal('completed')]),
  settlement: SettlementSchema,
});

const Pem = Type.String({ minLength: 1, maxLength: 16_384 });
/** Asks for a new certificate: a PKCS #10 request. */
const Renew = Type.Object({ type: Type.Literal('renew'), request: Pem });
const Certificate = Type.Object({ type: Type.Literal('certificate'), certificate: Pem });

const Ping = Type.Object({ type: Type.Literal('ping'), id: Count });
const Pong = Type.Object({ type: Type.Literal('pong'), id: Count });
const Acknowledge = Type.Object({ type: Type.Literal('acknowledge'), attempt: Name });
const Operation = Type.Object({ type: Type.Union([Type.Literal('drain'), Type.Literal('resume')]) });
/** A `prefix` event of the replica is missing: its whole cache is asked for. */
const Resync = Type.Object({ type: Type.Literal('resync'), replica: Name });
const Members = Type.Object({
  type: Type.Literal('members'),
  gateway: Name,
  gateways: Type.Array(Type.Object({ id: Name, url: Type.String() })),
});

export const FromNode = Type.Union([Hello, Load, State, Settled, Renew, Ping, Pong]);
export const FromGateway = Type.Union([Members, Operation, Resync, Acknowledge, Certificate, Ping, Pong]);

export type HelloMessage = Static<typeof Hello>;
export type LoadMessage = Static<typeof Load>;
export type StateMessage = Static<typeof State>;
export type SettledMessage = Static<typeof Settled>;
export type MembersMessage = Static<typeof Members>;
export type NodeState = Static<typeof NodeState>;
export type MessageFromNode = Static<typeof FromNode>;
export type MessageFromGateway = Static<typeof FromGateway>;

const checkFromNode = Compile(FromNode);
const checkFromGateway = Compile(FromGateway);

/** Throws LinkProtocolError on anything that is not a message of the protocol. */
export function readMessageFromNode(text: string): MessageFromNode {
  const value = parse(text);
  if (!checkFromNode.Check(value)) throw new LinkProtocolError(wrong(value, 'node'));
  return value;
}

/** Throws LinkProtocolError on anything that is not a message of the protocol. */
export function readMessageFromGateway(text: string): MessageFromGateway {
  const value = parse(text);
  if (!checkFromGateway.Check(value)) throw new LinkProtocolError(wrong(value, 'gateway'));
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new LinkProtocolError('a text message is not JSON');
  }
}

function wrong(value: unknown, sender: string): string {
  const type: unknown = Reflect.get(Object(value), 'type');
  return `a ${typeof type === 'string' ? `'${type.slice(0, 40)}' ` : ''}message of the ${sender} has the wrong shape`;
}
