import { SecretSeal, WebhookDeliverer, WebhookDesk, WebhookSender, type WebhookStore } from '../billing/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger, Rng } from '../core/index.ts';
import { VERSION } from '../version.ts';
import type { Teardown } from './teardown.ts';

interface World {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
}

/** Starts to tell webhook endpoints what happens in the books. */
export function openWebhooks(rules: GatewayConfig['webhooks'], store: WebhookStore, sealKey: Buffer, world: World, teardown: Teardown): WebhookDesk {
  const seal = new SecretSeal(sealKey);
  const sender = teardown.add(new WebhookSender(rules));
  const deliverer = teardown.add(new WebhookDeliverer({ queue: store, send: sender.send, seal, ...world, userAgent: `Meridian/${VERSION}` }));
  return new WebhookDesk({ store, seal, clock: world.clock, rules, wake: () => deliverer.wake() });
}
