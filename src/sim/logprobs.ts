import type { Answer } from './answer.ts';

/** OpenAI's log probabilities for tokens `from` to `to` of an answer: made up, the same each time, and falling by rank. */
export function logprobsJson(kind: 'chat' | 'text', answer: Answer, from: number, to: number, alternatives: number): string {
  const entries = [];
  for (let k = from; k < to; k += 1) entries.push(entry(answer, k, alternatives));
  if (kind === 'chat') return JSON.stringify({ content: entries });
  return JSON.stringify({
    tokens: entries.map((one) => one.token),
    token_logprobs: entries.map((one) => one.logprob),
    top_logprobs: entries.map((one) => Object.fromEntries(one.top_logprobs.map((top) => [top.token, top.logprob]))),
    text_offset: entries.map(() => 0),
  });
}

function entry(answer: Answer, k: number, alternatives: number) {
  const token = answer.pieces[k] ?? '';
  const logprob = -((answer.tokens[k] ?? 0) % 97) / 100;
  const ranked = Array.from({ length: alternatives }, (_, rank) =>
    rank === 0 ? spelled(token, logprob) : spelled(` option${rank}`, logprob - rank),
  );
  return { ...spelled(token, logprob), top_logprobs: ranked };
}

function spelled(token: string, logprob: number) {
  return { token, logprob, bytes: [...Buffer.from(token)] };
}
