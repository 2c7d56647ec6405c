export { takeChanges } from './config-changes.ts';
export { ConfigError } from './config-error.ts';
export type { DemoConfig } from './demo-schema.ts';
export { editorSchemas } from './editor-schema.ts';
export type { Environment } from './environment.ts';
export type { GatewayConfig } from './gateway-schema.ts';
export type { HardwareConfig } from './hardware-schema.ts';
export { gatewayDefaults, loadDemoConfig, loadGatewayConfig, loadHardware, loadNodeConfig, loadPrices } from './load.ts';
export type { NodeConfig } from './node-schema.ts';
