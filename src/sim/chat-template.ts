import { tokenize } from './tokenizer.ts';
import { MARK } from './vocabulary.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  /** What else belongs to the message (tool calls, a tool call's id), as text. */
  readonly extra: string;
}

export interface ChatTemplateTerms {
  readonly messages: readonly ChatMessage[];
  /** Tool definitions as JSON; empty without tools. */
  readonly tools: string;
  readonly thinking: boolean;
  /** The last message is the assistant's answer so far, which goes on. */
  readonly continueFinal: boolean;
  /** Stop once there are more tokens than this. */
  readonly limitTokens: number;
}

const ROLE_MARK: Readonly<Record<string, number>> = {
  system: MARK.system,
  developer: MARK.system,
  user: MARK.user,
  assistant: MARK.assistant,
  tool: MARK.tool,
};

/** The prompt of a chat, up to where the assistant's next token goes. */
export function chatPrompt(terms: ChatTemplateTerms): number[] {
  const tokens: number[] = [MARK.begin];
  if (terms.tools !== '') tokenize(terms.tools, tokens, terms.limitTokens);
  terms.messages.forEach((message, i) => {
    if (tokens.length > terms.limitTokens) return;
    const isContinued = terms.continueFinal && i === terms.messages.length - 1;
    tokens.push(ROLE_MARK[message.role] ?? MARK.user);
    if (isContinued) return writeOpenAnswer(message, terms, tokens);
    tokenize(message.content, tokens, terms.limitTokens);
    if (message.extra !== '') tokenize(message.extra, tokens, terms.limitTokens);
    if (message.role === 'assistant') tokens.push(MARK.end);
  });
  if (!terms.continueFinal) {
    tokens.push(MARK.assistant);
    if (terms.thinking) tokens.push(MARK.thinkStart);
  }
  return tokens;
}

const THINK_END = '</think>';

/** As SGLang does it: the text of the open message follows the template's opening of the answer, which opens the reasoning. */
function writeOpenAnswer({ content }: ChatMessage, { thinking, limitTokens }: ChatTemplateTerms, tokens: number[]): void {
  if (thinking) tokens.push(MARK.thinkStart);
  const end = thinking ? content.indexOf(THINK_END) : -1;
  if (end >= 0) {
    tokenize(content.slice(0, end), tokens, limitTokens);
    tokens.push(MARK.thinkEnd);
  }
  tokenize(end < 0 ? content : content.slice(end + THINK_END.length), tokens, limitTokens);
}
