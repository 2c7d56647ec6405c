import { isObject, SimHttpError, type JsonObject } from './http-json.ts';

/** What can go wrong with one request. `afterTokens` counts the answer's tokens, over all its choices. */
export type RequestFaultKind =
  | { readonly kind: 'refuse' }
  | { readonly kind: 'error503' }
  | { readonly kind: 'error429' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'stall'; readonly afterTokens: number }
  | { readonly kind: 'reset'; readonly afterTokens: number }
  | { readonly kind: 'truncate'; readonly afterTokens: number }
  | { readonly kind: 'midError'; readonly afterTokens: number }
  | { readonly kind: 'crash'; readonly afterTokens: number };

export type RequestFault = RequestFaultKind & {
  /** How many requests it still hits; null: all. */
  readonly times: number | null;
  /** Chance that it hits a request. */
  readonly probability: number;
};

/** Everything that can be switched on in one engine. */
export interface FaultSet {
  readonly requests: readonly RequestFault[];
  /** Multiplies the time of every step. */
  readonly slowdown: number;
  /** `/health` answers 503 for so long after the start. */
  readonly slowStartMs: number;
  /** Load reports stay as they are now. */
  readonly freezeLoad: boolean;
}

export const NO_FAULTS: FaultSet = { requests: [], slowdown: 1, slowStartMs: 0, freezeLoad: false };

const PLAIN_KINDS = ['refuse', 'error503', 'error429', 'empty', 'garbage'] as const;
const CUTTING_KINDS = ['stall', 'reset', 'truncate', 'midError', 'crash'] as const;
const SET_MEMBERS = ['requests', 'slowdown', 'slowStartMs', 'freezeLoad'];
const FAULT_MEMBERS = ['kind', 'afterTokens', 'times', 'probability'];

/** Reads a whole set; absent members are off. Throws `SimHttpError` with the member at fault. */
export function readFaults(value: unknown): FaultSet {
  if (!isObject(value)) throw new SimHttpError(400, 'Faults must be an object.');
  refuseOthers(value, SET_MEMBERS, '');
  const requests = value['requests'] ?? [];
  if (!Array.isArray(requests)) throw new SimHttpError(400, 'requests must be an array of faults.', 'requests');
  if (value['freezeLoad'] !== undefined && typeof value['freezeLoad'] !== 'boolean') {
    throw new SimHttpError(400, 'freezeLoad must be true or false.', 'freezeLoad');
  }
  return {
    requests: requests.map((fault: unknown, i) => readRequestFault(fault, `requests[${i}]`)),
    slowdown: number(value['slowdown'] ?? 1, 'slowdown', 0.001, 1_000_000, false),
    slowStartMs: number(value['slowStartMs'] ?? 0, 'slowStartMs', 0, Number.MAX_SAFE_INTEGER, false),
    freezeLoad: value['freezeLoad'] === true,
  };
}

function readRequestFault(value: unknown, path: string): RequestFault {
  if (!isObject(value)) throw new SimHttpError(400, `${path} must be an object.`, path);
  refuseOthers(value, FAULT_MEMBERS, `${path}.`);
  const times = value['times'] == null ? null : number(value['times'], `${path}.times`, 0, Number.MAX_SAFE_INTEGER, true);
  const probability = number(value['probability'] ?? 1, `${path}.probability`, 0, 1, false);
  const plain = PLAIN_KINDS.find((kind) => kind === value['kind']);
  if (plain !== undefined) return { kind: plain, times, probability };
  const cutting = CUTTING_KINDS.find((kind) => kind === value['kind']);
  if (cutting === undefined) {
    throw new SimHttpError(400, `${path}.kind must be one of ${[...PLAIN_KINDS, ...CUTTING_KINDS].join(', ')}.`, `${path}.kind`);
  }
  const afterTokens = number(value['afterTokens'] ?? 0, `${path}.afterTokens`, 0, Number.MAX_SAFE_INTEGER, true);
  return { kind: cutting, afterTokens, times, probability };
}

function refuseOthers(value: JsonObject, known: readonly string[], path: string): void {
  const other = Object.keys(value).find((name) => !known.includes(name));
  if (other !== undefined) {
    throw new SimHttpError(400, `${path}${other} is not known; there are ${known.join(', ')}.`, `${path}${other}`);
  }
}

function number(value: unknown, path: string, least: number, most: number, isWhole: boolean): number {
  const isRight = typeof value === 'number' && value >= least && value <= most && (!isWhole || Number.isInteger(value));
  if (!isRight) throw new SimHttpError(400, `${path} must be a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}.`, path);
  return value;
}
