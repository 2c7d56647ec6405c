import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Ledger, LedgerFeed } from '../../billing/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';

const Verified = Type.Object({
  object: Type.Literal('ledger.verification'),
  intact: Type.Boolean(),
  faults: Type.Array(Type.String({ description: 'What does not add up, or is not as it was written.' })),
});

/** Whether the books add up and are as they were written. */
export function ledgerRoutes(app: FastifyInstance, { ledger, feed }: { readonly ledger: Pick<Ledger, 'faults'>; readonly feed: Pick<LedgerFeed, 'catchUp'> }): void {
  const verify = { summary: 'Verify the books', tags: ['billing'], response: { 200: Verified, ...ERRORS } };
  app.get('/admin/v1/ledger/verification', { schema: verify }, async () => {
    await feed.catchUp();
    const faults = [...(await ledger.faults())];
    return { object: 'ledger.verification' as const, intact: faults.length === 0, faults };
  });
}
