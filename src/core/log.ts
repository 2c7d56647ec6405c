/** Structured logs: fields first, then a sentence. Prompts and answers never go in. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const noLog: Logger = { debug() {}, info() {}, warn() {}, error() {} };
