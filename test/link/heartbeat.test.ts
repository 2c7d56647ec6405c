import { beforeEach, describe, expect, test } from 'vitest';
import { Heartbeat } from '../../src/link/heartbeat.ts';
import { ManualClock } from '../support/manual-clock.ts';

let clock: ManualClock;
let pings: number[];
let deaths: number;
let heartbeat: Heartbeat;

beforeEach(() => {
  clock = new ManualClock();
  pings = [];
  deaths = 0;
  heartbeat = new Heartbeat({ clock, pingMs: 500, deadMs: 2_000 }, (id) => pings.push(id), () => (deaths += 1));
});

describe('a heartbeat', () => {
  test('pings at once and then at its period, and measures the way there and back', () => {
    expect(pings).toEqual([1]);
    clock.advance(30);
    expect(heartbeat.pong(1)).toBe(30);
    clock.advance(470);
    expect(pings).toEqual([1, 2]);
    expect(heartbeat.pong(2)).toBe(0);
  });

  test('takes each pong once, and none that it did not ask for', () => {
    expect(heartbeat.pong(0)).toBeNull();
    expect(heartbeat.pong(2)).toBeNull();
    expect(heartbeat.pong(1)).toBe(0);
    expect(heartbeat.pong(1)).toBeNull();
  });

  test('sends no second ping while one is out, so that its round trip stays exact', () => {
    clock.advance(1_000);
    expect(pings).toEqual([1]);
    expect(heartbeat.pong(1)).toBe(1_000);
  });

  test('finds a silent peer dead after its time, and one that says anything alive', () => {
    for (let i = 0; i < 10; i += 1) {
      clock.advance(1_000);
      heartbeat.heard();
    }
    expect(deaths).toBe(0);
    clock.advance(2_000);
    expect(deaths).toBe(0);
    clock.advance(500);
    expect(deaths).toBe(1);
  });

  test('does not blame the peer for time in which this process itself stood still', () => {
    const frozen = new StoppedTimers();
    let isDead = false;
    const held = new Heartbeat({ clock: frozen, pingMs: 500, deadMs: 2_000 }, () => {}, () => (isDead = true));
    frozen.nowMs = 60_000;
    frozen.fire();
    expect(isDead).toBe(false);
    for (frozen.nowMs += 500; frozen.nowMs <= 63_000; frozen.nowMs += 500) frozen.fire();
    expect(isDead).toBe(true);
    held.stop();
  });

  test('does nothing more once stopped', () => {
    heartbeat.stop();
    clock.advance(10_000);
    expect(pings).toEqual([1]);
    expect(deaths).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

/** A clock whose timers come late, as they do in a process that was held up. */
class StoppedTimers extends ManualClock {
  nowMs = 0;
  fire: () => void = () => {};

  override now(): number {
    return this.nowMs;
  }

  override every(_periodMs: number, task: () => void): () => void {
    this.fire = task;
    return () => {};
  }
}
