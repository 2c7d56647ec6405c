export { gatewayOptions, modelOptions } from './gateway-options.ts';
export { openEdges, type Edges } from './open-edges.ts';
export { openFleet } from './open-fleet.ts';
export { openPrices } from './open-prices.ts';
export { openRecords, type Records } from './open-records.ts';
export { openTelemetry } from './open-telemetry.ts';
export { watchOverload } from './watch-overload.ts';
export { Teardown } from './teardown.ts';
