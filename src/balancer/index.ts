export { costTerms, totalMs, type ReplicaSnapshot } from './cost.ts';
export { rank, type Candidate, type RankOptions } from './rank.ts';
export { TokenRatio } from './token-ratio.ts';
