import { LRUCache } from 'lru-cache';
import type { CostTerms, Placement, Route } from '../balancer/index.ts';
import type { AttemptRecord } from '../billing/index.ts';
import type { Replica } from '../health/index.ts';
import type { Resume } from '../openai/index.ts';

/** One replica that might have got the attempt, as it was predicted then. Times in milliseconds, amounts in tokens. */
export interface LoggedCandidate {
  readonly replica: string;
  readonly region: string;
  readonly costMs: number;
  readonly ttftMs: number;
  readonly mirroredTokens: number;
  readonly cachedTokens: number;
  readonly terms: CostTerms;
}

export interface LoggedAttempt {
  readonly id: string;
  /** Where it went: one of the candidates. */
  readonly replica: string;
  readonly chosenBy: Route['chosenBy'];
  /** Best first. */
  readonly candidates: readonly LoggedCandidate[];
  /** How much of the answer was there when it went on with it, and from what; null for a new answer. */
  readonly resumed: { readonly tokens: number; readonly by: 'tokens' | 'text' } | null;
  /** What became of it; null while it is under way. */
  record: AttemptRecord | null;
}

/** Why a request went where it went. */
export interface LoggedRoute {
  readonly request: string;
  readonly model: string;
  /** Estimated, and expected. */
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly hasSession: boolean;
  /** How long it waited at the edge before its first attempt. */
  readonly heldMs: number;
  readonly attempts: LoggedAttempt[];
}

/** The routes of the newest requests, in memory. */
export class RouteLog {
  readonly #routes: LRUCache<string, LoggedRoute>;

  /** `routesMax`: requests remembered. */
  constructor(routesMax: number) {
    this.#routes = new LRUCache({ max: routesMax });
  }

  find(request: string): LoggedRoute | null {
    return this.#routes.get(request) ?? null;
  }

  begin(request: string, model: string, { promptTokens, outputTokens, session }: Placement, heldMs: number): LoggedRoute {
    const route = { request, model, promptTokens, outputTokens, hasSession: session !== null, heldMs, attempts: [] };
    this.#routes.set(request, route);
    return route;
  }
}

/** An attempt that is sent to `replica`, with what else might have been. Keeps no replica alive. */
export function loggedAttempt(id: string, replica: Replica, { candidates, chosenBy }: Route, resume: Resume | null): LoggedAttempt {
  const by = resume?.ids != null && replica.identity.continuation === 'tokens' ? 'tokens' : 'text';
  return {
    id,
    resumed: resume === null ? null : { tokens: resume.tokens, by },
    replica: replica.identity.id,
    chosenBy,
    candidates: candidates.map(({ replica: { identity }, costMs, ttftMs, mirroredTokens, cachedTokens, terms }) => ({
      replica: identity.id,
      region: identity.region,
      costMs,
      ttftMs,
      mirroredTokens,
      cachedTokens,
      terms,
    })),
    record: null,
  };
}
