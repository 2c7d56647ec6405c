export { isNetwork, liesIn } from './address-rule.ts';
export { cannotListen } from './cannot-listen.ts';
export { systemClock, wait, type Cancel, type Clock } from './clock.ts';
export { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './durations.ts';
export { endOfTurn } from './end-of-turn.ts';
export { asMeridianError, ERROR_TABLE, MeridianError, type ErrorCode } from './errors.ts';
export { attemptId, requestId, ulid } from './ids.ts';
export { InTurn } from './in-turn.ts';
export { dateOf, epochSeconds, instantMs, instantText, isDate, isTimeZone, localTime, minuteOf, WEEKDAYS, type LocalDay } from './local-time.ts';
export { noLog, type Logger } from './log.ts';
export { costOf, nanoUsdPerMTok, opposite, parseUsd, perMillion, sumOf, usdText, type FemtoUsd, type NanoUsdPerMTok } from './money.ts';
export { nearestName } from './nearest-name.ts';
export { isHigherPriority, isPriority, PRIORITIES, type Priority } from './priority.ts';
export { MetricsRegistry } from './metrics-registry.ts';
export type { Histogram, HistogramPoint, Labels, Metrics, MetricSnapshot, Unit } from './metrics.ts';
export { seededRng, systemRng, type Rng } from './random.ts';
export { NO_LIMITS, type RateLimits } from './rate-limits.ts';
export {
  noTracing,
  type RequestSpan,
  type TracedAttempt,
  type TracedEnd,
  type TracedStart,
  type TracedUsage,
  type Tracing,
} from './tracing.ts';
export { WindowCount } from './window-count.ts';
