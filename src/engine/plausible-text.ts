/** Characters that hardly stand in an answer: replacement characters, controls, private use, blocks and boxes. */
const ODD = /[\u{fffd}\p{Cc}\p{Co}\u2500-\u259f]/gu;
const ALLOWED_CONTROLS = /[\n\r\t]/g;
const ODD_SHARE_MAX = 0.02;
/** A broken model often says one thing again and again. */
const REPEAT_CHARS = 16;
const REPEAT_SHARE_MAX = 0.3;
const JUDGED_CHARS_MIN = 64;

/** What is wrong with an answer of some length, as far as one can see without knowing the question; null when nothing is. */
export function implausibility(text: string): string | null {
  const characters = Array.from(text.replace(ALLOWED_CONTROLS, ''));
  if (characters.length === 0) return 'it is empty';
  const odd = text.replace(ALLOWED_CONTROLS, '').match(ODD)?.length ?? 0;
  if (odd > characters.length * ODD_SHARE_MAX) return `${odd} of its ${characters.length} characters are no text`;
  const repeated = repeatedShare(text);
  if (characters.length >= JUDGED_CHARS_MIN && repeated > REPEAT_SHARE_MAX) return 'it says one thing again and again';
  return null;
}

/** How much of the text is taken by the piece of some characters that stands there most often. */
function repeatedShare(text: string): number {
  const counts = new Map<string, number>();
  let most = 0;
  for (let at = 0; at + REPEAT_CHARS <= text.length; at += 1) {
    const piece = text.slice(at, at + REPEAT_CHARS);
    const count = (counts.get(piece) ?? 0) + 1;
    counts.set(piece, count);
    most = Math.max(most, count);
  }
  return most <= 1 ? 0 : (most * REPEAT_CHARS) / text.length;
}
