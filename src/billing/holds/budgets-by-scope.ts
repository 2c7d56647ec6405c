import type { Budget } from '../ledger/billing-account.ts';
import { monthOf } from '../ledger/month.ts';
import type { Payer } from './spending.ts';

/** The budgets there are, found by who pays. */
export class BudgetsByScope {
  readonly #byScope = new Map<string, Budget[]>();

  add(budget: Budget): void {
    const key = scopeKey(budget.scope, budget.scopeId);
    this.#byScope.set(key, [...(this.#byScope.get(key) ?? []), budget]);
  }

  remove({ id, scope, scopeId }: Budget): void {
    const key = scopeKey(scope, scopeId);
    const rest = (this.#byScope.get(key) ?? []).filter((budget) => budget.id !== id);
    if (rest.length === 0) this.#byScope.delete(key);
    else this.#byScope.set(key, rest);
  }

  /** Those that bound what the payer may spend. */
  of({ organization, project, keyId }: Payer): readonly Budget[] {
    if (this.#byScope.size === 0) return NONE;
    return [scopeKey('organization', organization), scopeKey('project', project), scopeKey('key', keyId)].flatMap((key) =>
      (this.#byScope.get(key) ?? []).filter((budget) => budget.organization === organization),
    );
  }
}

const NONE: readonly Budget[] = [];

/** The month of `wallMs`, or `total`. */
export function periodOf(budget: Budget, wallMs: number): string {
  return budget.period === 'month' ? monthOf(wallMs) : 'total';
}

function scopeKey(scope: Budget['scope'], id: string): string {
  return `${scope} ${id}`;
}
