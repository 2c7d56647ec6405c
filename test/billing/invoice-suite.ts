import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { amountDue, chargeOf, chargeTotal, snapshotText, type InvoiceSnapshot, type InvoiceTerms, type LedgerEvent, type Meter } from '../../src/billing/index.ts';
import { opposite, sumOf, usdText, type FemtoUsd } from '../../src/core/index.ts';
import { ledgerEvents, type OpenEmpty } from './ledger-suite.ts';

const TERMS: InvoiceTerms = { seller: null, footer: '', invoicePrefix: 'INV', creditNotePrefix: 'CN', dueDays: 30, projectNames: { proj_a: 'Search' } };
const OCTOBER_OVER_MS = Date.parse('2026-11-01T00:00:00Z');
const NOW_MS = Date.parse('2026-12-05T12:00:00Z');
const DAY_MS = 86_400_000;
const MONTHS = ['2026-09', '2026-10', '2026-11'];

const PRICE = { row: 'price_a', tier: 'standard', window: null, input: 560_000_000, inputCached: 70_000_000, output: 1_680_000_000 } as const;
const METER: Meter = { organization: 'org_a', project: 'proj_a', keyId: 'key_a', model: 'deepseek-v3', endpoint: 'chat.completions', price: PRICE };

function used(id: string, at: string, completionTokens: number, change: Partial<Meter> = {}): LedgerEvent {
  return { id, kind: 'request', meter: { ...METER, ...change }, atMs: Date.parse(at), usage: { promptTokens: 0, cachedTokens: 0, completionTokens, reasoningTokens: 0 } };
}

const costOf = (events: readonly LedgerEvent[]): FemtoUsd => sumOf(events.map(({ usage, meter }) => chargeTotal(chargeOf(usage, meter.price))));
const subtotalOf = ({ lines }: InvoiceSnapshot): FemtoUsd => sumOf(lines.map(({ amount }) => amount));

/** What any ledger must do with invoices. */
export function invoiceSuite(name: string, openEmpty: OpenEmpty, runsMax = Infinity): void {
  async function opened() {
    const ledger = await openEmpty();
    onTestFinished(() => ledger.close());
    let position = 0;
    const apply = (...events: LedgerEvent[]) => ledger.apply({ source: 'journal', position: (position += events.length), events, nowMs: NOW_MS });
    const create = (period: string, organization = 'org_a') => ledger.createInvoice({ id: `inv_${organization}_${period}`, organization, period, nowMs: NOW_MS }, TERMS);
    const act = (id: string, nowMs = NOW_MS) => ({ id, terms: TERMS, nowMs });
    return { ledger, apply, create, act };
  }

  describe(`invoices in ${name}`, () => {
    test('all months together say what all events cost, whenever each was finalized, and each event once', async () => {
      await fc.assert(
        fc.asyncProperty(ledgerEvents(), fc.nat(), fc.nat(), async (events, firstCut, secondCut) => {
          const ledger = await openEmpty();
          const [a, b] = [firstCut % (events.length + 1), secondCut % (events.length + 1)].toSorted((x, y) => x - y);
          const pieces = [events.slice(0, a), events.slice(a, b), events.slice(b)];
          const totals: FemtoUsd[] = [];
          for (const [i, period] of MONTHS.entries()) {
            await ledger.apply({ source: 'j', position: i + 1, events: pieces[i] ?? [], nowMs: NOW_MS });
            for (const organization of ['org_a', 'org_b']) {
              const id = `inv_${organization}_${period}`;
              const draft = await ledger.createInvoice({ id, organization, period, nowMs: NOW_MS }, TERMS);
              const preview = await ledger.previewInvoice(organization, period, TERMS);
              const { snapshot } = await ledger.finalizeInvoice({ id, terms: TERMS, nowMs: NOW_MS });
              expect(snapshotText(snapshot)).toBe(snapshotText(preview));
              expect(snapshotText(snapshot)).toBe(snapshotText(draft.snapshot));
              expect(subtotalOf(snapshot)).toBe(snapshot.subtotal);
              totals.push(snapshot.subtotal);
            }
          }
          const late = sumOf(await Promise.all(['org_a', 'org_b'].map(async (organization) => (await ledger.balance(organization)).unbilled)));
          expect(sumOf([...totals, late])).toBe(costOf(events));
          expect(await ledger.faults()).toEqual([]);
          await ledger.close();
        }),
        { numRuns: Math.min(20, runsMax) },
      );
    });

    test('the events of a month make the same invoice in any order', async () => {
      await fc.assert(
        fc.asyncProperty(ledgerEvents().chain((events) => fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length }))), async (orders) => {
          const texts = await Promise.all(
            orders.map(async (events) => {
              const ledger = await openEmpty();
              await ledger.apply({ source: 'j', position: 1, events, nowMs: NOW_MS });
              const snapshot = await ledger.previewInvoice('org_a', '2026-10', TERMS);
              await ledger.close();
              // Where its events stand in the ledger is the one thing that may differ.
              return snapshotText({ ...snapshot, position: 0 });
            }),
          );
          expect(texts[0]).toBe(texts[1]);
        }),
        { numRuns: Math.min(20, runsMax) },
      );
    });

    test('a line says what one project spent at one price, and its name', async () => {
      const { ledger, apply } = await opened();
      await apply(used('1', '2026-10-02T00:00:00Z', 1_000_000), used('2', '2026-10-03T00:00:00Z', 500_000, { keyId: 'key_b' }), used('3', '2026-10-03T00:00:00Z', 7, { project: 'proj_b' }));
      const { lines, subtotal, rounding, total } = await ledger.previewInvoice('org_a', '2026-10', TERMS);
      expect(lines).toEqual([
        { project: 'proj_a', projectName: 'Search', model: 'deepseek-v3', tokenClass: 'output', tier: 'standard', priceRow: 'price_a', window: null, month: '2026-10', quantity: 1_500_000, unitPrice: 1_680_000_000, amount: 2_520_000_000_000_000n },
        { project: 'proj_b', projectName: 'proj_b', model: 'deepseek-v3', tokenClass: 'output', tier: 'standard', priceRow: 'price_a', window: null, month: '2026-10', quantity: 7, unitPrice: 1_680_000_000, amount: 11_760_000_000n },
      ].toSorted((x, y) => (x.projectName < y.projectName ? -1 : 1)));
      expect([subtotal, rounding, total].map(usdText)).toEqual(['2.52001176', '-0.00001176', '2.52']);
    });

    test('what comes after the month was invoiced goes on the next invoice, as a line of its own month', async () => {
      const { ledger, apply, create, act } = await opened();
      await apply(used('1', '2026-10-02T00:00:00Z', 1_000_000));
      await create('2026-10');
      await ledger.finalizeInvoice(act('inv_org_a_2026-10'));
      await apply(used('2', '2026-10-31T23:59:59.999Z', 2_000_000), used('3', '2026-11-01T00:00:00Z', 3_000_000));
      const { lines } = await ledger.previewInvoice('org_a', '2026-11', TERMS);
      expect(lines.map(({ month, quantity }) => [month, quantity])).toEqual([
        ['2026-11', 3_000_000],
        ['2026-10', 2_000_000],
      ]);
      expect((await ledger.invoice('inv_org_a_2026-10', TERMS))?.snapshot.subtotal).toBe(1_680_000_000_000_000n);
      await ledger.rebuild();
      expect((await ledger.previewInvoice('org_a', '2026-11', TERMS)).lines).toEqual(lines);
    });

    test('numbers have no gaps, whatever fails between and however many come at once', async () => {
      const { ledger, create, act } = await opened();
      const organizations = Array.from({ length: 12 }, (_, i) => `org_${i}`);
      for (const organization of organizations) await create('2026-10', organization);
      const tries = await Promise.allSettled([...organizations, ...organizations].map((organization) => ledger.finalizeInvoice(act(`inv_${organization}_2026-10`))));
      const numbers = tries.flatMap((one) => (one.status === 'fulfilled' ? [String(one.value.number)] : []));
      expect(new Set(numbers)).toEqual(new Set(organizations.map((_, i) => `INV-${String(i + 1).padStart(6, '0')}`)));
      expect(tries.filter(({ status }) => status === 'rejected')).toHaveLength(12);
    });

    test('goes from draft to paid, and the books follow', async () => {
      const { ledger, apply, create, act } = await opened();
      await apply(used('1', '2026-10-02T00:00:00Z', 10_000_001));
      await ledger.putCustomer({ organization: 'org_a', terms: 'postpaid', buyer: null, taxes: [{ name: 'VAT', basis_points: 1_900 }] }, NOW_MS);
      const credit = { organization: 'org_a', note: '', createdAtMs: NOW_MS };
      await ledger.addCredit({ ...credit, id: 'c1', kind: 'granted', amount: 5_000_000_000_000_000n as FemtoUsd });
      await ledger.addCredit({ ...credit, id: 'c2', kind: 'paid', amount: 2_000_000_000_000_000n as FemtoUsd });
      expect(await create('2026-10')).toMatchObject({ status: 'draft', number: null });
      const finalized = await ledger.finalizeInvoice(act('inv_org_a_2026-10', OCTOBER_OVER_MS));
      expect(finalized).toMatchObject({ status: 'finalized', number: 'INV-000001', finalizedAtMs: OCTOBER_OVER_MS, dueAtMs: OCTOBER_OVER_MS + 30 * DAY_MS });
      const { snapshot } = finalized;
      expect([snapshot.subtotal, snapshot.rounding, snapshot.taxes[0]?.amount, snapshot.credits, snapshot.total].map((amount) => usdText(amount ?? (0n as FemtoUsd)))).toEqual(['16.80000168', '-0.00000168', '3.19', '7.00', '12.99']);
      expect(await ledger.balance('org_a')).toMatchObject({ unbilled: 0n, due: snapshot.total, credit: 0n, granted: 0n, paid: 0n });
      const paid = await ledger.payInvoice(act('inv_org_a_2026-10'));
      expect(paid).toMatchObject({ status: 'paid', paidAtMs: NOW_MS, snapshot });
      expect(await ledger.balance('org_a')).toMatchObject({ due: 0n });
      expect(await ledger.faults()).toEqual([]);
    });

    test('one that is voided owes nothing, gives its credit back as it was, and its events are on no other', async () => {
      const { ledger, apply, create, act } = await opened();
      await apply(used('1', '2026-10-02T00:00:00Z', 5_000_000));
      await ledger.addCredit({ id: 'c1', organization: 'org_a', kind: 'granted', amount: 1_000_000_000_000_000n as FemtoUsd, note: '', createdAtMs: NOW_MS });
      await create('2026-10');
      await ledger.finalizeInvoice(act('inv_org_a_2026-10'));
      expect(await ledger.voidInvoice(act('inv_org_a_2026-10'))).toMatchObject({ status: 'void', number: 'INV-000001', voidedAtMs: NOW_MS });
      expect(await ledger.balance('org_a')).toMatchObject({ unbilled: 0n, due: 0n, granted: 1_000_000_000_000_000n, paid: 0n });
      await expect(create('2026-10')).rejects.toMatchObject({ code: 'conflict', param: 'period' });
      expect((await ledger.previewInvoice('org_a', '2026-11', TERMS)).lines).toEqual([]);
      expect(await ledger.faults()).toEqual([]);
    });

    test('one that nobody pays is written off, and may be voided after', async () => {
      const { ledger, apply, create, act } = await opened();
      await apply(used('1', '2026-10-02T00:00:00Z', 5_000_000));
      await create('2026-10');
      await ledger.finalizeInvoice(act('inv_org_a_2026-10'));
      expect(await ledger.writeOffInvoice(act('inv_org_a_2026-10'))).toMatchObject({ status: 'uncollectible' });
      expect(await ledger.balance('org_a')).toMatchObject({ due: 0n });
      expect(await ledger.voidInvoice(act('inv_org_a_2026-10'))).toMatchObject({ status: 'void' });
      expect(await ledger.balance('org_a')).toMatchObject({ due: 0n, unbilled: 0n });
      expect(await ledger.faults()).toEqual([]);
    });

    test('credit notes make less due, or become credit once it is paid, and have numbers of their own', async () => {
      const { ledger, apply, create, act } = await opened();
      await apply(used('1', '2026-10-02T00:00:00Z', 5_000_000));
      await create('2026-10');
      const note = (id: string, amount: bigint) => ({ ...act('inv_org_a_2026-10'), note: id, amount: amount as FemtoUsd, reason: 'an outage' });
      await expect(ledger.creditInvoice(note('cn0', 10n ** 13n))).rejects.toMatchObject({ code: 'conflict', param: 'status' });
      await ledger.finalizeInvoice(act('inv_org_a_2026-10'));
      const credited = await ledger.creditInvoice(note('cn1', 140n * 10n ** 13n));
      expect([credited.creditNotes[0]?.number, usdText(amountDue(credited))]).toEqual(['CN-000001', '7.00']);
      for (const [amount, code] of [[0n, 'invalid_value'], [-(10n ** 13n), 'invalid_value'], [10n ** 13n + 1n, 'invalid_value'], [701n * 10n ** 13n, 'conflict']] as const) {
        await expect(ledger.creditInvoice(note('cn2', amount))).rejects.toMatchObject({ code, param: 'amount_usd' });
      }
      await ledger.payInvoice(act('inv_org_a_2026-10'));
      const again = await ledger.creditInvoice(note('cn2', 700n * 10n ** 13n));
      expect(again.creditNotes.map(({ number }) => number)).toEqual(['CN-000001', 'CN-000002']);
      expect(await ledger.balance('org_a')).toMatchObject({ paid: 7_000_000_000_000_000n, due: 0n });
      await expect(ledger.voidInvoice(act('inv_org_a_2026-10'))).rejects.toMatchObject({ code: 'conflict' });
      expect(await ledger.faults()).toEqual([]);
    });

    test('credit notes may give back all that was charged, and no more: what credit paid for too, and exactly the tax', async () => {
      const cents = fc.integer({ min: 0, max: 3_000 }).map((count) => BigInt(count) * 10n ** 13n);
      const cases = fc.record({
        tokens: fc.integer({ min: 1_000, max: 20_000_000 }),
        rates: fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: 2 }),
        granted: cents,
        paid: cents,
        notes: fc.array(fc.integer({ min: 1, max: 2_000 }), { maxLength: 4 }),
        paysAfter: fc.nat(4),
      });
      await fc.assert(
        fc.asyncProperty(cases, async ({ tokens, rates, granted, paid, notes, paysAfter }) => {
          const ledger = await openEmpty();
          const act = { id: 'inv_1', terms: TERMS, nowMs: NOW_MS };
          await ledger.apply({ source: 'j', position: 1, events: [used('1', '2026-10-02T00:00:00Z', tokens)], nowMs: NOW_MS });
          await ledger.putCustomer({ organization: 'org_a', terms: 'postpaid', buyer: null, taxes: rates.map((rate) => ({ name: 'T', basis_points: rate })) }, NOW_MS);
          const credit = { organization: 'org_a', note: '', createdAtMs: NOW_MS };
          if (granted > 0n) await ledger.addCredit({ ...credit, id: 'c1', kind: 'granted', amount: granted as FemtoUsd });
          if (paid > 0n) await ledger.addCredit({ ...credit, id: 'c2', kind: 'paid', amount: paid as FemtoUsd });
          await ledger.createInvoice({ id: 'inv_1', organization: 'org_a', period: '2026-10', nowMs: NOW_MS }, TERMS);
          let invoice = await ledger.finalizeInvoice(act);
          const { total, credits, taxes } = invoice.snapshot;
          let left = total + credits;
          const give = async (id: string, amount: bigint) => (invoice = await ledger.creditInvoice({ ...act, note: id, amount: amount as FemtoUsd, reason: 'r' }));
          for (const [i, part] of [...notes, Infinity].entries()) {
            if (i === paysAfter) invoice = await ledger.payInvoice(act);
            const wanted = part === Infinity ? left : (left * BigInt(part)) / 10_000n;
            const amount = wanted - (wanted % 10n ** 13n);
            if (amount === 0n) continue;
            await give(`cn_${i}`, amount);
            left -= amount;
            const note = invoice.creditNotes.at(-1);
            expect(note?.tax).toBeGreaterThanOrEqual(0n);
            expect(note?.tax).toBeLessThanOrEqual(amount);
            expect(amountDue(invoice)).toBeGreaterThanOrEqual(0n);
          }
          expect(left).toBe(0n);
          await expect(give('cn_more', 10n ** 13n)).rejects.toMatchObject({ code: 'conflict', param: 'amount_usd', message: expect.stringContaining('$0.00') });
          expect(sumOf(invoice.creditNotes.map(({ tax }) => tax))).toBe(sumOf(taxes.map(({ amount }) => amount)));
          const wasPaid = invoice.status === 'paid' ? total - sumOf(invoice.creditNotes.map((note) => sumOf([note.amount, opposite(note.credited)]))) : 0n;
          expect(await ledger.balance('org_a')).toMatchObject({ due: 0n, granted, paid: paid + wasPaid });
          expect(await ledger.faults()).toEqual([]);
          await ledger.close();
        }),
        { numRuns: Math.min(25, runsMax) },
      );
    });

    test('what was taken back becomes credit where it is more than what was used', async () => {
      const { ledger, apply, create, act } = await opened();
      const back: LedgerEvent = { ...used('1-0', '2026-10-02T00:00:00Z', -5_000_000), kind: 'adjustment' };
      await apply(back);
      await create('2026-10');
      const { snapshot } = await ledger.finalizeInvoice(act('inv_org_a_2026-10'));
      expect([snapshot.credits, snapshot.total].map(usdText)).toEqual(['-8.40', '0.00']);
      expect(await ledger.balance('org_a')).toMatchObject({ paid: 8_400_000_000_000_000n, unbilled: 0n, due: 0n });
      expect(await ledger.faults()).toEqual([]);
    });

    test('refuses what cannot be, and writes nothing of it', async () => {
      const { ledger, create, act } = await opened();
      await expect(create('2027-01')).rejects.toMatchObject({ code: 'invalid_value', param: 'period' });
      await expect(create('2026-13')).rejects.toMatchObject({ code: 'invalid_value', param: 'period' });
      await create('2026-12');
      await expect(ledger.finalizeInvoice(act('inv_org_a_2026-12'))).rejects.toMatchObject({ code: 'conflict', param: 'period', message: expect.stringContaining('2027-01-01T00:00:00.000Z') });
      await expect(ledger.payInvoice(act('inv_org_a_2026-12'))).rejects.toMatchObject({ code: 'conflict', param: 'status' });
      await expect(ledger.voidInvoice(act('inv_nobody'))).rejects.toMatchObject({ code: 'not_found' });
      await create('2026-11');
      await ledger.finalizeInvoice(act('inv_org_a_2026-11'));
      await ledger.voidInvoice(act('inv_org_a_2026-11'));
      for (const again of ['payInvoice', 'voidInvoice', 'finalizeInvoice', 'writeOffInvoice'] as const) {
        await expect(ledger[again](act('inv_org_a_2026-11'))).rejects.toMatchObject({ code: 'conflict', param: 'status', message: expect.stringContaining('is void') });
      }
      const [december] = (await ledger.invoices({ limit: 5, organization: 'org_a' }, TERMS)).filter(({ snapshot }) => snapshot.period === '2026-12');
      expect(december).toMatchObject({ status: 'draft', number: null });
      expect(await ledger.invoiceOf('org_b', '2026-12', TERMS)).toBeNull();
    });
  });
}
