import { describe, expect, test } from 'vitest';
import { instantMs, isDate, isTimeZone, localTime } from '../../src/core/index.ts';

describe('instants', () => {
  test('are read with their zone', () => {
    expect(instantMs('2025-02-08T16:00:00Z')).toBe(Date.UTC(2025, 1, 8, 16));
    expect(instantMs('2025-02-09T00:00+08:00')).toBe(Date.UTC(2025, 1, 8, 16));
    expect(instantMs('2024-02-29T23:59:59.999-05:00')).toBe(Date.UTC(2024, 2, 1, 4, 59, 59, 999));
  });

  test.each(['2025-02-08T16:00:00', '2025-02-08', '2025-02-29T00:00:00Z', '2025-13-01T00:00:00Z', '2025-02-08T24:00:00Z', 'now', ''])('%o is none', (text) => {
    expect(instantMs(text)).toBeNull();
  });

  test('dates and zones are told from what is none', () => {
    expect(['2026-12-25', '2026-12-32', '2026-2-5'].map(isDate)).toEqual([true, false, false]);
    expect(['UTC', 'Asia/Shanghai', 'Mars/Olympus'].map(isTimeZone)).toEqual([true, true, false]);
  });
});

describe('local time', () => {
  test('is what the clocks of the zone show, over the change to summer time too', () => {
    const before = localTime(Date.UTC(2026, 2, 29, 0, 59), 'Europe/London');
    expect(before).toEqual({ day: { date: '2026-03-29', weekday: 'sun' }, dayBefore: { date: '2026-03-28', weekday: 'sat' }, minute: 59 });
    expect(localTime(Date.UTC(2026, 2, 29, 1, 0), 'Europe/London').minute).toBe(120);
  });

  test('has midnight as minute 0 of the new day', () => {
    expect(localTime(Date.UTC(2025, 11, 31, 16), 'Asia/Shanghai')).toMatchObject({ day: { date: '2026-01-01', weekday: 'thu' }, minute: 0 });
  });
});
