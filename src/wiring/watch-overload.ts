import { getHeapStatistics } from 'node:v8';
import { Overload, type OverloadOptions } from '../admission/index.ts';
import type { Clock } from '../core/index.ts';
import type { Teardown } from './teardown.ts';

const LOOK_MS = 50;

/** Looks now and then at how late timers fire and how full the heap is. */
export function watchOverload(options: OverloadOptions, clock: Clock, teardown: Teardown): Overload {
  const overload = new Overload(options);
  let dueMs = clock.now() + LOOK_MS;
  const stop = clock.every(LOOK_MS, () => {
    const now = clock.now();
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    overload.saw({ delayMs: Math.max(0, now - dueMs), heapShare: used / limit }, now);
    dueMs = now + LOOK_MS;
  });
  teardown.add({ close: stop });
  return overload;
}
