import { defineConfig } from 'vitest/config';
import { SkippedReporter } from './test/house/skipped-reporter.ts';

const reporters = ['default', new SkippedReporter()] as const;
const counts = ['json', { outputFile: 'node_modules/.cache/test-results.json' }] as const;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: process.env['CI'] === 'true' ? [...reporters, [...counts]] : [...reporters],
  },
});
