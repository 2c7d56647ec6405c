import { fileURLToPath } from 'node:url';
import { CurrentPrices, priceBookFaults, priceRows, type PriceRow } from '../billing/index.ts';
import { ConfigError, loadPrices, type GatewayConfig } from '../config/index.ts';
import { instantText, type Clock } from '../core/index.ts';

const SHIPPED = fileURLToPath(new URL('../../config/prices.yaml', import.meta.url));

/** The prices that the gateway goes by, from the rows of its book's file. Throws as `readPrices` does. */
export function openPrices(config: Pick<GatewayConfig, 'pricesFile' | 'models'>, clock: Clock): { readonly prices: CurrentPrices; readonly rows: readonly PriceRow[] } {
  const { rows } = readPrices(config, clock.wallMs());
  return { prices: new CurrentPrices(rows), rows };
}

/**
 * The rows of the price book's file. Throws a `ConfigError` when two hold at one time, a time between two has none, or a
 * model that is not free has none now.
 */
export function readPrices({ pricesFile = SHIPPED, models }: Pick<GatewayConfig, 'pricesFile' | 'models'>, nowMs: number): { readonly file: string; readonly rows: readonly PriceRow[] } {
  const rows = priceRows(loadPrices(pricesFile));
  const prices = new CurrentPrices(rows);
  const wrong = priceBookFaults(rows).map(({ row, message }) => ({ path: `prices[${row}]`, message }));
  const priceless = Object.entries(models).filter(([model, { free }]) => !free && prices.at(model, 'standard', nowMs) === null);
  const missing = priceless.map(([model]) => ({ path: 'prices', message: `has none for ${model} at ${instantText(nowMs)}; add a row, or say in the gateway's configuration models.${model}.free: true` }));
  const faults = [...wrong, ...missing].map((fault) => ({ line: null, ...fault }));
  if (faults.length > 0) throw new ConfigError(pricesFile, faults);
  return { file: pricesFile, rows };
}
