import type { Clock, Logger, Rng } from '../core/index.ts';
import type { NodeCounters } from './counters.ts';
import { EngineProcess } from './engine-process.ts';
import type { EngineWatch } from './engine-watch.ts';
import type { EngineOptions } from './options.ts';

export interface ProcessWorld {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
}

/** The engine's process as the options want it, its starts and ends counted and told to `watch`; null when something else runs the engine. */
export function makeProcess({ command, cwd, env, restart }: EngineOptions, stopGraceMs: number, counters: NodeCounters, watch: EngineWatch, world: ProcessWorld): EngineProcess | null {
  if (command === undefined) return null;
  return new EngineProcess({ command, cwd, env, restart, stopGraceMs }, world, {
    onStarted: () => {
      counters.engineStarts += 1;
      watch.processStarted();
    },
    onExited: (reason) => {
      counters.engineExits += 1;
      watch.processExited(reason);
    },
  });
}
