import { editMembers, scanMembers, type Member } from './json-members.ts';

/** What an event of a stream with one choice tells of tokens. */
export interface ChoiceTokens {
  /** The event without the ids. */
  readonly json: Buffer;
  readonly ids: readonly number[];
  readonly promptIds: readonly number[];
  /** It adds something to the answer; ids without it belong to text that is held back. */
  readonly hasText: boolean;
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const IDS_CUT = { token_ids: null, prompt_token_ids: null };
const SAYING = ['content', 'reasoning_content', 'reasoning', 'tool_calls', 'function_call', 'refusal', 'text'];
const SAYS_NOTHING = /^(null|""|\[\s*\])$/;

/** Takes the token ids out of an event, wherever the engine puts them: beside the choices, or in the choice. */
export function takeTokenIds(json: Buffer): ChoiceTokens {
  const members = scanMembers(json) ?? [];
  const choices = find(members, 'choices');
  const start = choices === undefined ? -1 : json.indexOf(OPEN_BRACE, choices.valueStart);
  if (choices === undefined || start < 0 || start >= choices.end) return { json, ids: [], promptIds: [], hasText: false };
  const end = json.lastIndexOf(CLOSE_BRACE, choices.end - 1) + 1;
  const choice = json.subarray(start, end);
  const own = scanMembers(choice) ?? [];
  const shown = editMembers(choice, IDS_CUT, own) ?? choice;
  const whole = shown === choice ? json : Buffer.concat([json.subarray(0, start), shown, json.subarray(end)]);
  return {
    json: find(members, 'prompt_token_ids') === undefined ? whole : (editMembers(whole, IDS_CUT) ?? whole),
    ids: idsOf(choice, find(own, 'token_ids')),
    promptIds: [...idsOf(choice, find(own, 'prompt_token_ids')), ...idsOf(json, find(members, 'prompt_token_ids'))],
    hasText: saysSomething(choice, own),
  };
}

function saysSomething(choice: Buffer, members: readonly Member[]): boolean {
  const delta = find(members, 'delta');
  const said = delta === undefined ? members : (scanMembers(choice, delta.valueStart) ?? []);
  return said.some((member) => SAYING.includes(member.key) && !SAYS_NOTHING.test(choice.toString('utf8', member.valueStart, Math.min(member.end, member.valueStart + 8))));
}

function idsOf(json: Buffer, member: Member | undefined): number[] {
  if (member === undefined) return [];
  const ids: unknown = JSON.parse(json.toString('utf8', member.valueStart, member.end));
  return Array.isArray(ids) ? ids.filter((id): id is number => Number.isSafeInteger(id) && id >= 0 && id <= 0xffff_ffff) : [];
}

function find(members: readonly Member[], key: string): Member | undefined {
  return members.find((member) => member.key === key);
}
