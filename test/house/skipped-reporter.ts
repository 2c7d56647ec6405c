import type { Reporter, TestModule } from 'vitest/node';

/** Says at the end of a run, by name, which tests did not run: nothing is skipped in silence. */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId} > ${test.fullName}`),
    );
    if (skipped.length === 0) return;
    const list = skipped.map((name) => `  - ${name}`).join('\n');
    process.stdout.write(`\nSKIPPED, ${skipped.length} tests did not run:\n${list}\n\n`);
  }
}
