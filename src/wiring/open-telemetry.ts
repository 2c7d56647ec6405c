import type { GatewayConfig } from '../config/index.ts';
import { MetricsRegistry, type Clock, type Logger } from '../core/index.ts';
import { startTelemetry, type Telemetry } from '../telemetry/index.ts';
import { VERSION } from '../version.ts';
import type { Teardown } from './teardown.ts';

/** The registry that everything is counted in, and what reads it. */
export async function openTelemetry(
  { telemetry: { serviceName, otlpEndpoint } }: Pick<GatewayConfig, 'telemetry'>,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  teardown: Teardown,
): Promise<{ readonly metrics: MetricsRegistry; readonly telemetry: Telemetry }> {
  const metrics = new MetricsRegistry();
  const telemetry = await startTelemetry({
    serviceName,
    serviceVersion: VERSION,
    otlpEndpoint: otlpEndpoint ?? null,
    metrics,
    clock,
    log,
  });
  // What a scrape needs takes a tenth of a second to load: better now than under traffic.
  telemetry.scrape().catch((error: unknown) => log.warn({ error }, 'metrics cannot be read'));
  return { metrics, telemetry: teardown.add(telemetry) };
}
