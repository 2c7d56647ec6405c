import { Type, type Static } from 'typebox';
import type { Balance } from '../../billing/index.ts';
import { opposite, sumOf, usdText, type FemtoUsd } from '../../core/index.ts';

/** The balance as DeepSeek's API has it. */
export const BalanceObject = Type.Object({
  is_available: Type.Boolean({ description: 'Whether requests are served.' }),
  balance_infos: Type.Array(
    Type.Object({
      currency: Type.Literal('USD'),
      total_balance: Type.String({ description: 'Credit less what was used since the last invoice. Dollars, exact.' }),
      granted_balance: Type.String(),
      topped_up_balance: Type.String(),
    }),
  ),
});

const NONE = 0n as FemtoUsd;

/** What was used is taken from what was granted first. */
export function balanceObject({ terms, granted, unbilled, available }: Balance): Static<typeof BalanceObject> {
  const rest = sumOf([granted, opposite(unbilled)]);
  const grantedLeft = rest > NONE ? rest : NONE;
  return {
    is_available: terms === 'postpaid' || available > NONE,
    balance_infos: [
      {
        currency: 'USD',
        total_balance: usdText(available),
        granted_balance: usdText(grantedLeft),
        topped_up_balance: usdText(sumOf([available, opposite(grantedLeft)])),
      },
    ],
  };
}
