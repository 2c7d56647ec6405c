export { NodeDaemon, startNodeDaemon } from './daemon.ts';
export { NodeOptionsError, type NodeDaemonOptions } from './options.ts';
