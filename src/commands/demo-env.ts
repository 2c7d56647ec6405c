import { existsSync, readFileSync, writeFileSync } from 'node:fs';

export const DEMO_ENV_FILE = 'demo.env';

/** What SDKs and the command line need to find a running demo, as environment variables. */
export interface DemoEnv {
  readonly OPENAI_BASE_URL: string;
  readonly OPENAI_API_KEY: string;
  readonly MERIDIAN_ADMIN_URL: string;
  readonly MERIDIAN_ADMIN_KEY: string;
}

/** The file an earlier start wrote; null when there is none, or not a whole one. */
export function readDemoEnv(path: string): DemoEnv | null {
  if (!existsSync(path)) return null;
  const entries = readFileSync(path, 'utf8').matchAll(/^([A-Z_]+)=(.*)$/gm);
  const found = Object.fromEntries([...entries].map(([, name, value]) => [name, value]));
  const { OPENAI_BASE_URL, OPENAI_API_KEY, MERIDIAN_ADMIN_URL, MERIDIAN_ADMIN_KEY } = found;
  if (!OPENAI_BASE_URL || !OPENAI_API_KEY || !MERIDIAN_ADMIN_URL || !MERIDIAN_ADMIN_KEY) return null;
  return { OPENAI_BASE_URL, OPENAI_API_KEY, MERIDIAN_ADMIN_URL, MERIDIAN_ADMIN_KEY };
}

/** Readable by its owner alone: it holds keys. */
export function writeDemoEnv(path: string, env: DemoEnv): void {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${String(value)}\n`);
  writeFileSync(path, lines.join(''), { mode: 0o600 });
}
