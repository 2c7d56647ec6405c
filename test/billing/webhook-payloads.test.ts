import { expect, test } from 'vitest';
import { budgetWebhook, creditNoteWebhook, invoiceWebhook, type Budget, type CreditNote, type Invoice } from '../../src/billing/index.ts';
import { parseUsd, sumOf, type FemtoUsd } from '../../src/core/index.ts';

const usd = (text: string): FemtoUsd => parseUsd(text) ?? sumOf([]);
const AT_MS = Date.UTC(2026, 10, 1);

const NOTE: CreditNote = { id: 'cn_1', number: 'CN-000001', invoice: 'inv_1', amount: usd('2.50'), tax: usd('0.40'), credited: usd('0'), reason: 'outage', createdAtMs: AT_MS };
const INVOICE: Invoice = {
  id: 'inv_1',
  status: 'finalized',
  number: 'INV-000001',
  createdAtMs: AT_MS,
  finalizedAtMs: AT_MS,
  dueAtMs: AT_MS,
  paidAtMs: null,
  voidedAtMs: null,
  creditNotes: [NOTE],
  snapshot: {
    organization: 'org_a',
    period: '2026-10',
    position: 7,
    currency: 'USD',
    seller: null,
    buyer: null,
    footer: '',
    lines: [
      { project: 'p', projectName: 'P', model: 'm', tokenClass: 'output', tier: 'standard', priceRow: null, window: null, month: '2026-10', quantity: 1, unitPrice: 1, amount: usd('10') },
    ],
    subtotal: usd('10'),
    rounding: usd('0'),
    taxes: [],
    credits: usd('0'),
    total: usd('10'),
  },
};

test('an invoice is told without its lines, however many there are', () => {
  const { type, organization, data } = invoiceWebhook('invoice.finalized', INVOICE);
  expect([type, organization]).toEqual(['invoice.finalized', 'org_a']);
  expect(data).toMatchObject({ object: 'invoice', id: 'inv_1', number: 'INV-000001', total_usd: '10.00', amount_due_usd: '7.50' });
  expect(data).not.toHaveProperty('lines');
});

test('a credit note is told with its invoice', () => {
  expect(creditNoteWebhook(INVOICE, NOTE)).toMatchObject({
    type: 'credit_note.created',
    organization: 'org_a',
    data: { object: 'credit_note', id: 'cn_1', number: 'CN-000001', invoice: 'inv_1', invoice_number: 'INV-000001', amount_usd: '2.50', reason: 'outage' },
  });
});

test('a budget is reached when it is hard and used up; else one of its thresholds is', () => {
  const budget: Budget = { id: 'budget_1', organization: 'org_a', scope: 'key', scopeId: 'key_1', period: 'month', amount: usd('100'), isHard: true, warnPercents: [80, 100], createdAtMs: AT_MS, archivedAtMs: null };
  const typeOf = (percent: number, isHard: boolean) => budgetWebhook({ budget: { ...budget, isHard }, period: '2026-11', percent, spent: usd('80.1') }).type;
  expect([typeOf(80, true), typeOf(100, true), typeOf(80, false), typeOf(100, false)]).toEqual([
    'budget.threshold_reached',
    'budget.reached',
    'budget.threshold_reached',
    'budget.threshold_reached',
  ]);
  expect(budgetWebhook({ budget, period: '2026-11', percent: 80, spent: usd('80.1') })).toMatchObject({
    organization: 'org_a',
    data: { object: 'budget_reached', budget: 'budget_1', scope: 'key', scope_id: 'key_1', period: '2026-11', percent: 80, amount_usd: '100.00', spent_usd: '80.10', hard: true },
  });
});
