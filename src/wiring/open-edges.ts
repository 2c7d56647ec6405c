import { Server as NetServer } from 'node:net';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from '../config/index.ts';
import { adminRoutes, createEdge, openapiDocument, parseBody, publicRoutes, type AdminDeps, type GatewayDeps } from '../gateway/index.ts';
import { listen, tlsOf, urlOf, type ListenAt } from './listener.ts';
import type { Teardown } from './teardown.ts';

/** Where clients and operators reach the gateway. */
export interface Edges {
  /** Base URL for OpenAI's SDKs, with `/v1`. */
  readonly publicUrl: string;
  readonly adminUrl: string;
  /** Begins to take clients' connections, where that was put off: at a port that several processes share, only one that can serve does. */
  listen(): Promise<void>;
  /** Takes no new connections of clients; those there are go on. */
  stopListening(): void;
  /** Of clients, idle ones among them. */
  connections(): Promise<number>;
}

type AdminParts = Pick<AdminDeps, 'accounts' | 'keys' | 'ledger' | 'feed' | 'desk' | 'invoices' | 'priceDesk' | 'webhooks' | 'operate' | 'cut' | 'joining' | 'scrape' | 'reload'> & { readonly isLeaving: () => boolean };

/** Opens the public and the admin listener. */
export async function openEdges(config: GatewayConfig, deps: GatewayDeps, admin: AdminParts, teardown: Teardown): Promise<Edges> {
  const publicApp = await edge(config, config.listen.public, deps, (body) => body);
  publicRoutes(publicApp, deps);
  const adminApp = await edge(config, config.listen.admin, deps, (body) => parseBody(body, config.limits.jsonDepthMax));
  adminRoutes(adminApp, {
    ...admin,
    adminKey: config.adminKey,
    journal: deps.journal,
    clock: deps.clock,
    fleet: deps.fleet,
    models: deps.models,
    aliases: deps.aliases,
    routeLog: deps.routeLog,
    isUnderWay: (request) => deps.active.has(request),
    unreadyReasons: () => unreadyReasons(deps, admin.isLeaving()),
    openapi: () => openapiDocument(publicApp, adminApp),
  });
  await Promise.all([publicApp.ready(), adminApp.ready()]);
  closeAtEnd(adminApp, teardown);
  closeAtEnd(publicApp, teardown);
  const adminUrl = await listen(adminApp.server, config.listen.admin, 'listen.admin', schemeOf(config.listen.admin));
  const { public: at } = config.listen;
  const listenPublic = (): Promise<string> => listen(publicApp.server, at, 'listen.public', schemeOf(at));
  const publicUrl = at.reusePort ? urlOf(at, at.port, schemeOf(at)) : await listenPublic();
  return { publicUrl: `${publicUrl}/v1`, adminUrl, connections: () => promisify(publicApp.server.getConnections.bind(publicApp.server))(), listen: async () => void (at.reusePort && (await listenPublic())), stopListening: () => void NetServer.prototype.close.call(publicApp.server) };
}

function edge(config: GatewayConfig, at: ListenAt, deps: GatewayDeps, readBody: (body: Buffer) => unknown): Promise<FastifyInstance> {
  const { bodyBytesMax, headerBytesMax, ...connections } = config.limits;
  return createEdge({ bodyBytesMax, headerBytesMax, connections, receiveMs: config.timeouts.receiveMs, clock: deps.clock, readBody, tls: tlsOf(at) });
}

function schemeOf({ tls }: ListenAt): 'http' | 'https' {
  return tls === undefined ? 'http' : 'https';
}

function closeAtEnd(app: FastifyInstance, teardown: Teardown): void {
  teardown.add({
    async close() {
      app.server.close();
      app.server.closeAllConnections();
      await app.close();
    },
  });
}

function unreadyReasons({ journal, fleet, clock, overload }: GatewayDeps, isLeaving: boolean): string[] {
  const reasons: string[] = [];
  if (isLeaving) reasons.push('draining');
  if (!journal.healthy) reasons.push('the usage journal cannot be written');
  if (overload.refusesAll) reasons.push('too much to do');
  const now = clock.now();
  if (!fleet.all().some((replica) => replica.isHealthy(now))) reasons.push('no replica can serve');
  return reasons;
}
