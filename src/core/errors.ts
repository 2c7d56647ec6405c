/**
 * Every error a client can meet, in one table: the HTTP status, OpenAI's error `type`, whether the same request may
 * be tried again, and what is said when the place that raised it has nothing better. `docs/errors.md` is held against it.
 */
export const ERROR_TABLE = {
  invalid_json: row(400, 'invalid_request_error', false, 'The body is not valid JSON.'),
  invalid_type: row(400, 'invalid_request_error', false, 'A parameter has the wrong type.'),
  invalid_value: row(400, 'invalid_request_error', false, 'A parameter has a value that is not allowed.'),
  missing_required_parameter: row(400, 'invalid_request_error', false, 'A required parameter is missing.'),
  unknown_parameter: row(400, 'invalid_request_error', false, 'A parameter is not known.'),
  unsupported_parameter: row(400, 'invalid_request_error', false, 'A parameter is reserved for the gateway itself.'),
  context_length_exceeded: row(400, 'invalid_request_error', false, 'The prompt and the answer do not fit the context.'),
  malformed_request: row(400, 'invalid_request_error', false, 'The request is not well-formed HTTP.'),
  invalid_request: row(400, 'invalid_request_error', false, 'The engine refused the request.'),
  invalid_api_key: row(401, 'authentication_error', false, 'The API key is missing, unknown, expired or revoked.'),
  permission_denied: row(403, 'permission_error', false, 'This key may not do that.'),
  model_not_found: row(404, 'invalid_request_error', false, 'The model does not exist.'),
  not_found: row(404, 'invalid_request_error', false, 'There is nothing at this URL.'),
  method_not_allowed: row(405, 'invalid_request_error', false, 'This URL does not take that method.'),
  request_timeout: row(408, 'invalid_request_error', true, 'The request did not arrive in time.'),
  conflict: row(409, 'invalid_request_error', false, 'That is not possible in the present state.'),
  idempotency_key_in_use: row(409, 'invalid_request_error', true, 'The first request with this Idempotency-Key is still under way.'),
  idempotency_key_reused: row(409, 'invalid_request_error', false, 'This Idempotency-Key was used for another request: another body, or another endpoint.'),
  idempotency_result_gone: row(409, 'invalid_request_error', false, 'The answer to the request with this Idempotency-Key is not kept.'),
  request_too_large: row(413, 'invalid_request_error', false, 'The body is too large.'),
  unsupported_media_type: row(415, 'invalid_request_error', false, 'The content type must be application/json.'),
  rate_limit_exceeded: row(429, 'rate_limit_error', true, 'Too many requests.'),
  insufficient_quota: row(429, 'insufficient_quota', false, 'The credit or a budget is used up.'),
  headers_too_large: row(431, 'invalid_request_error', false, 'The headers are too large.'),
  client_closed_request: row(499, 'client_closed_request', false, 'The client went away.'),
  internal_error: row(500, 'server_error', true, 'Something went wrong in the gateway.'),
  upstream_error: row(502, 'server_error', true, 'The engine failed.'),
  overloaded: row(503, 'server_error', true, 'No replica can take this request now.'),
  upstream_timeout: row(504, 'server_error', true, 'The engine did not answer in time.'),
} as const;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface ErrorRow {
  readonly status: number;
  readonly type: string;
  readonly retryable: boolean;
  readonly message: string;
}

export interface ErrorDetail {
  /** What went wrong and what would be right, for the client to read. */
  readonly message?: string | undefined;
  /** The request parameter at fault, e.g. `messages[0].role`. */
  readonly param?: string | undefined;
  /** How long to wait before trying again. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** An error of the table, with what is particular to this case. */
export class MeridianError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, detail: ErrorDetail = {}) {
    super(detail.message ?? ERROR_TABLE[code].message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'MeridianError';
    this.code = code;
    this.param = detail.param ?? null;
    this.retryAfterMs = detail.retryAfterMs ?? null;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }
}

/** Anything thrown, as an error of the table; what is not of it becomes `internal_error` with its cause. */
export function asMeridianError(thrown: unknown): MeridianError {
  return thrown instanceof MeridianError ? thrown : new MeridianError('internal_error', { cause: thrown });
}

function row(status: number, type: string, retryable: boolean, message: string): ErrorRow {
  return { status, type, retryable, message };
}
