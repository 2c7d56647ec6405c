import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { expect, onTestFinished, test } from 'vitest';
import { noLog } from '../../src/core/index.ts';
import { WatchedExporter } from '../../src/telemetry/watched-exporter.ts';

test('a collector that is down is not dialled for every batch, and what is lost is said', async () => {
  let dialled = 0;
  const said: string[] = [];
  const log = { ...noLog, warn: (_fields: object, message: string) => void said.push(message) };
  const exporter = new WatchedExporter(
    {
      export(_spans, done) {
        dialled += 1;
        done({ code: ExportResultCode.FAILED, error: new Error('nobody there') });
      },
      shutdown: () => Promise.resolve(),
    },
    log,
  );
  onTestFinished(() => exporter.shutdown());
  const results: ExportResult[] = [];
  for (let i = 0; i < 20; i += 1) {
    results.push(await new Promise<ExportResult>((resolve) => exporter.export([{} as ReadableSpan], resolve)));
  }
  expect(results.every(({ code }) => code === ExportResultCode.FAILED)).toBe(true);
  expect(dialled).toBe(3);
  expect(said).toEqual(['Traces cannot be exported; they are lost until they can.']);
});
