const SECRET_WORDS = new Set(['authorization', 'key', 'apikey', 'token', 'secret', 'password', 'cookie', 'salt', 'pepper']);
const PROMPT_WORDS = new Set(['prompt', 'messages', 'body', 'input']);
const REDACTED = '[redacted]';
const DEPTH_MAX = 12;
const MERIDIAN_KEY = /\bmk_(live|admin)_\w+/g;
const BEARER = /\b(Bearer|Basic) +[\w.~+/=-]+/gi;

/**
 * `value` as plain JSON, without secrets and prompts: what is named for one (`key`, `api_key`, `accessToken`, but not
 * `keyId` or `promptTokens`: the last word counts) at any depth, and in any text what has the form of a key. Errors
 * become objects with their causes. Deeper than 12 levels nothing is shown, which ends cycles too.
 */
export function redacted(value: unknown, depth = 0): unknown {
  if (depth > DEPTH_MAX) return '[too deep]';
  switch (typeof value) {
    case 'string':
      return value.replace(MERIDIAN_KEY, `mk_$1_${REDACTED}`).replace(BEARER, `$1 ${REDACTED}`);
    case 'bigint':
      return value.toString();
    case 'object':
      return value === null ? null : redactedObject(value, depth + 1);
    default:
      return value;
  }
}

function redactedObject(value: object, depth: number): unknown {
  if (value instanceof Error) return redactedError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (item) => redacted(item, depth));
  if (value instanceof Map) return redactedFields(value, depth);
  if ('toJSON' in value && typeof value.toJSON === 'function') return redacted(value.toJSON(), depth);
  return redactedFields(Object.entries(value), depth);
}

function redactedError(error: Error, depth: number): unknown {
  const { name, message, stack, cause } = error;
  const rest = Object.entries(error).filter(([field]) => !['name', 'message', 'stack', 'cause'].includes(field));
  return {
    ...redactedFields(rest, depth),
    name,
    message: redacted(message, depth),
    stack: redacted(stack, depth),
    ...(cause === undefined ? {} : { cause: redacted(cause, depth) }),
  };
}

function redactedFields(fields: Iterable<[unknown, unknown]>, depth: number): Record<string, unknown> {
  const shown: [string, unknown][] = [];
  for (const [name, value] of fields) {
    const field = String(name);
    shown.push([field, isHidden(field) && value != null ? REDACTED : redacted(value, depth)]);
  }
  return Object.fromEntries(shown);
}

function isHidden(field: string): boolean {
  const lastWord = field.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)?.at(-1)?.toLowerCase() ?? '';
  return SECRET_WORDS.has(lastWord) || PROMPT_WORDS.has(lastWord);
}
