/** What an answer's first choice says, gathered from the bytes that the client gets. */
export class AnswerText {
  readonly #bytesMax: number;
  readonly #isStream: boolean;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  /** `bytesMax`: an answer that is longer counts as unknown. */
  constructor(isStream: boolean, bytesMax: number) {
    this.#isStream = isStream;
    this.#bytesMax = bytesMax;
  }

  add(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= this.#bytesMax) this.#pieces.push(bytes);
    else this.#pieces.length = 0;
  }

  /** The text, as far as it has come; null when the answer was too long to keep, or has no text. */
  read(): string | null {
    if (this.#bytes > this.#bytesMax) return null;
    const bytes = Buffer.concat(this.#pieces).toString();
    const text = this.#isStream ? bytes.split('\n').map(eventText).join('') : choiceText(parsed(bytes));
    return text === '' ? null : text;
  }
}

const DATA = 'data: ';

function eventText(line: string): string {
  return line.startsWith(`${DATA}{`) ? choiceText(parsed(line.slice(DATA.length))) : '';
}

function choiceText(answer: unknown): string {
  const choices: unknown = Reflect.get(Object(answer), 'choices');
  const choice: unknown = Array.isArray(choices) ? choices.find((one: unknown) => (Reflect.get(Object(one), 'index') ?? 0) === 0) : undefined;
  const said: unknown = Reflect.get(Object(choice), 'delta') ?? Reflect.get(Object(choice), 'message');
  const text: unknown = Reflect.get(Object(said), 'content') ?? Reflect.get(Object(choice), 'text');
  return typeof text === 'string' ? text : '';
}

/** What cannot be read says nothing: it is only a guess that gets worse. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
