import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { noLog } from '../../src/core/index.ts';
import { GpuWatch, parseGpus } from '../../src/node/gpu-watch.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

const H200 = (index: number, errors: string): string => `${index}, NVIDIA H200, 143771, 120000, 87, 61, 512.34, ${errors}`;

/** A machine whose driver says what the test wants, and the watch over it. */
function machine() {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-gpus-'));
  const program = join(directory, 'nvidia-smi');
  const says = (text: string, exitCode = 0): void => {
    writeFileSync(join(directory, 'text'), text);
    writeFileSync(program, `#!/bin/sh\ncat "${directory}/text"\nexit ${exitCode}\n`);
    chmodSync(program, 0o755);
  };
  const clock = new ManualClock();
  const faults: (string | null)[] = [];
  const watch = new GpuWatch({ program, everyMs: 10_000, clock, log: noLog }, () => faults.push(watch.fault));
  onTestFinished(() => {
    watch.stop();
    rmSync(directory, { recursive: true });
  });
  return { watch, says, faults, clock };
}

test('reads each GPU, and what one does not support as unknown', () => {
  expect(parseGpus(`${H200(0, '0')}\n1, NVIDIA L4, 23034, 0, 0, 36, [N/A], [Not Supported]\n\n`)).toEqual([
    { index: 0, name: 'NVIDIA H200', memoryBytes: 143_771 * 1_048_576, memoryUsedBytes: 120_000 * 1_048_576, utilization: 0.87, celsius: 61, watts: 512.34, uncorrectedErrors: 0 },
    { index: 1, name: 'NVIDIA L4', memoryBytes: 23_034 * 1_048_576, memoryUsedBytes: 0, utilization: 0, celsius: 36, watts: null, uncorrectedErrors: null },
  ]);
  expect(parseGpus('No devices were found')).toEqual([]);
});

test('a GPU with errors, one that is gone, and a driver that fails are faults until they are over', async () => {
  const { watch, says, faults, clock } = machine();
  says(`${H200(0, '0')}\n${H200(1, '0')}\n`);
  watch.start();
  await until(() => watch.facts.length === 2, 'both are seen');
  expect(watch.fault).toBeNull();
  const next = async (text: string, exitCode = 0): Promise<string | null> => {
    const before = faults.length;
    says(text, exitCode);
    clock.advance(10_000);
    await until(() => faults.length === before + 1, 'it is noticed');
    return watch.fault;
  };
  expect(await next(`${H200(0, '0')}\n${H200(1, '3')}\n`)).toContain('GPU 1 has 3 memory errors');
  expect(await next(`${H200(0, '0')}\n`)).toBe('1 of 2 GPUs are gone');
  expect(await next('Unable to determine the device handle for GPU0000:3B:00.0: Unknown Error\n', 255)).toContain('Unable to determine the device handle');
  expect(await next(`${H200(0, '0')}\n${H200(1, '0')}\n`)).toBeNull();
});

test('a machine without the program has no GPUs that are known of, and is asked no more', async () => {
  const { watch, faults, clock } = machine();
  watch.start();
  await until(() => clock.pending === 0, 'it has been asked');
  expect([watch.facts, watch.fault, faults]).toEqual([[], null, []]);
});
