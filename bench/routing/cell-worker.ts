import { parentPort, workerData } from 'node:worker_threads';
import { benchWorkload, runCell, type BenchSetting, type Cell } from './cell.ts';

/** A thread that runs the cells it is given, one after the other. */
const setting = workerData as BenchSetting;
const workload = benchWorkload(setting);
parentPort?.on('message', (cell: Cell) => parentPort?.postMessage(runCell(setting, workload, cell)));
