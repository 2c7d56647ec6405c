/** What gateways have set aside of budgets and credit, and who they are. In PostgreSQL only: a gateway alone keeps that in memory. */
export const ALLOWANCE_SCHEMA = `
  CREATE TABLE allowance_holders (source text PRIMARY KEY, beat bigint NOT NULL);
  CREATE TABLE allowances (
    pot text NOT NULL,
    source text NOT NULL REFERENCES allowance_holders (source) ON DELETE CASCADE,
    amount numeric(38, 0) NOT NULL CHECK (amount >= 0),
    last_move bigint NOT NULL,
    last_added numeric(38, 0) NOT NULL,
    PRIMARY KEY (pot, source)
  );
  CREATE INDEX allowances_of_source ON allowances (source);
`;

export interface AllowanceTables {
  /** Gateways, by the names of their journals; the number grows while they are there. */
  readonly allowance_holders: { readonly source: string; readonly beat: number };
  /** `last_added`: what the newest move, `last_move`, came to. */
  readonly allowances: { readonly pot: string; readonly source: string; readonly amount: string; readonly last_move: number; readonly last_added: string };
}
