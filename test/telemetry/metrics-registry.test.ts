import { describe, expect, test } from 'vitest';
import { MetricsRegistry, type Labels, type MetricSnapshot } from '../../src/core/index.ts';

const COUNTED = { help: 'Things.', unit: '{thing}' } as const;

function only(registry: MetricsRegistry): MetricSnapshot {
  const [snapshot, ...more] = registry.read();
  expect(more).toEqual([]);
  if (snapshot === undefined) throw new Error('the registry is empty');
  return snapshot;
}

describe('a counter', () => {
  test('adds up what its child is given, and the child is the same at every look-up', () => {
    const registry = new MetricsRegistry();
    const things = registry.counter('things', { ...COUNTED, labels: ['model', 'region'] });
    const child = things.with({ model: 'a', region: 'x' });
    child.add(1);
    things.with({ region: 'x', model: 'a' }).add(2.5);
    things.with({ model: 'x', region: 'a' }).add(7);
    expect(things.with({ model: 'a', region: 'x' })).toBe(child);
    expect(only(registry)).toEqual({
      kind: 'counter',
      name: 'things',
      ...COUNTED,
      points: [
        { labels: { model: 'a', region: 'x' }, value: 3.5 },
        { labels: { model: 'x', region: 'a' }, value: 7 },
      ],
    });
  });

  test('without labels has one child', () => {
    const registry = new MetricsRegistry();
    registry.counter('things', COUNTED).with({}).add(4);
    expect(only(registry).points).toEqual([{ labels: {}, value: 4 }]);
  });

  test('does not go down, and is not spoilt by what is no number', () => {
    const registry = new MetricsRegistry();
    const child = registry.counter('things', COUNTED).with({});
    for (const n of [3, -1, NaN, Infinity, -Infinity]) child.add(n);
    expect(only(registry).points).toEqual([{ labels: {}, value: 3 }]);
  });

  test('keeps a bounded number of label sets; the rest is counted together, and nothing is lost', () => {
    const registry = new MetricsRegistry();
    const things = registry.counter('things', { ...COUNTED, labels: ['model', 'region'], childrenMax: 2 });
    for (let i = 0; i < 10; i += 1) things.with({ model: `m${i}`, region: 'x' }).add(1);
    things.with({ model: 'm1', region: 'x' }).add(1);
    expect(only(registry).points).toEqual([
      { labels: { model: 'm0', region: 'x' }, value: 1 },
      { labels: { model: 'm1', region: 'x' }, value: 2 },
      { labels: { model: 'other', region: 'other' }, value: 8 },
    ]);
  });

  test('that overflows shares the child of whoever is really called other, so that no series is there twice', () => {
    const registry = new MetricsRegistry();
    const things = registry.counter('things', { ...COUNTED, labels: ['model'], childrenMax: 1 });
    things.with({ model: 'other' }).add(1);
    things.with({ model: 'm' }).add(1);
    expect(only(registry).points).toEqual([{ labels: { model: 'other' }, value: 2 }]);
  });
});

describe('a histogram', () => {
  const TIMED = { help: 'Time.', unit: 's', bounds: [0.1, 1, 10] } as const;

  test('puts a value on a bound below it, and what is above the last bound in a bucket of its own', () => {
    const registry = new MetricsRegistry();
    const child = registry.histogram('time', TIMED).with({});
    for (const value of [0, 0.1, 0.11, 1, 10, 10.5, 1000]) child.record(value);
    expect(only(registry)).toMatchObject({
      kind: 'histogram',
      bounds: [0.1, 1, 10],
      points: [{ labels: {}, counts: [2, 2, 1, 2], count: 7, sum: 1021.71 }],
    });
  });

  test('records no value that is not a number', () => {
    const registry = new MetricsRegistry();
    const child = registry.histogram('time', TIMED).with({});
    for (const value of [NaN, Infinity, -Infinity]) child.record(value);
    expect(only(registry).points).toEqual([{ labels: {}, counts: [0, 0, 0, 0], count: 0, sum: 0 }]);
  });

  test.each([[[]], [[1, 1]], [[2, 1]], [[1, NaN]], [[1, Infinity]]])('refuses the bounds %j', (bounds) => {
    expect(() => new MetricsRegistry().histogram('time', { ...TIMED, bounds })).toThrow(RangeError);
  });
});

describe('a gauge', () => {
  test('is observed at each reading, and only then', () => {
    const registry = new MetricsRegistry();
    let value = 1;
    registry.gauge('level', { ...COUNTED, labels: ['node'] }, (set) => set({ node: 'a' }, value));
    value = 2;
    expect(only(registry).points).toEqual([{ labels: { node: 'a' }, value: 2 }]);
    value = 3;
    expect(only(registry).points).toEqual([{ labels: { node: 'a' }, value: 3 }]);
  });

  test('has one value per label set, the last, and leaves out label sets beyond its bound', () => {
    const registry = new MetricsRegistry();
    const nodes = ['a', 'b', 'c', 'a'];
    registry.gauge('level', { ...COUNTED, labels: ['node'], childrenMax: 2 }, (set) => {
      for (const [i, node] of nodes.entries()) set({ node }, i);
    });
    expect(only(registry).points).toEqual([
      { labels: { node: 'a' }, value: 3 },
      { labels: { node: 'b' }, value: 1 },
    ]);
  });

  test('that throws tells of it in its snapshot, and hides no other metric', () => {
    const registry = new MetricsRegistry();
    const fault = new Error('gone');
    registry.gauge('level', COUNTED, () => {
      throw fault;
    });
    registry.counter('things', COUNTED).with({}).add(1);
    expect(registry.read()).toMatchObject([{ name: 'level', points: [], fault }, { name: 'things', points: [{ value: 1 }] }]);
  });
});

test('a name is taken once', () => {
  const registry = new MetricsRegistry();
  registry.counter('things', COUNTED);
  expect(() => registry.gauge('things', COUNTED, () => {})).toThrow('twice');
});

test.each(['', 'Things', 'a-b', 'a..b', '1a', 'a b'])('%j is no name', (name) => {
  expect(() => new MetricsRegistry().counter(name, COUNTED)).toThrow(TypeError);
  expect(() => new MetricsRegistry().counter('things', { ...COUNTED, labels: [name] })).toThrow(TypeError);
});

test('a snapshot does not change when counting goes on', () => {
  const registry = new MetricsRegistry();
  const child = registry.histogram('time', { help: 'Time.', unit: 's', bounds: [1] }).with({});
  child.record(0.5);
  const before = structuredClone(registry.read());
  const kept = registry.read();
  child.record(0.5);
  expect(kept).toEqual(before);
});

test('labels that are put together alike are kept apart', () => {
  const registry = new MetricsRegistry();
  const things = registry.counter('things', { ...COUNTED, labels: ['a', 'b'] });
  const sets: Labels<'a' | 'b'>[] = [{ a: '1', b: '23' }, { a: '12', b: '3' }, { a: '', b: '123' }, { a: '1","2', b: '3' }];
  for (const labels of sets) things.with(labels).add(1);
  expect(only(registry).points).toEqual(sets.map((labels) => ({ labels, value: 1 })));
});
