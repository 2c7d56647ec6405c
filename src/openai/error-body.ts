import type { MeridianError } from '../core/index.ts';

/** OpenAI's error object: all four keys, always. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** The body a client gets for `error`. Causes stay inside. */
export function errorBody(error: MeridianError): ErrorBody {
  return { error: { message: error.message, type: error.row.type, param: error.param, code: error.code } };
}
