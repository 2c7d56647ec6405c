export { jsonLog, type LogLevel } from './json-log.ts';
export { startTelemetry, type Telemetry, type TraceBounds } from './start-telemetry.ts';
