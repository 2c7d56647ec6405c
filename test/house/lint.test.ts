import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** One file per rule of the house, each breaking that rule alone. */
const VIOLATIONS: ReadonlyArray<{ what: string; file: string; text: string; rule: string }> = [
  {
    what: 'the gateway importing the node daemon',
    file: 'src/gateway/daemon.ts',
    text: `export { daemon } from '../node/index.ts';`,
    rule: 'eslint(no-restricted-imports)',
  },
  {
    what: 'the core importing anything above it',
    file: 'src/core/up.ts',
    text: `export { frame } from '../link/index.ts';`,
    rule: 'eslint(no-restricted-imports)',
  },
  {
    what: 'an import past the index of another folder',
    file: 'src/link/past.ts',
    text: `export { clock } from '../core/clock.ts';`,
    rule: 'eslint(no-restricted-imports)',
  },
  {
    what: 'a nested file importing another layer',
    file: 'src/node/engines/nested.ts',
    text: `export type { Replica } from '../../balancer/index.ts';`,
    rule: 'eslint(no-restricted-imports)',
  },
  {
    what: 'timers by import',
    file: 'src/health/timers.ts',
    text: `export { setTimeout as sleep } from 'node:timers/promises';`,
    rule: 'eslint(no-restricted-imports)',
  },
  {
    what: 'a cycle of imports',
    file: 'src/core/chicken.ts',
    text: `import { egg } from './egg.ts';\nexport const chicken = (): unknown => egg;`,
    rule: 'import(no-cycle)',
  },
  {
    what: 'the real clock outside core',
    file: 'src/billing/date.ts',
    text: 'export const stamp = (): number => Date.now();',
    rule: 'eslint(no-restricted-globals)',
  },
  {
    what: 'a timer outside core',
    file: 'src/app.ts',
    text: 'export const later = (task: () => void): unknown => setTimeout(task, 1);',
    rule: 'eslint(no-restricted-globals)',
  },
  {
    what: 'real chance outside core',
    file: 'src/balancer/chance.ts',
    text: 'export const chance = (): number => Math.random();',
    rule: 'eslint(no-restricted-properties)',
  },
  {
    what: 'a default export',
    file: 'src/core/default.ts',
    text: 'export default 1;',
    rule: 'import(no-default-export)',
  },
  {
    what: 'any',
    file: 'src/core/anything.ts',
    text: 'export const anything = (it: any): unknown => it;',
    rule: 'typescript(no-explicit-any)',
  },
  {
    what: 'a promise nobody waits for',
    file: 'src/core/floating.ts',
    text: 'async function work(): Promise<void> {}\nexport function start(): void {\n  work();\n}',
    rule: 'typescript(no-floating-promises)',
  },
  {
    what: 'a promise where nobody looks for one',
    file: 'src/core/misused.ts',
    text: 'export const each = (list: number[]): void => list.forEach(async () => {});',
    rule: 'typescript(no-misused-promises)',
  },
  {
    what: 'waiting for what is no promise',
    file: 'src/core/thenable.ts',
    text: 'export const one = async (value: number): Promise<number> => await value;',
    rule: 'typescript(await-thenable)',
  },
  {
    what: 'a thrown string',
    file: 'src/core/thrown.ts',
    text: `export function fail(): never {\n  throw 'no';\n}`,
    rule: 'typescript(only-throw-error)',
  },
  {
    what: 'a file name that is not kebab-case',
    file: 'src/core/camelCase.ts',
    text: 'export const camel = 1;',
    rule: 'unicorn(filename-case)',
  },
];

const CLEAN: Readonly<Record<string, string>> = {
  'src/core/egg.ts': `import { chicken } from './chicken.ts';\nexport const egg = (): unknown => chicken;`,
  'src/core/index.ts': 'export const clock = (): number => Date.now();',
  'src/link/index.ts': `export { clock as frame } from '../core/index.ts';`,
  'src/node/engines/clean.ts': `export { frame } from '../../link/index.ts';`,
};

interface Finding {
  readonly code: string;
  readonly filename: string;
}

describe('lint', () => {
  let house: string;
  let findings: readonly Finding[];

  beforeAll(async () => {
    house = await mkdtemp(join(tmpdir(), 'meridian-lint-'));
    for (const file of ['oxlint.config.ts', 'tsconfig.json', 'package.json']) await copyFile(join(root, file), join(house, file));
    await symlink(join(root, 'node_modules'), join(house, 'node_modules'));
    for (const { file, text } of VIOLATIONS) await write(join(house, file), text);
    for (const [file, text] of Object.entries(CLEAN)) await write(join(house, file), text);
    findings = await lint(house);
  });

  afterAll(() => rm(house, { recursive: true }));

  test.each(VIOLATIONS)('rejects $what', ({ file, rule }) => {
    expect(findings.filter((finding) => finding.filename === file).map((finding) => finding.code)).toEqual([rule]);
  });

  test('lets imports down through an index pass', () => {
    expect(findings.map((finding) => finding.filename).filter((file) => file in CLEAN && file !== 'src/core/egg.ts')).toEqual([]);
  });
});

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${text}\n`);
}

function lint(cwd: string): Promise<readonly Finding[]> {
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [oxlint, '--format=json'], { cwd }, (_exit, stdout, stderr) => {
      if (stdout === '') return reject(new Error(`oxlint said nothing: ${stderr}`));
      const report = JSON.parse(stdout) as { diagnostics: readonly Finding[] };
      resolve(report.diagnostics);
    });
  });
}
