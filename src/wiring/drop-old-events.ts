import type { LedgerService } from '../billing/index.ts';
import { DAY_MS, type Clock, type Logger } from '../core/index.ts';
import type { Shared } from './open-shared.ts';
import type { Teardown } from './teardown.ts';

/** At the start and once a day, drops single events that are older than the configuration keeps them. */
export function dropOldEvents(ledger: LedgerService, { postgres }: Shared, { clock, log }: { readonly clock: Clock; readonly log: Logger }, teardown: Teardown): void {
  const { eventsKeptMonths } = postgres;
  if (eventsKeptMonths === 0) return;
  const drop = async (): Promise<void> => {
    try {
      const months = await ledger.dropOldEvents(eventsKeptMonths, clock.wallMs());
      if (months.length > 0) log.info({ months }, 'single events of old months were dropped; what they sum to is kept');
    } catch (error) {
      log.warn({ error: String(error) }, 'single events of old months could not be dropped; it is tried again tomorrow');
    }
  };
  void drop();
  teardown.add({ close: clock.every(DAY_MS, () => void drop()) });
}
