export { Authority, initAuthority, openAuthority, pinOf } from './authority.ts';
export { FleetGate, type NodeBearer } from './fleet-gate.ts';
export { GatewayCertificate } from './gateway-certificate.ts';
export { HeldIdentity } from './held-identity.ts';
export { join } from './join.ts';
export { joinEndpoint } from './join-endpoint.ts';
export { mismatch, NodeRegistry, type RegistryAt, type RegisteredNode } from './node-registry.ts';
