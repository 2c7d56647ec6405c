export { CANARY_DEFAULTS } from '../engine/index.ts';
export { NodeDaemon, startNodeDaemon } from './daemon.ts';
export { LINK_DEFAULTS, NodeOptionsError, type NodeCredentials, type NodeDaemonOptions } from './options.ts';
