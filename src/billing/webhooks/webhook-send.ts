import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { checkedLookup, checkWebhookUrl, type AddressRules } from './webhook-address.ts';

export interface WebhookMessage {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends one message; resolves with the status of the answer, whatever it is. Rejects when there is none before `signal` aborts. */
export type SendWebhook = (message: WebhookMessage, signal: AbortSignal) => Promise<number>;

export interface WebhookSenderOptions extends AddressRules {
  /** `dns.lookup` without it. */
  readonly lookup?: LookupFunction;
}

const ANSWER_BYTES_MAX = 4_096;
const CONNECTIONS_PER_ORIGIN = 4;
const KEEP_ALIVE_MS = 4_000;
const CONNECT_MS = 10_000;

/** Sends over HTTP, to allowed addresses only. Redirects are not followed: they are answers as any other. */
export class WebhookSender {
  readonly #rules: AddressRules;
  readonly #agent: Agent;

  constructor({ lookup = systemLookup, ...rules }: WebhookSenderOptions) {
    this.#rules = rules;
    this.#agent = new Agent({
      connections: CONNECTIONS_PER_ORIGIN,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      connect: { lookup: checkedLookup(rules, lookup), timeout: CONNECT_MS },
      allowH2: false,
    });
  }

  /** Rejects with `invalid_value` when the URL or an address that it stands for is refused. */
  readonly send: SendWebhook = async ({ url, headers, body }, signal) => {
    // Rules may have become stricter since the endpoint was made; addresses in URLs are never looked up.
    checkWebhookUrl(url, this.#rules);
    const answer = await request(url, { method: 'POST', headers, body, signal, dispatcher: this.#agent });
    // The status is all that counts: a body that is too long or breaks off changes nothing.
    await answer.body.dump({ limit: ANSWER_BYTES_MAX, signal }).catch(() => {});
    return answer.statusCode;
  };

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
