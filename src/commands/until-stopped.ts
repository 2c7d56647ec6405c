import closeWithGrace from 'close-with-grace';
import type { Logger } from '../core/index.ts';

/**
 * Resolves with the exit code once the process was asked to stop and `stop` is done. A second signal, or `graceMs` more
 * than was asked for, ends it at once. SIGHUP and SIGUSR2 are for whoever listens to them: to reload, to restart.
 */
export function untilStopped(graceMs: number, log: Logger, stop: () => Promise<void>): Promise<number> {
  return new Promise((resolve) => {
    const grace = closeWithGrace({ delay: graceMs, logger: false, skip: ['SIGHUP', 'SIGUSR2'] }, async ({ signal, err }) => {
      if (err !== undefined) log.error({ error: err }, 'stopping after an error nobody caught');
      else log.info({ signal }, 'stopping');
      await stop();
      grace.uninstall();
      resolve(err === undefined ? 0 : 1);
    });
  });
}
