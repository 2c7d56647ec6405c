const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const DATA = Buffer.from('data');

/** Cuts a byte stream into server-sent events, wherever its chunks were cut. Holds at most `eventBytesMax` bytes. */
export class SseSplitter {
  readonly #eventBytesMax: number;
  #rest: Buffer | null = null;

  constructor(eventBytesMax: number) {
    this.#eventBytesMax = eventBytesMax;
  }

  /** Calls `onEvent` for each event that ends in `chunk`, with its closing blank line. Throws RangeError on an oversize one. */
  push(chunk: Buffer, onEvent: (event: Buffer) => void): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    let from = this.#rest === null ? 0 : Math.max(0, this.#rest.length - 3);
    for (;;) {
      const end = blankLineEnd(bytes, from);
      if (end < 0) break;
      this.#checkLength(end - start);
      onEvent(bytes.subarray(start, end));
      start = end;
      from = end;
    }
    this.#checkLength(bytes.length - start);
    this.#rest = start === bytes.length ? null : bytes.subarray(start);
  }

  #checkLength(bytes: number): void {
    if (bytes > this.#eventBytesMax) throw new RangeError(`a server-sent event is longer than ${this.#eventBytesMax} bytes`);
  }
}

const DONE = Buffer.from('[DONE]');

/** Whether an event's data says that the stream is at its end. */
export function isDone(data: Buffer): boolean {
  return data.equals(DONE);
}

/** Offset just past the first blank line at or after `from`, or -1. */
function blankLineEnd(bytes: Buffer, from: number): number {
  let at = bytes.indexOf(LF, from);
  while (at >= 0) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
    at = bytes.indexOf(LF, at + 1);
  }
  return -1;
}

/** The data of one event: the bytes after `data:`, lines joined by LF; null for comments and other fields. */
export function eventData(event: Buffer): Buffer | null {
  const lines: Buffer[] = [];
  let start = 0;
  while (start < event.length) {
    let end = event.indexOf(LF, start);
    if (end < 0) end = event.length;
    const line = event.subarray(start, event[end - 1] === CR ? end - 1 : end);
    if (line[4] === COLON && line.subarray(0, 4).equals(DATA)) lines.push(line.subarray(line[5] === SPACE ? 6 : 5));
    start = end + 1;
  }
  if (lines.length <= 1) return lines[0] ?? null;
  return Buffer.from(lines.map((line) => line.toString()).join('\n'));
}
