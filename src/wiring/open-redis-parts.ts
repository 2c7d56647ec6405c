import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import { ChangeBus, GuardedRedis, openRedis, SessionPlaces } from '../redis/index.ts';
import type { Changes } from './changes.ts';
import type { Teardown } from './teardown.ts';

/** What gateways share from second to second. */
export interface RedisParts {
  readonly redis: GuardedRedis;
  readonly keyPrefix: string;
  readonly bus: ChangeBus;
  readonly sessions: SessionPlaces;
  /** `act` gives back what is not needed here of a pot that another gateway has too little of. */
  onRecall(act: (pot: string) => void): void;
}

const RECALL = 'recall ';

/** Null without Redis. Rejects with `conflict` for what no waiting mends. */
export async function openRedisParts(settings: GatewayConfig['redis'], changes: Changes, { clock, log }: { readonly clock: Clock; readonly log: Logger }, teardown: Teardown): Promise<RedisParts | null> {
  if (settings === undefined) return null;
  const { keyPrefix } = settings;
  const redis = teardown.add(new GuardedRedis({ client: await openRedis(settings, log), clock, log }));
  const recalls: ((pot: string) => void)[] = [];
  const onNews = (what: string): void => {
    if (what.startsWith(RECALL)) for (const act of recalls) act(what.slice(RECALL.length));
    else void changes.told(what);
  };
  const bus = teardown.add(new ChangeBus({ redis, keyPrefix, clock, onNews, onGap: () => void changes.look() }));
  changes.publish = (what) => bus.publish(what);
  return { redis, keyPrefix, bus, sessions: new SessionPlaces({ redis, keyPrefix }), onRecall: (act) => recalls.push(act) };
}

/** Asks other gateways to give back what they do not need of a pot. */
export function recallFrom(parts: RedisParts | null, pot: string): void {
  parts?.bus.publish(`${RECALL}${pot}`);
}
