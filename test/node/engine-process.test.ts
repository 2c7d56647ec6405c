import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { noLog, seededRng, systemClock, type Clock, type Logger } from '../../src/core/index.ts';
import { EngineProcess } from '../../src/node/engine-process.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually } from '../support/eventually.ts';

const CHILD = 'test/support/child-engine.mjs';
const RESTART = { backoffMinMs: 1_000, backoffMaxMs: 8_000 };

let engine: EngineProcess | null = null;

afterEach(async () => {
  await engine?.stop();
  engine = null;
});

interface Seen {
  starts: number;
  readonly exits: string[];
  readonly lines: string[];
}

function start(command: readonly string[], clock: Clock = systemClock, stopGraceMs = 5_000): Seen {
  const seen: Seen = { starts: 0, exits: [], lines: [] };
  const log: Logger = { ...noLog, debug: (line) => void seen.lines.push(String(Reflect.get(line, 'text'))) };
  engine = new EngineProcess(
    { command, env: { ENGINE_NAME: 'one' }, restart: RESTART, stopGraceMs },
    { clock, rng: seededRng(1), log },
    { onStarted: () => (seen.starts += 1), onExited: (reason) => seen.exits.push(reason) },
  );
  engine.start();
  return seen;
}

/** Whether a process still runs; one that was killed and that its new parent has not collected yet does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !readFileSync(stat, 'utf8').includes(') Z ');
}

describe('the engine’s process', () => {
  test('gets its environment, and its output is logged', async () => {
    const seen = start([process.execPath, CHILD, 'serve']);
    await eventually(() => expect(seen.lines.join('\n')).toContain('serving one'));
  });

  test('is started again when it ends, with growing pauses, and the loop shows', async () => {
    const clock = new ManualClock();
    const seen = start([process.execPath, CHILD, 'crash'], clock);
    const pausesMs: number[] = [];
    for (let crash = 1; crash <= 4; crash += 1) {
      await eventually(() => expect(seen.exits).toHaveLength(crash));
      pausesMs.push(Number(/in (\d+) ms/.exec(seen.exits[crash - 1] ?? '')?.[1]));
      clock.advance(pausesMs.at(-1) ?? 0);
      if (seen.starts === crash) clock.advance(1);
    }
    expect(seen.exits[0]).toContain('exited with code 3; it is started again');
    expect(seen.exits[3]).toContain('4 times in a row');
    expect(Math.min(...pausesMs)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(8_000);
    expect(Math.max(...pausesMs)).toBeGreaterThan(1_000);
    expect(seen.starts).toBe(5);
  });

  test('that cannot be started is tried again too', async () => {
    const seen = start(['/no/such/engine']);
    await eventually(() => expect(seen.exits[0]).toContain('could not be started'));
  });

  test('is killed with all it started when it does not obey', async () => {
    const seen = start([process.execPath, CHILD, 'stubborn'], systemClock, 50);
    await eventually(() => expect(seen.lines.join('\n')).toContain('serving'));
    const pid = engine?.pid ?? 0;
    const childPid = Number(/child (\d+)/.exec(seen.lines.join('\n'))?.[1]);
    expect(isAlive(pid) && isAlive(childPid)).toBe(true);
    await engine?.stop();
    await eventually(() => expect(isAlive(pid) || isAlive(childPid)).toBe(false));
    expect(seen.exits).toEqual([]);
  });
});
