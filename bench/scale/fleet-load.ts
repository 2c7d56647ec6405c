import { performance } from 'node:perf_hooks';
import { Agent, request } from 'undici';
import { MODEL } from '../../test/support/test-fleet.ts';

const BODY = JSON.stringify({ model: MODEL, max_tokens: 2, messages: [{ role: 'user', content: 'How long does it take?' }] });
const agent = new Agent({ connections: 64, pipelining: 1 });

/** One request at `url`; its status and how long it took. */
export async function askOnce(url: string, apiKey: string, session?: string): Promise<{ readonly status: number; readonly ms: number }> {
  const startedMs = performance.now();
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...(session === undefined ? {} : { 'x-meridian-session': session }) };
  const { statusCode, body } = await request(`${url}/chat/completions`, { method: 'POST', headers, body: BODY, dispatcher: agent });
  await body.dump();
  return { status: statusCode, ms: performance.now() - startedMs };
}

/** `count` requests, `lanes` at a time, at `urls` in turn; the times of those that were answered, and how many were not. */
export async function askMany(urls: readonly string[], apiKey: string, count: number, lanes: number): Promise<{ readonly ms: number[]; readonly refused: number }> {
  const ms: number[] = [];
  let [next, refused] = [0, 0];
  const lane = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      const one = await askOnce(urls[next % urls.length] ?? '', apiKey);
      if (one.status === 200) ms.push(one.ms);
      else refused += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { ms, refused };
}
