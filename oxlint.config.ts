import { defineConfig, type OxlintOverride } from 'oxlint';

/**
 * The layers of the house: what each folder of src/ may import, always through the other folder's index.ts. `src/app.ts`,
 * `src/main.ts` and what else stands in src/ itself wire everything. A new folder is added here, with its reason in docs/decisions/.
 */
export const LAYERS = {
  core: [],
  openai: ['core'],
  prefix: ['core'],
  store: ['core'],
  accounts: ['core', 'store'],
  identity: ['core', 'store'],
  telemetry: ['core'],
  config: ['core'],
  admission: ['core'],
  redis: ['core', 'admission'],
  billing: ['core', 'openai', 'store'],
  engine: ['core', 'openai'],
  link: ['core', 'openai'],
  health: ['core', 'openai', 'link'],
  balancer: ['core', 'openai', 'prefix', 'link', 'health'],
  plan: ['core', 'config'],
  node: ['core', 'openai', 'prefix', 'engine', 'link', 'config', 'identity'],
  sim: ['core', 'openai', 'prefix', 'link', 'health', 'balancer', 'admission'],
  gateway: ['core', 'openai', 'prefix', 'engine', 'link', 'health', 'balancer', 'admission', 'billing', 'accounts', 'identity'],
  wiring: ['core', 'openai', 'prefix', 'config', 'store', 'accounts', 'identity', 'billing', 'telemetry', 'admission', 'redis', 'link', 'health', 'balancer', 'gateway', 'version.ts'],
  commands: ['core', 'config', 'store', 'accounts', 'identity', 'billing', 'telemetry', 'health', 'plan', 'node', 'sim', 'app.ts'],
};

/** What reads the real clock or real chance, and what to use in its place. */
const CLOCK = 'Take a Clock as an argument; only src/core reads the real one.';
const TIME_GLOBALS = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'];
const TIME_PROPERTIES = [
  { object: 'AbortSignal', property: 'timeout', message: CLOCK },
  { object: 'process', property: 'hrtime', message: CLOCK },
  { object: 'Math', property: 'random', message: 'Take an Rng as an argument; only src/core makes real ones.' },
];
const TIME_MODULES = ['node:timers', 'node:timers/promises', 'node:perf_hooks'].map((name) => ({ name, message: CLOCK }));

/** Rules for one folder of src/: what lies `depth` folders below it reaches another folder by `depth + 1` steps up. */
function layer(folder: string, allowed: readonly string[], depth: number): OxlintOverride {
  const up = '../'.repeat(depth + 1);
  const message =
    allowed.length === 0
      ? `src/${folder} imports no other folder.`
      : `src/${folder} may import only the index.ts of ${allowed.join(', ')}.`;
  const group = [`${up}**`, ...allowed.map((name) => `!${up}${name.endsWith('.ts') ? name : `${name}/index.ts`}`)];
  return {
    files: [`src/${folder}${'/*'.repeat(depth)}/*.ts`],
    rules: {
      'no-restricted-imports': ['error', { paths: folder === 'core' ? [] : TIME_MODULES, patterns: [{ group, message }] }],
    },
  };
}

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc', 'promise', 'node', 'vitest'],
  categories: { correctness: 'error' },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['node_modules', 'dist', '.meridian'],
  rules: {
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'no-restricted-exports': ['error', { restrictedNamedExports: ['default'] }],
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'import/no-self-import': 'error',
    'typescript/await-thenable': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    // `keyof T & string` is how TypeScript says it.
    'typescript/no-redundant-type-constituents': 'off',
    // Cases are sentences and may assert through a function that waits for a condition.
    'vitest/expect-expect': 'off',
    'vitest/no-conditional-expect': 'off',
    'vitest/valid-title': 'off',
  },
  overrides: [
    { files: ['*.config.ts'], rules: { 'import/no-default-export': 'off' } },
    {
      files: ['src/**/*.ts'],
      rules: {
        'no-restricted-globals': ['error', ...TIME_GLOBALS.map((name) => ({ name, message: CLOCK }))],
        'no-restricted-properties': ['error', ...TIME_PROPERTIES],
        'no-restricted-imports': ['error', { paths: TIME_MODULES }],
      },
    },
    { files: ['src/core/**/*.ts'], rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' } },
    ...Object.entries(LAYERS).flatMap(([folder, allowed]) => [0, 1].map((depth) => layer(folder, allowed, depth))),
  ],
});
