/** `npm run bench:live`: a trace replayed on a running demo, real sockets and all; what was predicted beside what came. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { readDemoEnv, type DemoEnv } from '../src/commands/demo-env.ts';
import { systemClock, wait } from '../src/core/index.ts';
import { goalTable } from './goal.ts';
import { promptText } from './live/prompt-text.ts';
import { readTrace, type LiveRequest } from './live/read-trace.ts';
import { percentile } from './statistics.ts';

const HELP = `npm run bench:live -- --trace FILE [options]

  --trace FILE     Mooncake's JSON lines
  --requests N     how many of its first requests (1000)
  --compress N     how many times faster than the trace, engines included (10)
  --output-max N   longest answer (100)
`;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const READY_MS = 60_000;

interface Explained {
  readonly attempts: readonly {
    readonly predicted_ttft_ms: number | null;
    readonly actual_ttft_ms: number | null;
    readonly predicted_cached_tokens: number | null;
    readonly actual_cached_tokens: number | null;
  }[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      trace: { type: 'string' },
      requests: { type: 'string', default: '1000' },
      compress: { type: 'string', default: '10' },
      'output-max': { type: 'string', default: '100' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help || values.trace === undefined) return void process.stdout.write(HELP);
  const requests = readTrace(values.trace, Number(values.requests));
  const directory = mkdtempSync(join(tmpdir(), 'meridian-live-'));
  const demo = startDemo(directory, Number(values.compress));
  try {
    const env = await envOf(directory);
    const ids = await replay(requests, env, Number(values.compress), Number(values['output-max']));
    report(await Promise.all(ids.map((id) => explained(id, env))));
  } finally {
    demo.kill('SIGTERM');
    rmSync(directory, { recursive: true, force: true });
  }
}

function startDemo(directory: string, timeScale: number): ReturnType<typeof spawn> {
  const config = join(directory, 'demo.yaml');
  const text = readFileSync(join(ROOT, 'config', 'demo.yaml'), 'utf8');
  writeFileSync(config, text.replace('time_scale: 1', `time_scale: ${timeScale}`));
  const args = ['tools/run.mjs', 'src/main.ts', 'demo', '--port', '0', '--admin-port', '0', '--data', directory, '--config', config];
  return spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' });
}

async function envOf(directory: string): Promise<DemoEnv> {
  for (const untilMs = systemClock.now() + READY_MS; systemClock.now() < untilMs; await wait(systemClock, 100)) {
    const env = readDemoEnv(join(directory, 'demo.env'));
    if (env !== null) return env;
  }
  throw new Error('the demo did not come up');
}

/** Sends each request at its time; resolves with the ids of those that were answered. */
async function replay(requests: readonly LiveRequest[], env: DemoEnv, compress: number, outputMax: number): Promise<string[]> {
  const startedMs = systemClock.now();
  const asked: Promise<string | null>[] = [];
  for (const [i, one] of requests.entries()) {
    await wait(systemClock, startedMs + one.arrivalMs / compress - systemClock.now());
    asked.push(ask(one, env, outputMax));
    if (i % 100 === 0) process.stderr.write(`${i} of ${requests.length}\n`);
  }
  return (await Promise.all(asked)).filter((id) => id !== null);
}

async function ask(one: LiveRequest, env: DemoEnv, outputMax: number): Promise<string | null> {
  const body = {
    model: 'deepseek-v3',
    stream: true,
    ignore_eos: true,
    max_tokens: Math.min(outputMax, one.outputTokens),
    messages: [{ role: 'user', content: promptText(one.blocks, one.promptTokens) }],
  };
  const answer = await request(`${env.OPENAI_BASE_URL}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${env.OPENAI_API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await answer.body.dump({ limit: Infinity });
  return answer.statusCode === 200 ? String(answer.headers['x-request-id']) : null;
}

async function explained(id: string, env: DemoEnv): Promise<Explained> {
  const answer = await request(`${env.MERIDIAN_ADMIN_URL}/admin/v1/requests/${id}/route`, { headers: { authorization: `Bearer ${env.MERIDIAN_ADMIN_KEY}` } });
  return (await answer.body.json()) as Explained;
}

function report(routes: readonly Explained[]): void {
  const last = routes.flatMap(({ attempts }) => attempts.slice(-1));
  const sum = (values: readonly (number | null)[]): number => values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const known = last.filter((attempt) => attempt.actual_cached_tokens !== null);
  const [predicted, actual] = [sum(known.map((one) => one.predicted_cached_tokens)), sum(known.map((one) => one.actual_cached_tokens))];
  const errors = last.flatMap(({ predicted_ttft_ms: told, actual_ttft_ms: came }) => (told === null || came === null ? [] : [Math.abs(told - came) / came]));
  const ttfts = last.flatMap(({ actual_ttft_ms: came }) => (came === null ? [] : [came]));
  const [cachedError, ttftError] = [Math.abs(predicted / actual - 1), percentile(errors, 0.5)];
  const goals = [
    { what: `cached tokens, predicted ${predicted} against reported ${actual}, in sum`, bound: '≤ 5 %', reached: `${(cachedError * 100).toFixed(1)} %`, isMet: cachedError <= 0.05 },
    { what: `time to first token, median error of ${errors.length}`, bound: '≤ 15 %', reached: `${(ttftError * 100).toFixed(1)} %`, isMet: ttftError <= 0.15 },
  ];
  process.stdout.write(`${last.length} answered; time to first token p50 ${percentile(ttfts, 0.5).toFixed(0)} ms, p99 ${percentile(ttfts, 0.99).toFixed(0)} ms\n\n${goalTable(goals).join('\n')}\n`);
}

await main();
