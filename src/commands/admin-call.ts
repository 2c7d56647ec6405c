import { request } from 'undici';
import { MeridianError } from '../core/index.ts';
import { UsageError, type CommandOption, type CommandWords } from './command.ts';

/** The option of every command that asks a running gateway. */
export const ADMIN_OPTION: CommandOption = { type: 'string', value: 'URL', help: 'Admin URL of the gateway; else MERIDIAN_ADMIN_URL.' };

/** Calls the admin API of a running gateway; the JSON of its answer. Throws a MeridianError with the gateway's own words. */
export async function adminCall(
  words: CommandWords,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const base = words.text('admin') ?? process.env['MERIDIAN_ADMIN_URL'] ?? 'http://127.0.0.1:8081';
  if (!URL.canParse(base)) throw new UsageError(`'${base}' is no URL; an admin URL is like http://127.0.0.1:8081`);
  const key = process.env['MERIDIAN_ADMIN_KEY'];
  if (key === undefined) throw new UsageError('set MERIDIAN_ADMIN_KEY to the admin key');
  const answer = await request(base.replace(/\/$/, '') + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  }).catch((cause: unknown) => {
    throw new MeridianError('upstream_error', { message: `no gateway answers at ${base}; set MERIDIAN_ADMIN_URL or --admin`, cause });
  });
  const value = (await answer.body.json()) as Record<string, unknown>;
  if (answer.statusCode < 400) return value;
  const message = String(Reflect.get(Object(value['error']), 'message') ?? `the gateway answered ${answer.statusCode}`);
  throw new MeridianError('invalid_request', { message });
}
