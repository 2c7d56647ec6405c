import { instantMs, instantText } from '../../core/index.ts';

const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/;
const MONTHS = 12;

/** The UTC month of an instant, as `2026-11`. */
export function monthOf(atMs: number): string {
  return instantText(atMs).slice(0, '2026-11'.length);
}

/** When it begins, in milliseconds since the epoch. */
export function monthStartMs(month: string): number {
  return instantMs(`${month}-01T00:00:00Z`) ?? Number.NaN;
}

export function isMonth(text: string): boolean {
  return MONTH.test(text);
}

export function nextMonth(month: string): string {
  const [, year = '', number = ''] = MONTH.exec(month) ?? [];
  const months = Number(year) * MONTHS + Number(number);
  return `${String(Math.floor(months / MONTHS)).padStart(4, '0')}-${String((months % MONTHS) + 1).padStart(2, '0')}`;
}
