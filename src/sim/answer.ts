import { SimulatedText } from './simulated-text.ts';
import { tokenize, tokenText } from './tokenizer.ts';
import { MARK } from './vocabulary.ts';

/** What one choice will say: known from the start, told token by token as the engine makes them. */
export interface Answer {
  readonly tokens: readonly number[];
  /** The text each token adds; empty for marks, and for what a stop string cut away. */
  readonly pieces: readonly string[];
  /** How many of the first tokens are reasoning. */
  readonly reasoningTokens: number;
  readonly finishReason: 'stop' | 'length' | 'tool_calls';
  /** The stop string that ended it. */
  readonly matchedStop: string | null;
}

export interface AnswerTerms {
  readonly prompt: readonly number[];
  readonly seed: number;
  readonly maxTokens: number;
  readonly ignoreEnd: boolean;
  readonly stops: readonly string[];
}

/** The model's free answer. */
export function freeAnswer(terms: AnswerTerms): Answer {
  const model = new SimulatedText(terms.seed);
  for (const token of terms.prompt) model.push(token);
  const tokens: number[] = [];
  const pieces: string[] = [];
  let reasoningTokens = 0;
  let text = '';
  while (tokens.length < terms.maxTokens) {
    const isReasoning = model.isReasoning;
    const token = model.next(terms.ignoreEnd);
    model.push(token);
    tokens.push(token);
    pieces.push(tokenText(token));
    if (token === MARK.end) return { tokens, pieces, reasoningTokens, finishReason: 'stop', matchedStop: null };
    if (isReasoning) {
      reasoningTokens += 1;
      continue;
    }
    if (terms.stops.length === 0) continue;
    text += tokenText(token);
    const stop = firstStop(text, terms.stops);
    if (stop === null) continue;
    cutPieces(pieces, text.length - stop.at);
    return { tokens, pieces, reasoningTokens, finishReason: 'stop', matchedStop: stop.stop };
  }
  return { tokens, pieces, reasoningTokens, finishReason: 'length', matchedStop: null };
}

/** An answer whose text is given: a tool call's arguments or a JSON object. */
export function fixedAnswer(text: string, maxTokens: number, finishReason: 'stop' | 'tool_calls'): Answer {
  const all = [...tokenize(text), MARK.end];
  const tokens = all.slice(0, maxTokens);
  return {
    tokens,
    pieces: tokens.map(tokenText),
    reasoningTokens: 0,
    finishReason: tokens.length < all.length ? 'length' : finishReason,
    matchedStop: null,
  };
}

function firstStop(text: string, stops: readonly string[]): { stop: string; at: number } | null {
  let first: { stop: string; at: number } | null = null;
  for (const stop of stops) {
    // A stop string can only end within the newest token, so older text need not be searched again.
    const at = text.indexOf(stop, Math.max(0, text.length - stop.length - 32));
    if (at >= 0 && (first === null || at < first.at)) first = { stop, at };
  }
  return first;
}

/**
 * Takes the last `excess` characters off the text that the pieces make. Of a token that is cut in its middle nothing was told
 * while the stop string could still come, so what is left of it is told with the last token.
 */
function cutPieces(pieces: string[], excess: number): void {
  let left = excess;
  for (let i = pieces.length - 1; i >= 0 && left > 0; i -= 1) {
    const piece = pieces[i] ?? '';
    const cut = Math.min(left, piece.length);
    left -= cut;
    pieces[i] = '';
    pieces[pieces.length - 1] = piece.slice(0, piece.length - cut);
  }
}
