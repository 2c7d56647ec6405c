/** What is counted: its metric, and what it means. */
const NAMED = {
  attemptsStarted: ['attempts_started_total', 'Attempts given to the engine.'],
  attemptsCompleted: ['attempts_completed_total', 'Attempts whose answer was whole.'],
  attemptsFailed: ['attempts_failed_total', 'Attempts that failed.'],
  attemptsAborted: ['attempts_aborted_total', 'Attempts that were stopped.'],
  attemptsRefused: ['attempts_refused_total', 'Attempts that were not let in.'],
  promptTokens: ['prompt_tokens_total', 'Prompt tokens of ended attempts.'],
  cachedTokens: ['cached_tokens_total', 'Of them, those that were cached.'],
  completionTokens: ['completion_tokens_total', 'Tokens that were made.'],
  engineStarts: ['engine_starts_total', 'Starts of the engine by this daemon.'],
  engineExits: ['engine_exits_total', 'Ends of it that were not asked for.'],
  loadReports: ['load_reports_total', 'Load reports that were sent.'],
  loadPollsFailed: ['load_polls_failed_total', 'Times the engine did not tell its load.'],
  probesFailed: ['probes_failed_total', 'Health probes that failed.'],
  linksLost: ['links_lost_total', 'Links to gateways that broke.'],
  settlementsDropped: ['settlements_dropped_total', 'Counts that no gateway acknowledged and that had to be forgotten.'],
} as const;

type CounterKey = keyof typeof NAMED;

export const COUNTERS: readonly { readonly key: CounterKey; readonly name: string; readonly help: string }[] = (Object.keys(NAMED) as CounterKey[]).map((key) => {
  const [name, help] = NAMED[key];
  return { key, name, help };
});

/** What the daemon has done since it started: plain numbers, read when somebody asks. */
export type NodeCounters = Record<CounterKey, number>;

export function zeroCounters(): NodeCounters {
  return Object.fromEntries(COUNTERS.map(({ key }) => [key, 0])) as NodeCounters;
}
