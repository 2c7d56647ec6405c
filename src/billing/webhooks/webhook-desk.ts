import { MeridianError, ulid, type Clock } from '../../core/index.ts';
import type { ListQuery } from '../ledger/ledger.ts';
import type { SecretSeal } from './secret-seal.ts';
import type { WebhookEndpoint, WebhookEvent, WebhookSubject } from './webhook.ts';
import { checkWebhookUrl, type AddressRules } from './webhook-address.ts';
import { newWebhookSecret } from './webhook-signature.ts';
import type { EndpointChange, WebhookEventQuery, WebhookStore } from './webhook-store.ts';

export interface WebhookDeskOptions {
  readonly store: WebhookStore;
  readonly seal: SecretSeal;
  readonly clock: Clock;
  readonly rules: AddressRules;
  /** Called when something is due. */
  readonly wake: () => void;
}

export interface WantedEndpoint {
  /** Null: the operator's, which gets everybody's events. */
  readonly organization: string | null;
  readonly url: string;
  /** Null: all. */
  readonly eventTypes: readonly WebhookSubject[] | null;
}

/** The only time that a secret is told. */
export interface EndpointWithSecret {
  readonly endpoint: WebhookEndpoint;
  readonly secret: string;
}

/** Where administrators say who is told of what. Rejects with `not_found` for ids that are none, else as the store does. */
export class WebhookDesk {
  readonly #options: WebhookDeskOptions;

  constructor(options: WebhookDeskOptions) {
    this.#options = options;
  }

  /** Rejects with `invalid_value` when the URL is refused. */
  async create({ organization, url, eventTypes }: WantedEndpoint): Promise<EndpointWithSecret> {
    const { store, seal, clock, rules } = this.#options;
    checkWebhookUrl(url, rules);
    const nowMs = clock.wallMs();
    const id = `we_${ulid(nowMs)}`;
    const secret = newWebhookSecret();
    const secrets = [{ sealed: seal.seal(secret, id), untilMs: null }];
    const endpoint = await store.addEndpoint({ id, organization, url, eventTypes, secrets, createdAtMs: nowMs });
    return { endpoint, secret };
  }

  async get(id: string): Promise<WebhookEndpoint> {
    return found(await this.#options.store.endpoint(id), 'endpoint', id);
  }

  list(query: ListQuery): Promise<readonly WebhookEndpoint[]> {
    return this.#options.store.endpoints(query);
  }

  /** Rejects with `invalid_value` when the URL is refused. */
  async update(id: string, change: EndpointChange): Promise<WebhookEndpoint> {
    const { store, clock, rules } = this.#options;
    if (change.url !== undefined) checkWebhookUrl(change.url, rules);
    return found(await store.changeEndpoint(id, change, clock.wallMs()), 'endpoint', id);
  }

  async remove(id: string): Promise<void> {
    if (!(await this.#options.store.removeEndpoint(id))) throw unknown('endpoint', id);
  }

  /** For `graceMs` the secrets before it sign too. */
  async rotateSecret(id: string, graceMs: number): Promise<EndpointWithSecret> {
    const { store, seal, clock } = this.#options;
    const secret = newWebhookSecret();
    const nowMs = clock.wallMs();
    const changed = await store.addSecret(id, { sealed: seal.seal(secret, id), untilMs: null }, nowMs + graceMs, nowMs);
    return { endpoint: found(changed, 'endpoint', id), secret };
  }

  async test(id: string): Promise<WebhookEvent> {
    const { store, clock, wake } = this.#options;
    const event = found(await store.testEndpoint(id, clock.wallMs()), 'endpoint', id);
    wake();
    return event;
  }

  async event(id: string): Promise<WebhookEvent> {
    return found(await this.#options.store.event(id), 'event', id);
  }

  events(query: WebhookEventQuery): Promise<readonly WebhookEvent[]> {
    return this.#options.store.events(query);
  }

  /** To one endpoint, or to all that would be told of it now. */
  async redeliver(id: string, endpoint: string | null): Promise<WebhookEvent> {
    const { store, clock, wake } = this.#options;
    const event = found(await store.redeliver(id, endpoint, clock.wallMs()), 'event', id);
    wake();
    return event;
  }
}

function found<T>(value: T | null, what: string, id: string): T {
  if (value === null) throw unknown(what, id);
  return value;
}

function unknown(what: string, id: string): MeridianError {
  return new MeridianError('not_found', { param: 'id', message: `There is no webhook ${what} '${id}'.` });
}
