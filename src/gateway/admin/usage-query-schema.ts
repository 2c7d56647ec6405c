import { Type, type Static } from 'typebox';
import type { Grain, UsageDimension, UsageQuery } from '../../billing/index.ts';
import { MeridianError } from '../../core/index.ts';

/** How wide a bucket is, and how many of them a page has: without a word, and at the most. */
const WIDTHS = {
  '1m': { grain: 'minute', ms: 60_000, limit: 60, limitMax: 1_440 },
  '1h': { grain: 'hour', ms: 3_600_000, limit: 24, limitMax: 168 },
  '1d': { grain: 'day', ms: 86_400_000, limit: 7, limitMax: 180 },
} as const satisfies Record<string, { grain: Grain; ms: number; limit: number; limitMax: number }>;

const END_OF_9999_S = 253_402_300_799;
const Time = Type.Integer({ minimum: 0, maximum: END_OF_9999_S });
const Ids = (what: string) => Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 1_000, description: what }));

const TIME_AND_PAGE = {
  start_time: Type.Integer({ ...Time, description: 'Seconds since the epoch. The bucket that it lies in is the first.' }),
  end_time: Type.Optional(Type.Integer({ ...Time, description: 'Seconds since the epoch, not part of it. Now, without it.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_440, description: 'Buckets to a page.' })),
  page: Type.Optional(Type.String({ description: '`next_page` of the page before.' })),
  project_ids: Ids('Only these projects.'),
  api_key_ids: Ids('Only these API keys.'),
};

const groupBy = (names: readonly string[]) => Type.Optional(Type.Array(Type.Enum([...names]), { description: `Any of ${names.join(', ')}.` }));

/** `batch` is the service tier of that name. */
export const CompletionsQuery = Type.Object(
  {
    ...TIME_AND_PAGE,
    bucket_width: Type.Optional(Type.Enum(['1m', '1h', '1d'], { description: '1d without it.' })),
    group_by: groupBy(['project_id', 'user_id', 'api_key_id', 'model', 'batch', 'service_tier', 'organization_id']),
    models: Ids('Only these models.'),
    user_ids: Ids('Users are not told apart here: nothing is found.'),
    batch: Type.Optional(Type.Boolean({ description: 'Only requests of the batch class, or only others.' })),
  },
  { additionalProperties: false },
);

export const EmbeddingsQuery = Type.Object(
  {
    ...TIME_AND_PAGE,
    bucket_width: Type.Optional(Type.Enum(['1m', '1h', '1d'], { description: '1d without it.' })),
    group_by: groupBy(['project_id', 'user_id', 'api_key_id', 'model', 'organization_id']),
    models: Ids('Only these models.'),
    user_ids: Ids('Users are not told apart here: nothing is found.'),
  },
  { additionalProperties: false },
);

export const CostsQuery = Type.Object(
  {
    ...TIME_AND_PAGE,
    bucket_width: Type.Optional(Type.Enum(['1d'], { description: 'Days only.' })),
    group_by: groupBy(['project_id', 'user_id', 'api_key_id', 'line_item', 'organization_id']),
    line_items: Ids('Only these lines, as `deepseek-v3, output_tokens`.'),
  },
  { additionalProperties: false },
);

type TimeQuery = Pick<Static<typeof CompletionsQuery>, 'start_time' | 'end_time' | 'limit' | 'page' | 'bucket_width'>;

/** The buckets of one page. */
export interface Buckets extends Pick<UsageQuery, 'fromMs' | 'toMs' | 'grain'> {
  readonly widthMs: number;
  /** Where the next page begins; null on the last one. */
  readonly nextPage: string | null;
}

const PAGE = /^page_(\d{1,12})$/;

/** Throws `invalid_value` that names what is wrong. */
export function bucketsOf({ start_time: start, end_time: end, limit, page, bucket_width: width = '1d' }: TimeQuery, nowMs: number): Buckets {
  const { grain, ms, limit: usual, limitMax } = WIDTHS[width as keyof typeof WIDTHS];
  if (limit !== undefined && limit > limitMax) throw wrong('limit', `must be at most ${limitMax} for buckets of ${width}, but is ${limit}`);
  const endMs = end === undefined ? nowMs : end * 1_000;
  if (end !== undefined && end <= start) throw wrong('end_time', `must be after start_time, which is ${start}, but is ${end}`);
  const firstMs = floor(start * 1_000, ms);
  const fromMs = page === undefined ? firstMs : pageStart(page, firstMs, ms);
  const lastMs = ceil(Math.max(endMs, fromMs), ms);
  const toMs = Math.min(lastMs, fromMs + (limit ?? usual) * ms);
  return { fromMs, toMs, grain, widthMs: ms, nextPage: toMs < lastMs ? `page_${toMs / 1_000}` : null };
}

/** The ledger's dimensions, for those names that it knows. */
export const DIMENSIONS: Readonly<Record<string, UsageDimension>> = {
  project_id: 'project',
  api_key_id: 'keyId',
  model: 'model',
  service_tier: 'tier',
  batch: 'tier',
  organization_id: 'organization',
};

function pageStart(page: string, firstMs: number, widthMs: number): number {
  const startMs = Number(PAGE.exec(page)?.[1] ?? Number.NaN) * 1_000;
  if (startMs >= firstMs && startMs % widthMs === 0) return startMs;
  throw wrong('page', `must be the next_page of the page before, but is '${page.slice(0, 100)}'`);
}

function floor(atMs: number, widthMs: number): number {
  return atMs - (atMs % widthMs);
}

function ceil(atMs: number, widthMs: number): number {
  return floor(atMs + widthMs - 1, widthMs);
}

function wrong(param: string, what: string): MeridianError {
  return new MeridianError('invalid_value', { param, message: `Invalid value for '${param}': it ${what}.` });
}
