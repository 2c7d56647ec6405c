export { NodeDaemon, startNodeDaemon } from './daemon.ts';
export { LINK_DEFAULTS, NodeOptionsError, type NodeDaemonOptions } from './options.ts';
