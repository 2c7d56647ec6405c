/** The load generator: a process of its own, driven over its IPC channel by `LoadOrder`s. */
import { HeldStreams } from './held-streams.ts';
import type { LoadOrder, LoadReply } from './load-job.ts';
import { runLoad } from './load-run.ts';
import type { Pace } from './pace.ts';

const held = new HeldStreams();

process.on('message', (order: LoadOrder) => {
  obey(order).then(reply, (error: unknown) => reply({ kind: 'failed', message: String(error) }));
});
process.on('disconnect', () => process.exit());

async function obey(order: LoadOrder): Promise<LoadReply> {
  switch (order.kind) {
    case 'run':
      await setPace(order.enginePort, order.job.pace);
      return { kind: 'result', result: await runLoad(order.job, order.targets, order.watched) };
    case 'hold':
      await setPace(order.enginePort, { kind: 'held' });
      await held.growTo(order.streams, order.targets);
      return { kind: 'held', streams: order.streams };
    case 'release':
      held.releaseAll();
      return { kind: 'released' };
  }
}

async function setPace(enginePort: number, pace: Pace): Promise<void> {
  await fetch(`http://127.0.0.1:${enginePort}/mock/pace`, { method: 'POST', body: JSON.stringify(pace) });
}

function reply(answer: LoadReply): void {
  process.send?.(answer);
}
