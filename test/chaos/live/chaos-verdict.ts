import type { AttemptRecord } from '../../../src/sim/index.ts';
import type { Goal } from '../../../bench/goal.ts';
import { percentile } from '../../../bench/statistics.ts';
import type { ShownRecord } from '../../support/usage-truth.ts';
import type { AskedRequest } from './chaos-load.ts';
import type { PlannedFault } from './chaos-plan.ts';

/** All that a run left behind. Times in milliseconds since its start. */
export interface ChaosRun {
  readonly faults: readonly PlannedFault[];
  readonly nodes: readonly { readonly id: string; readonly region: string }[];
  readonly asked: readonly AskedRequest[];
  readonly records: readonly ChaosRecord[];
  /** What engines made, by attempt, and when its end was seen. */
  readonly made: ReadonlyMap<string, { readonly record: AttemptRecord; readonly endedMs: number }>;
  readonly drain: { readonly streams: number; readonly truncated: number };
}

/** A usage record with the time at which its request was admitted. */
export interface ChaosRecord extends ShownRecord {
  readonly admittedMs: number;
}

export interface Verdict {
  readonly goals: readonly Goal[];
  /** What must never be: each is a reason to fail. */
  readonly wrongs: readonly string[];
}

export function chaosVerdict(run: ChaosRun): Verdict {
  const byId = new Map(run.records.map((record) => [record.id, record]));
  return {
    goals: [...successGoals(run, byId), failFastGoal(run), ...timeGoals(run, byId), abortGoal(run), drainGoal(run), billingGoal(run, byId)],
    wrongs: [...wrongAnswers(run), ...wrongCharges(run, byId)],
  };
}

function wrongAnswers({ asked, drain }: ChaosRun): string[] {
  const wrongs = asked.filter(({ end }) => end === 'wrong' || end === 'truncated').map(({ id, end }) => `answer of ${id} was ${end === 'wrong' ? 'not what its seed makes' : 'cut without an error'}`);
  return drain.truncated > 0 ? [...wrongs, `${drain.truncated} streams were cut by a drain`] : wrongs;
}

function wrongCharges({ asked, records, made }: ChaosRun, byId: ReadonlyMap<string, ChaosRecord>): string[] {
  const wrongs: string[] = [];
  if (byId.size !== records.length) wrongs.push(`${records.length - byId.size} requests have two records`);
  for (const { id, end, expectedTokens } of asked) {
    if (end !== 'whole') continue;
    const record = byId.get(id);
    if (record === undefined) wrongs.push(`${id} was answered and not charged`);
    else if (record.usage.completion_tokens !== expectedTokens) wrongs.push(`${id} has ${expectedTokens} tokens and was charged ${record.usage.completion_tokens}`);
  }
  for (const { id, usage, attempts } of records) {
    const most = attempts.reduce((sum, attempt) => sum + (made.get(attempt.id)?.record.completion ?? attempt.usage?.completion_tokens ?? 0), 0);
    if (usage.completion_tokens > most) wrongs.push(`${id} was charged ${usage.completion_tokens} tokens, and its engines made ${most}`);
  }
  return wrongs;
}

type Attempt = ChaosRecord['attempts'][number];

const failedBeforeFirst = ({ outcome, ttft_ms: ttftMs, resumed_tokens: resumed }: Attempt): boolean => outcome === 'failed' && ttftMs === null && resumed === 0;
const lostInMid = ({ outcome, ttft_ms: ttftMs }: Attempt): boolean => outcome === 'failed' && ttftMs !== null;

function successGoals({ asked }: ChaosRun, byId: ReadonlyMap<string, ChaosRecord>): Goal[] {
  const stayed = asked.filter(({ end }) => end !== 'left');
  const attemptsOf = ({ id }: AskedRequest): readonly Attempt[] => byId.get(id)?.attempts ?? [];
  const lost = (request: AskedRequest): number => (request.isStreamed ? attemptsOf(request).filter(lostInMid).length : 0);
  const before = stayed.filter((request) => lost(request) === 0 && attemptsOf(request).some(failedBeforeFirst));
  const twice = stayed.filter((request) => lost(request) > 1);
  return [
    share('all requests: answered whole', stayed, 0.99),
    share('an attempt failed before the first byte: answered whole', before, 0.999),
    share('a replica was lost in mid-stream: answered whole, as undisturbed', stayed.filter((request) => lost(request) === 1), 0.99),
    { what: 'a second replica was lost in mid-stream: ended in an error event', bound: '—', reached: String(twice.length), isMet: null },
  ];
}

function share(what: string, requests: readonly AskedRequest[], bound: number): Goal {
  const whole = requests.filter(({ end }) => end === 'whole').length;
  const reached = requests.length === 0 ? Number.NaN : whole / requests.length;
  return { what, bound: `≥ ${percent(bound)}`, reached: `${percent(reached)} (${whole} of ${requests.length})`, isMet: requests.length === 0 ? null : reached >= bound };
}

/** Attempts that began in the time of a fault, after its first two seconds. */
function failFastGoal({ faults, nodes, records }: ChaosRun): Goal {
  let there = 0;
  let all = 0;
  for (const { kind, place, fromMs, toMs } of faults) {
    if (kind !== 'fail-fast') continue;
    for (const { admittedMs, attempts } of records) {
      for (const { replica, started_ms: startedMs } of attempts) {
        const atMs = admittedMs + startedMs;
        if (atMs < fromMs + 2_000 || atMs > toMs) continue;
        all += 1;
        if (replica === nodes[place]?.id) there += 1;
      }
    }
  }
  const reached = all === 0 ? Number.NaN : there / all;
  return { what: 'traffic of a node that fails fast, from 2 s on', bound: '≤ 1 %', reached: `${percent(reached)} (${there} of ${all})`, isMet: all === 0 ? null : reached <= 0.01 };
}

function timeGoals({ asked, faults, nodes, records }: ChaosRun, byId: ReadonlyMap<string, ChaosRecord>): Goal[] {
  const resumed = asked.filter(({ id, end }) => end === 'whole' && byId.get(id)?.attempts.some(({ resumed_tokens: tokens }) => tokens > 0));
  const longestMs = Math.max(0, ...resumed.map(({ longestGapMs }) => longestGapMs));
  let late = 0;
  let losses = 0;
  for (const { kind, place, fromMs, toMs } of faults) {
    if (kind !== 'lose-region') continue;
    losses += 1;
    const region = [...new Set(nodes.map((node) => node.region))][place];
    for (const { admittedMs, attempts } of records) {
      late += attempts.filter(({ region: there, started_ms: startedMs }) => there === region && admittedMs + startedMs > fromMs + 3_000 && admittedMs + startedMs < toMs).length;
    }
  }
  return [
    { what: 'longest silence in an answer that went on elsewhere', bound: '≤ 17 s', reached: `${(longestMs / 1_000).toFixed(1)} s`, isMet: resumed.length === 0 ? null : longestMs <= 17_000 },
    { what: `attempts in a lost region from 3 s on (${losses} losses)`, bound: '0', reached: String(late), isMet: losses === 0 ? null : late === 0 },
  ];
}

function abortGoal({ asked, records, made }: ChaosRun): Goal {
  const delays: number[] = [];
  for (const { id, end, endedMs } of asked) {
    if (end !== 'left') continue;
    const last = records.find((record) => record.id === id)?.attempts.at(-1);
    const ended = last === undefined ? undefined : made.get(last.id);
    if (ended?.record.outcome === 'aborted') delays.push(Math.max(0, ended.endedMs - endedMs));
  }
  const p99 = percentile(delays, 0.99);
  return { what: 'client gone to engine aborted, p99', bound: '≤ 250 ms', reached: `${p99.toFixed(0)} ms (${delays.length} clients)`, isMet: delays.length < 10 ? null : p99 <= 250 };
}

function drainGoal({ drain: { streams, truncated } }: ChaosRun): Goal {
  return { what: 'streams cut by SIGTERM to the gateway', bound: '0', reached: `${truncated} of ${streams}`, isMet: streams === 0 ? null : truncated === 0 };
}

function billingGoal({ asked }: ChaosRun, byId: ReadonlyMap<string, ChaosRecord>): Goal {
  const whole = asked.filter(({ end }) => end === 'whole');
  const error = whole.reduce((sum, { id, expectedTokens }) => sum + Math.abs((byId.get(id)?.usage.completion_tokens ?? 0) - expectedTokens), 0);
  const charged = whole.reduce((sum, { expectedTokens }) => sum + expectedTokens, 0);
  return { what: 'tokens charged beyond or below what was delivered', bound: '0', reached: `${error} of ${charged}`, isMet: error === 0 };
}

function percent(share_: number): string {
  return Number.isNaN(share_) ? '—' : `${(share_ * 100).toFixed(2)} %`;
}
