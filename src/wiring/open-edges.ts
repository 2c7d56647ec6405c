import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from '../config/index.ts';
import { adminRoutes, createEdge, openapiDocument, parseBody, publicRoutes, type AdminDeps, type GatewayDeps } from '../gateway/index.ts';
import { listen, schemeOf, tlsOf, type ListenAt } from './listener.ts';
import type { LiveConfig } from './live-config.ts';
import { PublicDoor } from './public-door.ts';
import type { Teardown } from './teardown.ts';
import { TlsFiles } from './tls-files.ts';

/** Where clients and operators reach the gateway. */
export interface Edges {
  /** Base URL for OpenAI's SDKs, with `/v1`. */
  readonly publicUrl: string;
  readonly adminUrl: string;
  /** How clients come in. */
  readonly door: PublicDoor;
  /** Why the gateway cannot take requests; empty when it can. */
  readonly unreadyReasons: () => string[];
}

interface OpenEdges extends Edges {
  readonly certificates: readonly TlsFiles[];
  /** Goes by other bounds of connections from now on. */
  readonly reconfigure: (config: GatewayConfig) => void;
}

type AdminParts = Pick<AdminDeps, 'accounts' | 'keys' | 'ledger' | 'feed' | 'desk' | 'invoices' | 'priceDesk' | 'webhooks' | 'operate' | 'cut' | 'joining' | 'scrape' | 'reloadConfig'> & {
  readonly isLeaving: () => boolean;
  /** Does not listen for clients yet: the door is opened from outside. */
  readonly isDoorShut: boolean;
};

/** Opens the public and the admin listener. */
export async function openEdges(live: LiveConfig, deps: GatewayDeps, admin: AdminParts, teardown: Teardown): Promise<OpenEdges> {
  const { listen: at } = live.config;
  const publicApp = await edge(live, at.public, deps, (body) => body);
  publicRoutes(publicApp, deps);
  const adminApp = await edge(live, at.admin, deps, (body) => parseBody(body, live.config.limits.jsonDepthMax));
  const reasons = (): string[] => unreadyReasons(deps, admin.isLeaving());
  adminRoutes(adminApp, {
    ...admin,
    get adminKey() {
      return live.config.adminKey;
    },
    journal: deps.journal,
    clock: deps.clock,
    fleet: deps.fleet,
    get models() {
      return live.models;
    },
    get aliases() {
      return live.aliases;
    },
    routeLog: deps.routeLog,
    isUnderWay: (request) => deps.active.has(request),
    unreadyReasons: reasons,
    openapi: () => openapiDocument(publicApp, adminApp),
  });
  await Promise.all([publicApp.ready(), adminApp.ready()]);
  const door = new PublicDoor(publicApp.server, at.public);
  const adminServer = { close: () => (adminApp.server.close(), adminApp.server.closeAllConnections()) };
  closeAtEnd(adminApp, adminServer, teardown);
  closeAtEnd(publicApp, door, teardown);
  const adminUrl = await listen(adminApp.server, at.admin, 'listen.admin', schemeOf(at.admin));
  const publicUrl = admin.isDoorShut ? door.url(at.public.port) : await door.open();
  const servers = [publicApp.server, adminApp.server];
  return {
    publicUrl,
    adminUrl,
    door,
    unreadyReasons: reasons,
    certificates: [new TlsFiles('listen.public.tls', at.public, publicApp.server), new TlsFiles('listen.admin.tls', at.admin, adminApp.server)],
    reconfigure({ timeouts: { receiveMs } }) {
      for (const server of servers) Object.assign(server, { headersTimeout: receiveMs, requestTimeout: receiveMs });
    },
  };
}

function edge(live: LiveConfig, at: ListenAt, deps: GatewayDeps, readBody: (body: Buffer) => unknown): Promise<FastifyInstance> {
  const { bodyBytesMax, headerBytesMax } = live.config.limits;
  const { receiveMs } = live.config.timeouts;
  return createEdge({ bodyBytesMax, headerBytesMax, connections: () => live.config.limits, receiveMs, clock: deps.clock, readBody, tls: tlsOf(at) });
}

function closeAtEnd(app: FastifyInstance, server: { close(): unknown }, teardown: Teardown): void {
  teardown.add({
    async close() {
      server.close();
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
