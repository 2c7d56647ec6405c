import { wait, type Clock } from '../../src/core/index.ts';
import type { Direction } from './fault-line.ts';
import type { FaultProxy } from './fault-proxy.ts';

/** One thing to do, when so much time has passed or so many bytes have, whichever is named. */
export type Step = ({ readonly atMs: number } | { readonly direction: Direction; readonly afterBytes: number }) & {
  readonly act: (proxy: FaultProxy) => void | Promise<void>;
};

/**
 * Plays steps by time, counted from now, and by the bytes that the proxy has passed in all. Resolves when all are done;
 * rejects when the proxy is closed while a step waits for bytes.
 */
export async function playScript(proxy: FaultProxy, steps: readonly Step[], clock: Clock): Promise<void> {
  await Promise.all(
    steps.map(async (step) => {
      await ('atMs' in step ? wait(clock, step.atMs) : proxy.passed(step.direction, step.afterBytes));
      await step.act(proxy);
    }),
  );
}
