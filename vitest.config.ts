import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { SkippedReporter } from './test/house/skipped-reporter.ts';

const reporters = ['default', new SkippedReporter()] as const;
const counts = ['json', { outputFile: 'node_modules/.cache/test-results.json' }] as const;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests wait for sockets and processes more than they compute: on two cores one worker would leave one idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Waits give up after 20 s each and say for what; this is for what does not even come so far.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    reporters: process.env['CI'] === 'true' ? [...reporters, [...counts]] : [...reporters],
  },
});
