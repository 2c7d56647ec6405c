import closeWithGrace from 'close-with-grace';
import { systemClock, type Logger } from '../core/index.ts';

/** Signals that mean something else than to stop, and what. */
export type OtherSignals = Partial<Readonly<Record<'SIGHUP' | 'SIGUSR2', () => void>>>;

/** The longest that Node's timers hold: what `graceMs` says is looked at when it begins, and this keeps the process alive meanwhile. */
const ALIVE_MS = 0x7fff_ffff;

/**
 * Resolves with the exit code once the process was asked to stop and `stop` is done. A second signal, or `graceMs` more
 * than was asked for, ends it at once.
 */
export function untilStopped(graceMs: () => number, log: Logger, stop: () => Promise<void>, others: OtherSignals = {}): Promise<number> {
  const listening = Object.entries(others) as [keyof OtherSignals, () => void][];
  for (const [signal, act] of listening) process.on(signal, act);
  return new Promise((resolve) => {
    const grace = closeWithGrace({ delay: ALIVE_MS, logger: false, skip: listening.map(([signal]) => signal) }, async ({ signal, err }) => {
      if (err !== undefined) log.error({ error: err }, 'stopping after an error nobody caught');
      else log.info({ signal }, 'stopping');
      const cancel = systemClock.after(graceMs(), () => process.exit(1));
      await stop();
      cancel();
      grace.uninstall();
      resolve(err === undefined ? 0 : 1);
    });
  });
}
