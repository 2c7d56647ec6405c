import { MARK_COUNT, VOCABULARY } from './vocabulary.ts';

/**
 * The simulated model's tokenizer: exact and reversible. Text is cut into words with the space before them, groups of
 * up to three digits, single other characters and single white space. A piece of the vocabulary is one token; other
 * pieces become chunks of up to four ASCII characters, or one character beyond ASCII, each spelled by its token's id.
 *
 * What the model writes never begins with a letter or digit right after one, so a text that goes on is cut where its
 * parts were cut: `tokenize(a + b)` is `tokenize(a)` and `tokenize(b)` for every answer `b` of the model to `a`.
 */
const PIECE = / ?[\p{L}\p{M}]+|\p{N}{1,3}|[^\s\p{L}\p{M}\p{N}]|\s/gu;

/** Ids from here on spell one character by its code point. */
const CHARACTER_BASE = 0x20_0000;
/** Ids from here on spell one to four ASCII characters, seven bits each, the first in the highest bits. */
const ASCII_BASE = 0x1000_0000;
const ASCII_CHUNK = 4;

const idsByText = new Map<string, number>();
VOCABULARY.forEach((text, id) => {
  if (id >= MARK_COUNT) idsByText.set(text, id);
});

/** Appends the tokens of `text` to `into`; stops early once there are more than `limit`. */
export function tokenize(text: string, into: number[] = [], limit = Infinity): number[] {
  PIECE.lastIndex = 0;
  for (let match = PIECE.exec(text); match !== null; match = PIECE.exec(text)) {
    const [piece] = match;
    const known = idsByText.get(piece);
    if (known === undefined) spell(piece, into);
    else into.push(known);
    if (into.length > limit) break;
  }
  return into;
}

/** The text of one token; marks and ids that are no token have none. */
export function tokenText(id: number): string {
  if (id >= ASCII_BASE) return asciiText(id - ASCII_BASE);
  if (id >= CHARACTER_BASE) return id - CHARACTER_BASE <= 0x10_ffff ? String.fromCodePoint(id - CHARACTER_BASE) : '';
  return VOCABULARY[id] ?? '';
}

export function detokenize(ids: readonly number[]): string {
  let text = '';
  for (const id of ids) text += tokenText(id);
  return text;
}

function spell(piece: string, into: number[]): void {
  let packed = 0;
  let count = 0;
  const flush = (): void => {
    if (count > 0) into.push(ASCII_BASE + packed);
    packed = 0;
    count = 0;
  };
  for (const character of piece) {
    const code = character.codePointAt(0) ?? 0;
    // A chunk's length is known by its leading zeros, so NUL cannot stand in one.
    if (code === 0 || code > 0x7f) {
      flush();
      into.push(CHARACTER_BASE + code);
      continue;
    }
    packed = packed * 128 + code;
    count += 1;
    if (count === ASCII_CHUNK) flush();
  }
  flush();
}

function asciiText(packed: number): string {
  let text = '';
  for (let rest = packed; rest > 0; rest = Math.floor(rest / 128)) text = String.fromCharCode(rest % 128) + text;
  return text;
}
