import { BLOCK_TOKENS, chained, inOrder, type FleetRequest, type Workload } from '../../src/sim/index.ts';
import type { TraceRow } from './trace-row.ts';

/** Requests of different organisations share no cache, yet traces name none: sessions are spread over this many. */
const ORGANIZATIONS = 20;

interface Turn {
  readonly row: TraceRow;
  readonly session: number;
  /** The next request of the same conversation, if there is one. */
  next: TraceRow | null;
}

/**
 * Makes a trace into a workload. Traces name neither sessions nor answers, so both are inferred from what prompts share: a
 * request goes on with the conversation of the newest request whose whole prompt, but for its last block, it begins with; the
 * blocks that the next turn adds are, as far as the answer is long, those of the answer.
 */
export function traceWorkload(about: string, rows: readonly TraceRow[], regions: readonly string[]): Workload {
  const sorted = [...rows].sort((a, b) => a.arrivalMs - b.arrivalMs);
  const turns = turnsOf(sorted);
  const found = turns.map(({ row, session, next }, i): { request: Omit<FleetRequest, 'index'>; home: string } => ({
    request: {
      arrivalMs: row.arrivalMs - (sorted[0]?.arrivalMs ?? 0),
      organization: `org-${(Math.imul(session, 0x9e3779b1) >>> 0) % ORGANIZATIONS}`,
      session: `s${session}`,
      promptTokens: row.promptTokens,
      outputTokens: row.outputTokens,
      chain: row.chain,
      answeredChain: answered(row, next, i),
      tokensPerBlock: BLOCK_TOKENS,
      regions: null,
      priority: 'standard',
    },
    home: regions[(Math.imul(session, 0x85ebca6b) >>> 8) % regions.length] ?? '',
  }));
  return inOrder(about, found);
}

/** The shortest prefix that makes a conversation: below it, prompts share no more than a system prompt. */
const COMMON_BLOCKS = 2;

function turnsOf(sorted: readonly TraceRow[]): Turn[] {
  const lastWith = new Map<number, Turn>();
  let sessions = 0;
  return sorted.map((row) => {
    const blocks = row.chain.length / 2;
    let before: Turn | null = null;
    for (let block = blocks - 1; block >= COMMON_BLOCKS && before === null; block -= 1) {
      const turn = lastWith.get(keyOf(row.chain, block));
      // It goes on with that turn if it holds all of that prompt's blocks but the last.
      if (turn !== undefined && turn.row.chain.length / 2 <= block + 2) before = turn;
    }
    if (before === null) sessions += 1;
    const turn: Turn = { row, session: before?.session ?? sessions, next: null };
    if (before !== null) before.next ??= row;
    if (blocks > 0) lastWith.set(keyOf(row.chain, blocks - 1), turn);
    if (blocks > 1) lastWith.set(keyOf(row.chain, blocks - 2), turn);
    return turn;
  });
}

/** The blocks of prompt and answer: those of the next turn where there is one, else blocks nobody else has. */
function answered({ chain, promptTokens, outputTokens }: TraceRow, next: TraceRow | null, index: number): Uint32Array {
  const blocks = Math.floor((promptTokens + outputTokens) / BLOCK_TOKENS);
  const words = new Uint32Array(blocks * 2);
  const known = next === null ? chain : next.chain.subarray(0, words.length);
  words.set(known.subarray(0, words.length));
  let [low, high] = known.length < 2 ? [index, 0] : [known[known.length - 2] ?? 0, known[known.length - 1] ?? 0];
  for (let at = known.length; at < words.length; at += 2) {
    [low, high] = chained(low, high, index + 1);
    words[at] = low;
    words[at + 1] = high;
  }
  return words;
}

function keyOf(chain: Uint32Array, block: number): number {
  return (chain[2 * block + 1] ?? 0) * 0x1_0000_0000 + (chain[2 * block] ?? 0);
}
