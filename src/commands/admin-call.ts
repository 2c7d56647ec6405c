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
  const answer = await ask(words, method, path, body);
  return JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
}

/** A document of a running gateway, and the name it gives it. Throws as `adminCall` does. */
export async function adminDocument(words: CommandWords, path: string): Promise<{ readonly body: Buffer; readonly filename: string | null }> {
  const { body, disposition } = await ask(words, 'GET', path, undefined);
  return { body, filename: /filename="([A-Za-z0-9._-]+)"/.exec(disposition)?.[1] ?? null };
}

async function ask(words: CommandWords, method: 'GET' | 'POST' | 'DELETE', path: string, body: object | undefined): Promise<{ readonly body: Buffer; readonly disposition: string }> {
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
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  if (answer.statusCode < 400) return { body: bytes, disposition: String(answer.headers['content-disposition'] ?? '') };
  throw new MeridianError('invalid_request', { message: wordsOf(bytes) ?? `the gateway answered ${answer.statusCode}` });
}

/** What an error body says; null when it is none. */
function wordsOf(body: Buffer): string | null {
  try {
    const message: unknown = Reflect.get(Object(Reflect.get(Object(JSON.parse(body.toString('utf8'))), 'error')), 'message');
    return typeof message === 'string' ? message : null;
  } catch {
    return null;
  }
}
