import { sql, type AliasedRawBuilder } from 'kysely';
import { costOf, nanoUsdPerMTok } from '../../core/index.ts';
import type { Charge } from '../prices/charge.ts';
import type { MeterRow } from './ledger-tables.ts';

/** Sums over events; `cached` is part of `prompt`, `reasoning` of `completion`. */
export interface TokenSums {
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly reasoning_tokens: number;
}

export const NO_TOKENS: TokenSums = { requests: 0, prompt_tokens: 0, cached_tokens: 0, completion_tokens: 0, reasoning_tokens: 0 };

const COLUMNS = ['requests', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'reasoning_tokens'] as const;

/** What a query selects to have them summed over its rows of `table`. */
export function sumsOf(table: 'events' | 'events_ever' | 'rollups'): AliasedRawBuilder<number, keyof TokenSums>[] {
  return COLUMNS.map((column) => sql<number>`cast(sum(${sql.ref(`${table}.${column}`)}) as bigint)`.as(column));
}

export function addTokens(a: TokenSums, b: TokenSums): TokenSums {
  return {
    requests: a.requests + b.requests,
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    cached_tokens: a.cached_tokens + b.cached_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
    reasoning_tokens: a.reasoning_tokens + b.reasoning_tokens,
  };
}

/** What the events of a meter cost in all: a price times a sum is the sum of the prices, exactly. */
export function chargeOfSums({ prompt_tokens: prompt, cached_tokens: cached, completion_tokens: completion }: TokenSums, meter: MeterPrices): Charge {
  return {
    input: costOf(prompt - cached, nanoUsdPerMTok(meter.price_input)),
    inputCached: costOf(cached, nanoUsdPerMTok(meter.price_input_cached)),
    output: costOf(completion, nanoUsdPerMTok(meter.price_output)),
  };
}

export type MeterPrices = Pick<MeterRow, 'price_input' | 'price_input_cached' | 'price_output'>;
