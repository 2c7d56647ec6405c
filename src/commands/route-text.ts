/** What of the admin API's route is shown. */
export interface ShownRoute {
  readonly request_id: string;
  readonly model: string;
  readonly prompt_tokens: number;
  readonly output_tokens: number;
  readonly held_ms: number;
  readonly attempts: readonly ShownAttempt[];
}

interface ShownAttempt {
  readonly replica: string;
  readonly chosen_by: string;
  readonly resumed: { readonly tokens: number; readonly by: string } | null;
  readonly outcome: string | null;
  readonly predicted_ttft_ms: number | null;
  readonly actual_ttft_ms: number | null;
  readonly predicted_cached_tokens: number | null;
  readonly actual_cached_tokens: number | null;
  readonly candidates: readonly ShownCandidate[];
}

interface ShownCandidate {
  readonly replica: string;
  readonly region: string;
  readonly cost_ms: number;
  readonly cached_tokens: number;
  readonly terms: Readonly<Record<string, number>>;
}

const BAR_CELLS = 24;
/** One letter for each term in the bar, in the order of the columns. */
const TERMS = [
  ['rtt_ms', 'rtt', 'r'],
  ['queue_ms', 'queue', 'q'],
  ['prefill_ms', 'prefill', 'p'],
  ['others_ms', 'others', 'o'],
  ['kv_ms', 'kv', 'k'],
  ['decode_ms', 'decode', 'd'],
  ['ramp_ms', 'ramp', 's'],
  ['failure_ms', 'failure', 'f'],
  ['price_ms', 'price', '$'],
] as const;

/** A route for people: a table of the candidates of each attempt with a bar of what their cost is made of. */
export function routeText(route: ShownRoute): string {
  const held = route.held_ms > 0 ? `, held ${Math.round(route.held_ms)} ms at the edge` : '';
  const head = `${route.request_id}: ${route.model}, about ${route.prompt_tokens} prompt tokens, ${route.output_tokens} expected${held}\n`;
  return head + route.attempts.map((attempt, i) => `\n${attemptText(attempt, i + 1)}`).join('');
}

function attemptText(attempt: ShownAttempt, number: number): string {
  const lines = [
    `attempt ${number} went to ${attempt.replica} (by ${attempt.chosen_by}): ${attempt.outcome ?? 'under way'}`,
    ...(attempt.resumed === null ? [] : [`  went on with the answer after ${attempt.resumed.tokens} tokens, from their ${attempt.resumed.by === 'tokens' ? 'ids' : 'text'}`]),
    `  first token: predicted ${amount(attempt.predicted_ttft_ms)} ms, actual ${amount(attempt.actual_ttft_ms)} ms`,
    `  cached tokens: predicted ${amount(attempt.predicted_cached_tokens)}, actual ${amount(attempt.actual_cached_tokens)}`,
    '',
  ];
  const dearest = Math.max(...attempt.candidates.map(({ cost_ms: costMs }) => costMs));
  const header = ['', 'replica', 'region', 'cost ms', 'cached', ...TERMS.map(([, name]) => name), ''];
  const rows = attempt.candidates.map((candidate) => [
    candidate.replica === attempt.replica ? '→' : '',
    candidate.replica,
    candidate.region,
    amount(candidate.cost_ms),
    amount(candidate.cached_tokens),
    ...TERMS.map(([key]) => amount(candidate.terms[key] ?? 0)),
    bar(candidate, dearest),
  ]);
  return [...lines, ...table([header, ...rows]), ''].join('\n');
}

/** Cells in proportion to the dearest candidate, a letter per term. */
function bar({ terms }: ShownCandidate, dearestMs: number): string {
  let text = '';
  let sumMs = 0;
  for (const [key, , letter] of TERMS) {
    sumMs += terms[key] ?? 0;
    text += letter.repeat(Math.max(0, Math.round((sumMs / dearestMs) * BAR_CELLS) - text.length));
  }
  return text;
}

function amount(value: number | null): string {
  if (value === null) return '—';
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/** Names to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => (column > 2 && column < row.length - 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join('  ')}`.trimEnd(),
  );
}
