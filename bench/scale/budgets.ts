import { startSharedFleet } from '../../test/support/shared-fleet.ts';
import { redisAt } from '../../test/support/redis-config.ts';
import { until } from '../../test/support/until.ts';
import { askMany } from './fleet-load.ts';

export interface BudgetFigures {
  readonly budgetUsd: number;
  readonly spentUsd: number;
  readonly requests: number;
  readonly overshootUsd: number;
}

/** Four gateways spend one budget as fast as they can, until nothing more is let in. */
export async function budgetFigures(postgresUrl: string, redisUrl: string, budgetUsd: number): Promise<BudgetFigures> {
  const fleet = await startSharedFleet({ gateways: 4, engines: 2, postgresUrl, redis: redisAt(redisUrl, { commandMs: 200, keyPrefix: 'budgets' }) });
  const urls = fleet.gateways.map(({ publicUrl }) => publicUrl);
  const { json } = await fleet.admin(0)('POST', '/admin/v1/budgets', { organization: 'org_default', amount_usd: String(budgetUsd), period: 'total' });
  await until(() => fleet.gateways.every(({ spending }) => spending.bounds({ organization: 'org_default', project: '', keyId: '' }, 0)), 'every gateway knows of the budget');
  let requests = 0;
  for (;;) {
    const { ms } = await askMany(urls, fleet.apiKey, 400, 48);
    requests += ms.length;
    if (ms.length === 0) break;
  }
  for (const { feed } of fleet.gateways) await feed.catchUp();
  const spentUsd = Number((await fleet.admin(1)('GET', `/admin/v1/budgets/${String(json['id'])}`)).json['spent_usd']);
  await fleet.close();
  return { budgetUsd, spentUsd, requests, overshootUsd: Math.max(0, spentUsd - budgetUsd) };
}
