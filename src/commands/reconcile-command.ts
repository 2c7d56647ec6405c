import { ADMIN_OPTION, adminCall } from './admin-call.ts';
import { EXIT, UsageError, type Command } from './command.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DIFFERENCES_TOLD = 20;

/** Holds what was charged against what nodes counted and engines reported. */
export const reconcileCommand: Command = {
  name: 'reconcile',
  summary: "hold a day's charges against what nodes and engines counted",
  usage: '--day 2026-11-26 [--post]',
  options: {
    day: { type: 'string', value: 'DAY', help: 'UTC day, as 2026-11-26.' },
    post: { type: 'boolean', help: 'Put corrections of estimates in the books.' },
    json: { type: 'boolean', help: 'Print all of it as JSON.' },
    admin: ADMIN_OPTION,
  },
  async run(words) {
    const day = words.text('day');
    if (words.positionals.length > 0 || day === undefined || !DAY.test(day)) throw new UsageError(`--day takes a day, as 2026-11-26, not '${day ?? ''}'`);
    const found = await adminCall(words, 'POST', '/admin/v1/reconciliations', { day, post: words.flag('post') });
    process.stdout.write(words.flag('json') ? `${JSON.stringify(found, null, 2)}\n` : textOf(found));
    return EXIT.ok;
  },
};

function textOf(found: Record<string, unknown>): string {
  const rows = (name: string): Record<string, unknown>[] => (Array.isArray(found[name]) ? (found[name] as Record<string, unknown>[]) : []);
  const [replicas, differences, corrections] = [rows('replicas'), rows('differences'), rows('corrections')];
  const columns = ['replica', 'attempts', 'charged', 'prompt_tokens', 'completion_tokens', 'made_usd', 'earned_usd', 'margin_usd'];
  const table = [columns, ...replicas.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '));
  const told = differences.slice(0, DIFFERENCES_TOLD).map((row) => `  ${String(row['attempt'])} on ${String(row['replica'])}: ${JSON.stringify(row['recorded'])} by ${String(row['source'])}, ${JSON.stringify(row['node'])} by its node`);
  const corrected = corrections.map((row) => `  ${String(row['id'])} (${String(row['organization'])}): $${String(row['amount_usd'])}`);
  return [
    `${String(found['day'])}: ${String(found['requests'])} requests`,
    ...lines,
    `${differences.length} attempts that two counted differently`,
    ...told,
    `${corrections.length} corrections ${found['posted'] === true ? 'posted' : 'to post'}`,
    ...corrected,
    '',
  ].join('\n');
}
