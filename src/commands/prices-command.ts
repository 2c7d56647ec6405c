import { PriceBook, priceBookFaults, priceRows, type PriceRow, type PriceTier } from '../billing/index.ts';
import { ConfigError, loadPrices } from '../config/index.ts';
import { instantMs, perMillion, usdText, type NanoUsdPerMTok } from '../core/index.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';

const TIERS: readonly PriceTier[] = ['standard', 'priority', 'batch'];

/** Checks a price book, and tells which of its prices holds at an instant. */
export const pricesCommand: Command = {
  name: 'prices',
  summary: 'check a price book, or tell the price at an instant',
  usage: 'check FILE | at INSTANT --model NAME [--tier TIER] [--file FILE]',
  options: {
    model: { type: 'string', value: 'NAME', help: 'Whose price.' },
    tier: { type: 'string', value: 'TIER', help: `One of ${TIERS.join(', ')}.`, default: 'standard' },
    file: { type: 'string', value: 'FILE', help: 'The price book.', default: 'config/prices.yaml' },
  },
  run(words) {
    const [what, subject, ...rest] = words.positionals;
    if (subject === undefined || rest.length > 0) throw new UsageError('say `check FILE` or `at INSTANT`');
    if (what === 'check') return Promise.resolve(check(subject));
    if (what === 'at') return Promise.resolve(priceAt(subject, words));
    throw new UsageError('say `check FILE` or `at INSTANT`');
  },
};

function check(file: string): number {
  const rows = read(file);
  if (rows === null) return EXIT.usage;
  if (tell(file, priceBookFaults(rows)) > 0) return EXIT.usage;
  process.stdout.write(`${file}: ${rows.length} rows, no overlap and no gap\n`);
  return EXIT.ok;
}

function priceAt(instant: string, words: CommandWords): number {
  const admittedAtMs = instantMs(instant);
  if (admittedAtMs === null) throw new UsageError(`'${instant}' is no instant with its zone; write it as 2025-02-08T16:00:00Z`);
  const model = words.text('model');
  if (model === undefined) throw new UsageError('--model NAME is missing');
  const tier = TIERS.find((name) => name === words.text('tier'));
  if (tier === undefined) throw new UsageError(`--tier takes one of ${TIERS.join(', ')}, not '${words.text('tier')}'`);
  const file = words.text('file') ?? '';
  const rows = read(file);
  if (rows === null) return EXIT.usage;
  const overlaps = priceBookFaults(rows).filter(({ kind }) => kind === 'overlap');
  if (tell(file, overlaps) > 0) return EXIT.usage;
  const row = new PriceBook(rows).find({ model, tier, admittedAtMs });
  if (row === null) {
    process.stderr.write(`${model} (${tier}) has no price at ${instant}\n`);
    return EXIT.failed;
  }
  process.stdout.write(`input ${usd(row.input)}  input_cached ${usd(row.inputCached)}  output ${usd(row.output)}  per million tokens\n`);
  return EXIT.ok;
}

function usd(price: NanoUsdPerMTok): string {
  return `$${usdText(perMillion(price))}`;
}

/** Tells each fault; their number. */
function tell(file: string, faults: ReturnType<typeof priceBookFaults>): number {
  for (const { kind, row, message } of faults) process.stderr.write(`${file}: ${kind}: prices[${row}] ${message}\n`);
  return faults.length;
}

/** Null when the file has faults, which are then told. */
function read(file: string): PriceRow[] | null {
  try {
    return priceRows(loadPrices(file));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}
