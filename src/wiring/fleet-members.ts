import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { SYSTEM, type AuditLog } from '../accounts/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import type { NodeLinksOptions } from '../gateway/index.ts';
import { FleetGate, GatewayCertificate, joinEndpoint, NodeRegistry, openAuthority, type Authority, type RegistryAt } from '../identity/index.ts';
import { byToken } from '../link/index.ts';
import { tlsOf } from './listener.ts';
import type { Teardown } from './teardown.ts';

type FleetListener = NonNullable<GatewayConfig['listen']['fleet']>;

/** Nodes that join by tokens of their own: who may, who has, and what their certificates come from. */
export interface Joining {
  readonly authority: Authority;
  readonly registry: NodeRegistry;
}

/** Where nodes dial in, and how they are known. */
export interface FleetMembers extends Pick<NodeLinksOptions, 'admit' | 'renew'> {
  readonly server: Server;
  /** Null for a fleet in which all nodes have one token. */
  readonly joining: Joining | null;
}

interface MembersWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Where the registry is. */
  readonly registryAt: RegistryAt;
}

/** The server for the links of nodes, which does not listen yet. Rejects with `conflict` when the authority is not there. */
export async function fleetMembers(listener: FleetListener, gateway: string, world: MembersWorld, teardown: Teardown): Promise<FleetMembers> {
  return listener.join === undefined ? withToken(listener) : withCertificates(listener, listener.join, gateway, world, teardown);
}

function withToken(listener: FleetListener): FleetMembers {
  const tls = tlsOf(listener);
  const server = tls === null ? createHttpServer() : createHttpsServer(tls);
  server.on('request', (_request, response) => response.writeHead(426, { connection: 'close' }).end());
  return { server, admit: byToken(String(listener.token)), renew: () => Promise.reject(new Error('nodes have no certificates here')), joining: null };
}

async function withCertificates({ host }: FleetListener, { authorityDir, hosts, certificateMs }: NonNullable<FleetListener['join']>, gateway: string, { clock, log, audit, registryAt }: MembersWorld, teardown: Teardown): Promise<FleetMembers> {
  const authority = await openAuthority(authorityDir);
  const registry = teardown.add(await NodeRegistry.open(registryAt, clock));
  const certificate = teardown.add(new GatewayCertificate({ authority, gateway, hosts: hosts.length === 0 ? [host] : hosts, clock, log }));
  const gate = new FleetGate({
    authority,
    registry,
    certificateMs,
    clock,
    log,
    onJoined: ({ node, region, models, address }) => audit.append({ type: 'node.joined', actor: { ...SYSTEM, address }, organization: null, project: null, resource: node, detail: { region, models } }),
  });
  const server = createHttpsServer(await certificate.issue());
  certificate.keepFresh(server);
  server.on('request', joinEndpoint(gate));
  return { server, admit: (request) => gate.admit(request), renew: (bearer, address, request) => gate.renew(bearer, address, request), joining: { authority, registry } };
}
