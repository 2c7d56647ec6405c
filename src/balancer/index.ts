export type { CostTerms } from './cost.ts';
export { ExpectedOutput } from './expected-output.ts';
export { PrefixIndex } from './prefix-index.ts';
export { rank, type Candidate, type RankOptions, type Ranking } from './rank.ts';
export { RoutedAttempt } from './routed-attempt.ts';
export { Router, type Placement, type Route, type RouterOptions, type SharedSessions } from './router.ts';
export { TokenRatio } from './token-ratio.ts';
