import { isUtf8 } from 'node:buffer';
import { MeridianError } from '../../core/index.ts';
import type { JsonObject } from './body-check.ts';

/** Parses a request body: UTF-8, JSON, an object, nested at most `depthMax` deep. Throws `invalid_json` or `invalid_type`. */
export function parseBody(body: Buffer, depthMax: number): JsonObject {
  if (body.length === 0) throw new MeridianError('invalid_json', { message: 'The body is empty; it must be a JSON object.' });
  if (!isUtf8(body)) throw new MeridianError('invalid_json', { message: 'The body is not valid UTF-8.' });
  const value = parse(body);
  if (!isObject(value)) throw new MeridianError('invalid_type', { message: 'The body must be a JSON object.' });
  if (isDeeper(value, depthMax)) {
    throw new MeridianError('invalid_json', { message: `The body is nested more than ${depthMax} levels deep.` });
  }
  return value;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    const position = error instanceof Error ? /position \d+( \(line \d+ column \d+\))?/.exec(error.message)?.[0] : undefined;
    const where = position === undefined ? '' : ` (at ${position})`;
    throw new MeridianError('invalid_json', { message: `The body is not valid JSON${where}.` });
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeper(value: unknown, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depthMax === 0) return true;
  for (const child of Array.isArray(value) ? value : Object.values(value)) if (isDeeper(child, depthMax - 1)) return true;
  return false;
}
