import type { RankOptions, RouterOptions } from '../../src/balancer/index.ts';

/** Without exploration, so that a test sees only what it asks for. */
export const RANK_OPTIONS: RankOptions & Pick<RouterOptions, 'othersWeight'> = {
  rttMs: 100,
  queuedTokens: 20_000,
  loadStaleMs: 5_000,
  kvBarrierMs: 20,
  decodeWeight: 0.05,
  tpotTargetMs: 50,
  retryCostMs: 2_000,
  othersWeight: 0,
  regionPriceMs: new Map(),
  homeRegion: 'here',
  awayMs: 0,
  tieMs: 2,
  stickyShare: 0.05,
  stickyMs: 30,
  exploreShare: 0,
  candidatesMax: 8,
};
