import type { SimEngine } from '../../src/sim/index.ts';
import type { TestFleet } from './test-fleet.ts';
import { until } from './until.ts';

export interface CountedUsage {
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
}

/** A usage record as the admin API shows it. */
export interface ShownRecord {
  readonly id: string;
  readonly outcome: string;
  readonly status: number;
  readonly error_code: string | null;
  readonly streamed: boolean;
  readonly source: string;
  readonly estimated: boolean;
  readonly usage: CountedUsage;
  readonly charged_attempt: string | null;
  readonly attempts: readonly {
    readonly id: string;
    readonly replica: string;
    readonly region: string;
    readonly started_ms: number;
    readonly outcome: string;
    readonly resumed_tokens: number;
    readonly error_code: string | null;
    readonly ttft_ms: number | null;
    readonly usage: CountedUsage | null;
    readonly source: string;
  }[];
  readonly adjustments: readonly { readonly attempt_id: string; readonly outcome: string; readonly usage: CountedUsage }[];
}

/** What an engine says it made for one attempt. */
export interface EngineTruth {
  readonly rid: string;
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly outcome: 'finished' | 'aborted' | 'failed';
}

type Admin = Pick<TestFleet, 'admin'>;

/** Every record the gateway has. */
export async function allRecords({ admin }: Admin): Promise<ShownRecord[]> {
  const records: ShownRecord[] = [];
  for (;;) {
    const after = records.length === 0 ? '' : `&after=${records.at(-1)?.id}`;
    const { json } = await admin('GET', `/admin/v1/requests?limit=500${after}`);
    records.push(...(json['data'] as ShownRecord[]));
    if (json['has_more'] !== true) return records;
  }
}

/** The record of one request, once it is there. */
export async function recordOf({ admin }: Admin, requestId: string): Promise<ShownRecord> {
  let found: Record<string, unknown> | null = null;
  await until(async () => {
    const { status, json } = await admin('GET', `/admin/v1/requests/${requestId}`);
    if (status === 200) found = json;
    return found !== null;
  }, `request ${requestId} is settled`);
  return found as unknown as ShownRecord;
}

/** What the engines say they made, by attempt id, once they are at rest. */
export async function engineTruth(engines: readonly Pick<SimEngine, 'url'>[]): Promise<Map<string, EngineTruth>> {
  const truth = new Map<string, EngineTruth>();
  for (const { url } of engines) {
    let page: { running: number; data: EngineTruth[] } = { running: 1, data: [] };
    await until(async () => {
      page = (await (await fetch(`${url}/sim/requests?limit=100000`)).json()) as typeof page;
      return page.running === 0;
    }, `the engine at ${url} is at rest`);
    for (const record of page.data) truth.set(record.rid, record);
  }
  return truth;
}

/** An engine's record in the gateway's terms. */
export function asUsage(truth: EngineTruth | undefined): Pick<CountedUsage, 'prompt_tokens' | 'cached_tokens' | 'completion_tokens'> {
  return {
    prompt_tokens: truth?.prompt ?? 0,
    cached_tokens: truth?.cached ?? 0,
    completion_tokens: truth?.completion ?? 0,
  };
}
