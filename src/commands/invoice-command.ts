import { writeFileSync } from 'node:fs';
import { INVOICE_FORMATS } from '../billing/index.ts';
import { ADMIN_OPTION, adminCall, adminDocument } from './admin-call.ts';
import { EXIT, UsageError, type Command } from './command.ts';

const MONTH = /^\d{4}-\d{2}$/;

/** The invoice of an organization's month from a running gateway: finalized, or as it would be now. */
export const invoiceCommand: Command = {
  name: 'invoice',
  summary: 'get the invoice of a month, or what it would say now',
  usage: '--org ORG --month 2026-11 [--format FORMAT] [--out FILE] [--finalize]',
  options: {
    org: { type: 'string', value: 'ORG', help: 'Whose invoice.' },
    month: { type: 'string', value: 'MONTH', help: 'Its month in UTC, as 2026-11.' },
    format: { type: 'string', value: 'FORMAT', help: `One of ${INVOICE_FORMATS.join(', ')}.`, default: 'json' },
    out: { type: 'string', value: 'FILE', help: 'Where to write it; a PDF goes into a file of its own name without it, the others to the terminal.' },
    finalize: { type: 'boolean', help: 'Finalize it first: from then on it stays as it is. The month must be over.' },
    admin: ADMIN_OPTION,
  },
  async run(words) {
    const [organization, month, format] = ['org', 'month', 'format'].map((name) => words.text(name));
    if (words.positionals.length > 0 || organization === undefined) throw new UsageError('say --org ORG');
    if (month === undefined || !MONTH.test(month)) throw new UsageError(`--month takes a month, as 2026-11, not '${month ?? ''}'`);
    if (!INVOICE_FORMATS.some((known) => known === format)) throw new UsageError(`--format takes one of ${INVOICE_FORMATS.join(', ')}, not '${format}'`);
    const query = new URLSearchParams({ organization, period: month });
    if (words.flag('finalize')) {
      const known = await adminCall(words, 'GET', `/admin/v1/invoices/of_month?${String(query)}`);
      const id = known['id'] === 'preview' ? (await adminCall(words, 'POST', '/admin/v1/invoices', { organization, period: month }))['id'] : known['id'];
      await adminCall(words, 'POST', `/admin/v1/invoices/${String(id)}/finalize`);
    }
    const { body, filename } = await adminDocument(words, `/admin/v1/invoices/of_month?${String(query)}&format=${format}`);
    const file = words.text('out') ?? (format === 'pdf' ? filename : null);
    if (file === null) {
      process.stdout.write(body);
    } else {
      writeFileSync(file, body);
      process.stderr.write(`written to ${file}\n`);
    }
    return EXIT.ok;
  },
};
