export { Backoff, type BackoffOptions } from './backoff.ts';
export { readCounted, writeCounted } from './counted-data.ts';
export { acceptLinks, byToken, LINK_PATH, type LinkAdmission } from './fleet-listener.ts';
export { FrameKind, LinkProtocolError, readFrames, writeFrames, type Frame } from './frames.ts';
export { GatewayLink, type GatewayLinkOptions } from './gateway-link.ts';
export {
  PROTOCOL_VERSION,
  readMessageFromGateway,
  readMessageFromNode,
  SUBPROTOCOL,
  type HelloMessage,
  type LoadMessage,
  type MembersMessage,
  type NodeState,
  type SettledMessage,
  type StateMessage,
} from './messages.ts';
export { NodeLink, type LinkCredentials, type NodeLinkOptions } from './node-link.ts';
export { readPrefixEvent, writePrefixEvent, type PrefixEvent } from './prefix-event.ts';
export type { NodeStream } from './node-stream.ts';
export { readOpen, writeOpen, type OpenHead } from './stream-payloads.ts';
