import fc from 'fast-check';
import { expect, test } from 'vitest';
import { draftInvoice, parseSnapshot, snapshotText, type ChargeSum, type InvoiceDraft } from '../../src/billing/index.ts';
import { costOf, nanoUsdPerMTok, sumOf, type FemtoUsd } from '../../src/core/index.ts';

const CENT = 10n ** 13n;

const charges: fc.Arbitrary<ChargeSum> = fc
  .record({
    month: fc.constantFrom('2026-09', '2026-10'),
    project: fc.constantFrom('proj_a', 'proj_b', 'proj_c'),
    model: fc.constantFrom('m', 'n'),
    tier: fc.constantFrom('standard', 'batch'),
    priceRow: fc.constantFrom('price_a', 'price_b', null),
    window: fc.constantFrom('night', null),
    tokens: fc.record({ input: fc.integer(), inputCached: fc.integer(), output: fc.integer() }),
    prices: fc.record({ input: fc.nat(), inputCached: fc.nat(), output: fc.nat() }),
  })
  .map((one) => ({
    ...one,
    tier: one.tier === 'batch' ? 'batch' : 'standard',
    amounts: {
      input: costOf(one.tokens.input, nanoUsdPerMTok(one.prices.input)),
      inputCached: costOf(one.tokens.inputCached, nanoUsdPerMTok(one.prices.inputCached)),
      output: costOf(one.tokens.output, nanoUsdPerMTok(one.prices.output)),
    },
  }));

const drafts: fc.Arbitrary<InvoiceDraft> = fc.record({
  organization: fc.constant('org_a'),
  period: fc.constant('2026-10'),
  position: fc.nat(),
  seller: fc.constant(null),
  buyer: fc.constant(null),
  footer: fc.string(),
  taxes: fc.array(fc.record({ name: fc.constantFrom('VAT', 'city'), basis_points: fc.integer({ min: 0, max: 10_000 }) }), { maxLength: 2 }),
  charges: fc.array(charges, { maxLength: 30 }),
  projectNames: fc.constant({ proj_a: 'Search', proj_c: '' }),
  creditAvailable: fc.bigInt({ min: 0n, max: 10n ** 20n }).map((amount) => amount as FemtoUsd),
});

/** Half to even, by another way than the code's: of the two neighbours the nearer one, or the even one. */
function nearestCents(numerator: bigint, unit: bigint): bigint {
  const below = numerator >= 0n ? numerator / unit : -((-numerator + unit - 1n) / unit);
  const [low, high] = [numerator - below * unit, (below + 1n) * unit - numerator];
  if (low !== high) return low < high ? below : below + 1n;
  return below % 2n === 0n ? below : below + 1n;
}

test('the total is the lines, the rounding and the taxes less the credits, and each is what it must be', () => {
  fc.assert(
    fc.property(drafts, (draft) => {
      const { lines, subtotal, rounding, taxes, credits, total } = draftInvoice(draft);
      const all = sumOf(draft.charges.flatMap(({ amounts }) => Object.values(amounts)));
      expect(sumOf(lines.map(({ amount }) => amount))).toBe(all);
      expect(subtotal).toBe(all);
      expect(subtotal + rounding).toBe(nearestCents(subtotal, CENT) * CENT);
      expect(2n * (rounding < 0n ? 0n - rounding : rounding)).toBeLessThanOrEqual(CENT);
      for (const [i, { amount, basisPoints }] of taxes.entries()) {
        expect(basisPoints).toBe(draft.taxes[i]?.basis_points);
        expect(amount).toBe(nearestCents((subtotal + rounding) * BigInt(basisPoints), 10_000n * CENT) * CENT);
      }
      const gross = subtotal + rounding + sumOf(taxes.map(({ amount }) => amount));
      expect(total).toBe(gross - credits);
      expect(total % CENT).toBe(0n);
      expect(total).toBeGreaterThanOrEqual(0n);
      if (gross >= 0n) expect(credits >= 0n && credits <= draft.creditAvailable).toBe(true);
      if (gross < 0n) expect(credits).toBe(gross);
      if (total > 0n) expect(draft.creditAvailable - credits).toBeLessThan(CENT);
    }),
  );
});

test('the same charges in any order make the same text, and it is read as what was written', () => {
  fc.assert(
    fc.property(drafts, fc.infiniteStream(fc.nat()), (draft, picks) => {
      const shuffled = draft.charges.map((one) => ({ one, at: picks.next().value ?? 0 })).toSorted((a, b) => a.at - b.at).map(({ one }) => one);
      const snapshot = draftInvoice(draft);
      const text = snapshotText(snapshot);
      expect(snapshotText(draftInvoice({ ...draft, charges: shuffled }))).toBe(text);
      expect(parseSnapshot(text)).toEqual(snapshot);
    }),
  );
});

test('lines that differ in nothing are one, and none says that nothing was used', () => {
  const one: ChargeSum = {
    month: '2026-10',
    project: 'proj_a',
    model: 'm',
    tier: 'standard',
    priceRow: 'price_a',
    window: null,
    tokens: { input: 3, inputCached: 0, output: 5 },
    prices: { input: 2, inputCached: 1, output: 4 },
    amounts: { input: 6n as FemtoUsd, inputCached: 0n as FemtoUsd, output: 20n as FemtoUsd },
  };
  const head = { organization: 'o', period: '2026-10', position: 1, seller: null, buyer: null, footer: '', taxes: [], projectNames: {}, creditAvailable: 0n as FemtoUsd };
  const { lines } = draftInvoice({ ...head, charges: [one, one, { ...one, window: 'night' }] });
  expect(lines.map(({ window, tokenClass, quantity, amount }) => [window, tokenClass, quantity, amount])).toEqual([
    [null, 'input', 6, 12n],
    [null, 'output', 10, 40n],
    ['night', 'input', 3, 6n],
    ['night', 'output', 5, 20n],
  ]);
});
