import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { BenchSetting, Cell, CellResult } from './cell.ts';

/** Runs all cells on as many threads as there are cores; results in the order of `cells`. */
export async function runCells(setting: BenchSetting, cells: readonly Cell[], onDone: (done: number) => void): Promise<CellResult[]> {
  const results: CellResult[] = [];
  let next = 0;
  let done = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./cell-worker.ts', import.meta.url), { workerData: setting });
      let at = -1;
      const give = (): void => {
        at = next;
        next += 1;
        const cell = cells[at];
        if (cell !== undefined) return worker.postMessage(cell);
        void worker.terminate();
        resolve();
      };
      worker.on('error', reject);
      worker.on('message', (result: CellResult) => {
        results[at] = result;
        done += 1;
        onDone(done);
        give();
      });
      give();
    });
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), cells.length) }, work));
  return results;
}
