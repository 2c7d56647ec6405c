/**
 * Byte-exact surgery on JSON objects: find the members of an object's top level, cut some, add or replace others,
 * and leave every other byte as the sender wrote it (number spelling, key order, white space).
 */
export interface Member {
  /** The member's key, unescaped. */
  readonly key: string;
  /** Offset of the key's opening quote. */
  readonly start: number;
  /** Offset of the value's first byte. */
  readonly valueStart: number;
  /** Offset just past the value's last byte. */
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * The members of the object that begins at or after `from`. Expects valid JSON (parse it first where it comes from
 * outside); returns null when there is no whole object.
 */
export function scanMembers(json: Buffer, from = 0): Member[] | null {
  let at = skipSpace(json, from);
  if (json[at] !== OPEN_BRACE) return null;
  const members: Member[] = [];
  at = skipSpace(json, at + 1);
  while (json[at] !== CLOSE_BRACE) {
    if (json[at] !== QUOTE) return null;
    const start = at;
    const keyEnd = stringEnd(json, at);
    at = skipSpace(json, keyEnd);
    if (json[at] !== COLON) return null;
    const valueStart = skipSpace(json, at + 1);
    const end = valueEnd(json, valueStart);
    if (end <= valueStart) return null;
    members.push({ key: keyText(json, start, keyEnd), start, valueStart, end });
    at = skipSpace(json, end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
    else if (json[at] !== CLOSE_BRACE) return null;
  }
  return members;
}

/**
 * The object `json` with some members replaced in their places (`text`: the new value as JSON), added at the end when
 * absent, or cut (`null`). Of a key that stands twice one is left. Returns `json` itself when nothing changes, and null
 * when it is no object. `members` are those of `json`, where they are known already.
 */
export function editMembers(
  json: Buffer,
  edits: Readonly<Record<string, string | null>>,
  members: readonly Member[] | null = scanMembers(json),
): Buffer | null {
  if (members === null) return null;
  const missing = new Map(Object.entries(edits));
  const parts: (Buffer | string)[] = [];
  /** Bytes before this offset are in `parts`, or cut. */
  let from = 0;
  let isFirst = true;
  for (const [i, member] of members.entries()) {
    if (!Object.hasOwn(edits, member.key)) {
      isFirst = false;
      continue;
    }
    const value = missing.get(member.key) ?? null;
    missing.delete(member.key);
    if (value !== null) {
      parts.push(json.subarray(from, member.valueStart), value);
      from = member.end;
      isFirst = false;
    } else if (isFirst) {
      parts.push(json.subarray(from, member.start));
      from = members[i + 1]?.start ?? member.end;
    } else {
      parts.push(json.subarray(from, members[i - 1]?.end));
      from = member.end;
    }
  }
  const end = members.at(-1)?.end ?? json.indexOf(OPEN_BRACE) + 1;
  let added = '';
  for (const [key, value] of missing) {
    if (value === null) continue;
    added += `${isFirst ? '' : ','}${JSON.stringify(key)}:${value}`;
    isFirst = false;
  }
  if (added === '' && parts.length === 0) return json;
  return join([...parts, json.subarray(from, end), added, json.subarray(end)]);
}

function join(parts: readonly (Buffer | string)[]): Buffer {
  let length = 0;
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) : part.length;
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) at += typeof part === 'string' ? out.write(part, at) : part.copy(out, at);
  return out;
}

function keyText(json: Buffer, start: number, end: number): string {
  const raw = json.subarray(start, end);
  return raw.includes(BACKSLASH) ? String(JSON.parse(raw.toString())) : raw.toString('utf8', 1, raw.length - 1);
}

function skipSpace(json: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const byte = json[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}

/** Bytes of a string looked at one by one before the next quote is looked for natively. */
const NEAR_BYTES = 32;

/** Offset just past the closing quote of the string that opens at `at`; short stretches and long ones each their way. */
function stringEnd(json: Buffer, at: number): number {
  let i = at + 1;
  for (;;) {
    const near = Math.min(json.length, i + NEAR_BYTES);
    while (i < near) {
      const byte = json[i];
      if (byte === QUOTE) return i + 1;
      i += byte === BACKSLASH ? 2 : 1;
    }
    const quote = json.indexOf(QUOTE, i);
    if (quote < 0) return json.length;
    let backslashes = 0;
    while (quote - backslashes > i && json[quote - backslashes - 1] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    i = quote + 1;
  }
}

/** Offset just past the value that begins at `at`. */
function valueEnd(json: Buffer, at: number): number {
  const first = json[at];
  if (first === QUOTE) return stringEnd(json, at);
  let i = at;
  if (first === OPEN_BRACE || first === OPEN_BRACKET) {
    let depth = 0;
    while (i < json.length) {
      const byte = json[i];
      if (byte === QUOTE) {
        i = stringEnd(json, i);
        continue;
      }
      i += 1;
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return i;
    }
    return json.length;
  }
  while (i < json.length) {
    const byte = json[i] ?? 0;
    if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= 0x20) return i;
    i += 1;
  }
  return i;
}
