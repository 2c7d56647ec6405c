import type { Command } from './command.ts';

export { commandHelp, EXIT, readWords, UsageError } from './command.ts';

/** Each command is loaded when it is asked for, so that none pays for the others. */
export const COMMANDS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  demo: {
    summary: 'run a gateway with a simulated fleet',
    load: async () => (await import('./demo-command.ts')).demoCommand,
  },
  gateway: {
    summary: 'run a gateway',
    load: async () => (await import('./gateway-command.ts')).gatewayCommand,
  },
  node: {
    summary: 'run the daemon of a GPU node',
    load: async () => (await import('./node-command.ts')).nodeCommand,
  },
  'sim-engine': {
    summary: 'run a simulated engine',
    load: async () => (await import('./sim-engine-command.ts')).simEngineCommand,
  },
  keys: {
    summary: 'make, list, rotate and revoke API keys',
    load: async () => (await import('./keys-command.ts')).keysCommand,
  },
  ca: {
    summary: "make a fleet's authority for certificates",
    load: async () => (await import('./ca-command.ts')).caCommand,
  },
  nodes: {
    summary: 'let nodes join a fleet, list those that have, and revoke them',
    load: async () => (await import('./nodes-command.ts')).nodesCommand,
  },
  audit: {
    summary: 'verify the audit log and the books, or list the log',
    load: async () => (await import('./audit-command.ts')).auditCommand,
  },
  invoice: {
    summary: 'get the invoice of a month, or what it would say now',
    load: async () => (await import('./invoice-command.ts')).invoiceCommand,
  },
  reconcile: {
    summary: "hold a day's charges against what nodes and engines counted",
    load: async () => (await import('./reconcile-command.ts')).reconcileCommand,
  },
  journal: {
    summary: 'bring the usage of a gateway that does not return into PostgreSQL',
    load: async () => (await import('./journal-command.ts')).journalCommand,
  },
  ledger: {
    summary: 'move books and keys from a data directory into PostgreSQL',
    load: async () => (await import('./ledger-command.ts')).ledgerCommand,
  },
  sim: {
    summary: 'run a simulated fleet in virtual time',
    load: async () => (await import('./sim-command.ts')).simCommand,
  },
  explain: {
    summary: 'tell why a request went to the replica it went to',
    load: async () => (await import('./explain-command.ts')).explainCommand,
  },
  prices: {
    summary: 'check a price book, or tell the price at an instant',
    load: async () => (await import('./prices-command.ts')).pricesCommand,
  },
  config: {
    summary: 'check a configuration, or write its JSON schemas',
    load: async () => (await import('./config-command.ts')).configCommand,
  },
  openapi: {
    summary: 'write the OpenAPI document of the gateway',
    load: async () => (await import('./openapi-command.ts')).openapiCommand,
  },
};
