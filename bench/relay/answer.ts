/**
 * The answer that the mock engine gives and the load generator expects: the same 64 tokens always, so that a token
 * lost, doubled or out of order anywhere on the way is seen.
 */
export const TOKENS_PER_STREAM = 64;

export const MODEL = 'deepseek-v3';

export const PROMPT_TOKENS = 200;

const WORDS = ['the', 'gateway', 'chooses', 'a', 'replica', 'and', 'streams', 'its', 'tokens', 'without', 'loss'];

/** The text of the token at `index` (0 to 63). */
export function tokenText(index: number): string {
  return ` ${WORDS[index % WORDS.length] ?? ''}${index}`;
}

/** All 64 tokens of an answer, joined. */
export const ANSWER_TEXT = Array.from({ length: TOKENS_PER_STREAM }, (_, index) => tokenText(index)).join('');
