import { editMembers } from './json-members.ts';

/** What text completions make when the client sets no bound, as OpenAI has it. */
export const TEXT_TOKENS_DEFAULT = 16;

/**
 * The request body as the engine gets it: the client's own bytes, with `stream_options` asking for usage (always; and
 * for running counts where the engine keeps them) and whatever members the engine's adapter adds. `body` is a JSON object.
 */
export function engineBody(
  body: Buffer,
  terms: { readonly streamed: boolean; readonly runningCounts: boolean },
  added: Readonly<Record<string, string>> = {},
): Buffer {
  const options = terms.runningCounts
    ? '{"include_usage":true,"continuous_usage_stats":true}'
    : '{"include_usage":true}';
  return editMembers(body, { stream_options: terms.streamed ? options : null, ...added }) ?? body;
}
