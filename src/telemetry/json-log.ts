import type { Writable } from 'node:stream';
import type { Clock, Logger } from '../core/index.ts';
import { redacted } from './redacted.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const BUFFERED_BYTES_MAX = 1_048_576;

export interface JsonLogOptions {
  /** The least that is written, or what tells it. */
  readonly level: LogLevel | (() => LogLevel);
  readonly stream: Pick<Writable, 'write' | 'writableLength'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** What a stream that is not read may hold, in bytes; lines beyond it are dropped and counted. 1 MiB. */
  readonly bufferedBytesMax?: number;
}

/**
 * One JSON object per line: `time` (ISO 8601, UTC), `level`, `message`, then the fields, without secrets and prompts.
 * Logging never throws.
 */
export function jsonLog({ level, stream, clock, bufferedBytesMax = BUFFERED_BYTES_MAX }: JsonLogOptions): Logger {
  const least = typeof level === 'function' ? level : () => level;
  let dropped = 0;

  function write(lineLevel: LogLevel, fields: object, message: string): void {
    if (RANKS[lineLevel] < RANKS[least()]) return;
    if (stream.writableLength > bufferedBytesMax) {
      dropped += 1;
      return;
    }
    const time = Temporal.Instant.fromEpochMilliseconds(Math.trunc(clock.wallMs())).toString({ smallestUnit: 'millisecond' });
    if (dropped > 0) stream.write(line(time, 'warn', { lines: dropped }, 'Lines of the log were dropped: nobody read them.'));
    dropped = 0;
    stream.write(line(time, lineLevel, fields, message));
  }

  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}

function line(time: string, level: LogLevel, fields: object, message: string): string {
  const head = { time, level, message: redacted(message) };
  return `${JSON.stringify({ ...head, ...shown(fields), ...head })}\n`;
}

function shown(fields: object): object {
  try {
    const plain = redacted(fields);
    // An error given in place of fields is one field, so that its message does not stand for the line's.
    return fields instanceof Error ? { error: plain } : Object(plain);
  } catch (thrown) {
    return { unreadable: String(thrown) };
  }
}
