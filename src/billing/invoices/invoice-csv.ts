import { nanoUsdPerMTok, perMillion, usdText, type FemtoUsd } from '../../core/index.ts';
import type { Invoice } from './invoice.ts';

const COLUMNS = ['kind', 'invoice', 'period', 'project', 'project_name', 'model', 'token_class', 'tier', 'window', 'month', 'price_id', 'quantity_tokens', 'usd_per_million_tokens', 'amount_usd', 'note'] as const;

type Cells = Partial<Record<(typeof COLUMNS)[number], string>>;

const CLASS_OF = { input: 'input', inputCached: 'input_cached', output: 'output' } as const;

/**
 * One row for each line and each step to the total (RFC 4180). The amounts of all rows but `total` add up to it. A text that a
 * spreadsheet would take for a formula has an apostrophe before it.
 */
export function invoiceCsv({ number, snapshot }: Invoice): string {
  const { lines, rounding, taxes, credits, total, period } = snapshot;
  const head: Cells = { invoice: number ?? 'draft', period };
  const step = (kind: string, amount: FemtoUsd, note = ''): Cells => ({ ...head, kind, amount_usd: usdText(amount), note });
  const rows: Cells[] = [
    ...lines.map((line) => ({
      ...head,
      kind: 'line',
      project: line.project,
      project_name: line.projectName,
      model: line.model,
      token_class: CLASS_OF[line.tokenClass],
      tier: line.tier,
      window: line.window ?? '',
      month: line.month,
      price_id: line.priceRow ?? '',
      quantity_tokens: String(line.quantity),
      usd_per_million_tokens: usdText(perMillion(nanoUsdPerMTok(line.unitPrice))),
      amount_usd: usdText(line.amount),
    })),
    step('rounding', rounding),
    ...taxes.map(({ name, basisPoints, amount }) => step('tax', amount, `${name}, ${basisPoints} basis points`)),
    step('credit', (0n - credits) as FemtoUsd),
    step('total', total),
  ];
  return [COLUMNS.join(','), ...rows.map((row) => COLUMNS.map((column) => cell(row[column] ?? '')).join(','))].map((line) => `${line}\r\n`).join('');
}

const NUMBER = /^-?\d+(\.\d+)?$/;

function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
