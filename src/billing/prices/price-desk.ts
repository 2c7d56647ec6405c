import { isDeepStrictEqual } from 'node:util';
import { InTurn, MeridianError, instantText, type Clock } from '../../core/index.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { CurrentPrices } from './current-prices.ts';
import { priceBookFaults } from './price-book-faults.ts';
import { seriesOf, type PriceRow } from './price-book.ts';
import { priceId } from './price-id.ts';

export type NewPrice = Omit<PriceRow, 'id' | 'effectiveToMs' | 'hours'>;

export interface PriceDeskOptions {
  /** Of the book's file. */
  readonly rows: readonly PriceRow[];
  readonly prices: CurrentPrices;
  readonly ledger: Pick<Ledger, 'addPrice' | 'prices'>;
  readonly clock: Clock;
}

/** The book while the gateway runs: what its file says, and the rows that were added since. Nothing is taken out, and the past stays as it is. */
export class PriceDesk {
  readonly #options: PriceDeskOptions;
  /** Each row is held against a book that has all before it. */
  readonly #turns = new InTurn();
  #fileRows: readonly PriceRow[];

  constructor(options: PriceDeskOptions) {
    this.#options = options;
    this.#fileRows = options.rows;
  }

  /** Of the book's file, as it was read last. */
  get fileRows(): readonly PriceRow[] {
    return this.#fileRows;
  }

  /** The file says these now, which `bookChangeFaults` finds nothing wrong with. Resolves with whether that is anything new; throws `conflict` as `load` does, and changes nothing then. */
  useFile(rows: readonly PriceRow[]): Promise<boolean> {
    return this.#turns.run(async () => {
      if (isDeepStrictEqual(rows, this.#fileRows)) return false;
      this.#options.prices.replace(await this.#sound(rows));
      this.#fileRows = rows;
      return true;
    });
  }

  /** Puts what was added before into force. Throws `conflict` when the file says another price for the same time. */
  async load(): Promise<void> {
    this.#options.prices.replace(await this.#sound(this.#fileRows));
  }

  /** Every row, as it holds now. */
  async rows(): Promise<readonly PriceRow[]> {
    return this.#withAdded(this.#fileRows);
  }

  /** From its time on it holds in place of what held then. Throws `invalid_value`: for a time that has begun, and where a later row is there already. */
  add(wanted: NewPrice): Promise<PriceRow> {
    return this.#turns.run(() => this.#add(wanted));
  }

  async #sound(fileRows: readonly PriceRow[]): Promise<readonly PriceRow[]> {
    const rows = await this.#withAdded(fileRows);
    const [fault] = priceBookFaults(rows);
    if (fault !== undefined) throw new MeridianError('conflict', { message: `The price book and the prices that were added contradict each other: ${rows[fault.row]?.id} ${fault.message}.` });
    return rows;
  }

  async #withAdded(fileRows: readonly PriceRow[]): Promise<readonly PriceRow[]> {
    return (await this.#options.ledger.prices()).reduce(withRow, fileRows);
  }

  async #add(wanted: NewPrice): Promise<PriceRow> {
    const { ledger, prices, clock } = this.#options;
    const nowMs = clock.wallMs();
    if (wanted.effectiveFromMs < nowMs) {
      throw new MeridianError('invalid_value', { param: 'effective_from', message: `Invalid value for 'effective_from': a price cannot hold from ${instantText(wanted.effectiveFromMs)} on, which is past; what was used is never priced again.` });
    }
    const said = { ...wanted, hours: null };
    const row: PriceRow = { id: priceId(said), ...said, effectiveToMs: null };
    const rows = withRow(await this.rows(), row);
    const [fault] = priceBookFaults(rows);
    if (fault !== undefined) throw new MeridianError('invalid_value', { param: 'effective_from', message: `Invalid value for 'effective_from': the book would have a row that ${fault.message}.` });
    await ledger.addPrice(row, nowMs);
    prices.replace(rows);
    return row;
  }
}

/** The rows, those of its series that would hold beyond its beginning ended there. */
function withRow(rows: readonly PriceRow[], added: PriceRow): readonly PriceRow[] {
  const ended = rows.map((row) => {
    const isOver = row.effectiveToMs !== null && row.effectiveToMs <= added.effectiveFromMs;
    return seriesOf(row) !== seriesOf(added) || isOver || row.effectiveFromMs >= added.effectiveFromMs ? row : { ...row, effectiveToMs: added.effectiveFromMs };
  });
  return [...ended, added];
}
