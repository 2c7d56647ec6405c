import type { Target } from './load-job.ts';

/** Something that stands between client and engines and is measured: a line of the table. */
export interface Row {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** Why it cannot run on this machine and what would help, or undefined. */
  missing(): string | undefined;
  /** Starts it in front of the engines; resolves when it serves. Whoever starts it stops the children in its `workDir`. */
  start(world: World): Promise<RunningRow>;
}

/** What a row finds when it starts. */
export interface World {
  /** One engine on each, on 127.0.0.1; requests shall be spread over all. */
  readonly enginePorts: readonly number[];
  /** An empty directory for configuration, data and logs. */
  readonly workDir: string;
  /** Node programs shall be started so that they can tell their heap. */
  readonly hasProbe: boolean;
}

export interface RunningRow {
  readonly targets: readonly Target[];
  /** The processes whose CPU and memory, with those of their descendants, count as the proxy's. */
  readonly proxyPids: readonly number[];
  /** Processes that would run on the engines' machines; counted apart. */
  readonly nodePids: readonly number[];
  /** Heap and external bytes after a collection, where the proxy can tell. */
  heapBytes?(): Promise<number>;
}
