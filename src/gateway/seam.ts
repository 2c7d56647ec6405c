import { addUsage, editMembers, eventData, isPreamble, readUsage, SseSplitter, usageJson, type Usage } from '../openai/index.ts';
import type { DeliveredAnswer } from './delivered.ts';
import { SeamStop } from './seam-stop.ts';

const EVENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Joins the answer of a second engine to what a client has got from the first: its events get the first one's id, time and
 * model; the role is not said again; text stays text where an engine takes it for reasoning, for want of knowing that the
 * reasoning has ended; a stop sequence that began before the seam ends the answer; and the usage is that of the whole.
 */
export class Seam {
  readonly #splitter = new SseSplitter(EVENT_BYTES_MAX);
  readonly #head: Readonly<Record<string, string>>;
  readonly #delivered: Usage;
  readonly #isReasoningOver: boolean;
  readonly #stop: SeamStop | null;
  #hasBegun = false;

  /** `delivered`: exact counts of what the client has got. `stops`: the request's stop sequences. */
  constructor(answer: DeliveredAnswer, delivered: Usage, stops: readonly string[]) {
    this.#head = { id: JSON.stringify(answer.id), created: String(answer.created), model: JSON.stringify(answer.model) };
    this.#delivered = delivered;
    this.#isReasoningOver = answer.text !== '';
    this.#stop = answer.text === '' || stops.length === 0 ? null : new SeamStop(answer.text, stops);
  }

  /** A stop sequence was completed: what follows is no part of the answer. */
  get isStopped(): boolean {
    return this.#stop?.isMatched ?? false;
  }

  /** The bytes as the client is to get them; none is possible. */
  pass(bytes: Buffer): Buffer {
    const shown: Buffer[] = [];
    this.#splitter.push(bytes, (event) => {
      const data = eventData(event);
      const json = data === null ? null : this.#event(data);
      if (json !== null) shown.push(Buffer.from('data: '), json, Buffer.from('\n\n'));
    });
    return Buffer.concat(shown);
  }

  #event(json: Buffer): Buffer | null {
    if (this.isStopped) return null;
    const event: unknown = JSON.parse(json.toString());
    const choices: unknown = Reflect.get(Object(event), 'choices');
    if (!Array.isArray(choices)) return json;
    const headed = editMembers(json, this.#head) ?? json;
    if (choices.length === 0) return this.#usage(headed, event);
    if (!this.#hasBegun && isPreamble(json)) return null;
    this.#hasBegun = true;
    const changed = this.#choice(choices[0]);
    return changed === null ? headed : (editMembers(headed, { choices: JSON.stringify([changed, ...choices.slice(1)]) }) ?? headed);
  }

  #usage(json: Buffer, event: unknown): Buffer {
    const usage = readUsage(Reflect.get(Object(event), 'usage'));
    return usage === null ? json : (editMembers(json, { usage: usageJson(addUsage(this.#delivered, usage)) }) ?? json);
  }

  /** The choice as it is to be shown; null when it is right as it stands. */
  #choice(choice: unknown): object | null {
    const said: unknown = Reflect.get(Object(choice), 'delta') ?? choice;
    const name = 'text' in Object(said) ? 'text' : 'content';
    const members = { ...Object(said) } as Record<string, unknown>;
    let isChanged = false;
    if (this.#isReasoningOver && typeof members['reasoning_content'] === 'string') {
      members['content'] = members['reasoning_content'] + textOf(members['content']);
      delete members['reasoning_content'];
      isChanged = true;
    }
    const text = members[name];
    if (this.#stop !== null && typeof text === 'string' && text !== '') {
      members[name] = this.#stop.pass(text);
      isChanged ||= members[name] !== text;
    }
    const isEnd = typeof Reflect.get(Object(choice), 'finish_reason') === 'string';
    const rest = isEnd && this.#stop !== null ? this.#stop.release() : '';
    if (rest !== '') members[name] = rest + textOf(members[name]);
    if (!isChanged && rest === '') return null;
    const finish = this.isStopped ? { finish_reason: 'stop' } : {};
    return 'delta' in Object(choice) ? { ...Object(choice), delta: members, ...finish } : { ...members, ...finish };
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
