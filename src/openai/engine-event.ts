import { editMembers, scanMembers, type Member } from './json-members.ts';
import { readUsage, usageJson, type Usage } from './usage.ts';

const FINISHED = Buffer.from('"finish_reason":"');
const FINISHED_SPACED = Buffer.from('"finish_reason": "');
const EMPTY_LIST = /^\[\s*\]$/;

/** One JSON event of an engine's stream, read as far as the stream's keeping needs. */
export interface EngineEvent {
  readonly kind: 'content' | 'usage' | 'error';
  /** The event's JSON as the client shall see it. */
  readonly json: Buffer;
  /** Running or final counts, when the event carried them. */
  readonly usage: Usage | null;
  /** Some choice ended with this event. */
  readonly finished: boolean;
}

/**
 * Reads one event's JSON. Running counts are taken out; the client sees `usage` only if it asked (`usageAsked`): null
 * on content events, OpenAI's shape on the closing one. Every other byte stays. Null when the JSON is no object.
 */
export function readEngineEvent(json: Buffer, usageAsked: boolean): EngineEvent | null {
  const members = scanMembers(json);
  if (members === null) return null;
  const find = (key: string): Member | undefined => members.find((member) => member.key === key);
  const choices = find('choices');
  const usageMember = find('usage');
  const usage = usageMember === undefined ? null : readUsage(JSON.parse(valueText(json, usageMember)));
  if (choices === undefined && find('error') !== undefined) return { kind: 'error', json, usage, finished: false };
  if (usage !== null && choices !== undefined && EMPTY_LIST.test(valueText(json, choices))) {
    return { kind: 'usage', json: editMembers(json, { usage: usageJson(usage) }, members) ?? json, usage, finished: false };
  }
  const isWrong = usageAsked ? usageMember === undefined || usage !== null : usageMember !== undefined;
  const shown = isWrong ? (editMembers(json, { usage: usageAsked ? 'null' : null }, members) ?? json) : json;
  return { kind: 'content', json: shown, usage, finished: json.includes(FINISHED) || json.includes(FINISHED_SPACED) };
}

/** True when an event only opens the answer: no choice has an end, or anything in it but a role yet. */
export function isPreamble(json: Buffer): boolean {
  const event: unknown = JSON.parse(json.toString());
  const choices = isObject(event) && Array.isArray(event['choices']) ? event['choices'] : [];
  return choices.every((choice: unknown) => {
    if (!isObject(choice) || choice['finish_reason'] != null || choice['text']) return false;
    const delta = isObject(choice['delta']) ? choice['delta'] : {};
    return Object.entries(delta).every(([key, value]) => key === 'role' || value == null || value === '' || isEmptyList(value));
  });
}

function valueText(json: Buffer, member: Member): string {
  return json.toString('utf8', member.valueStart, member.end);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
