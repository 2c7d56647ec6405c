import { ADMIN_OPTION, adminCall } from './admin-call.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';

/** Whether the audit log and the books of a running gateway are as they were written, and what stands in the log. */
export const auditCommand: Command = {
  name: 'audit',
  summary: 'verify the audit log and the books of a running gateway, or list the log',
  usage: 'verify | list [--limit N]',
  options: {
    limit: { type: 'string', value: 'N', help: 'How many events, newest first.', default: '20' },
    admin: ADMIN_OPTION,
  },
  run(words) {
    const [what, ...rest] = words.positionals;
    if (what === 'verify' && rest.length === 0) return verify(words);
    if (what === 'list' && rest.length === 0) return list(words);
    throw new UsageError('say `verify` or `list`');
  },
};

async function verify(words: CommandWords): Promise<number> {
  const { events, fault } = await adminCall(words, 'GET', '/admin/v1/audit_log/verification');
  if (typeof fault === 'string') {
    process.stderr.write(`the audit log was changed: ${fault}\n`);
    return EXIT.failed;
  }
  process.stdout.write(`${String(events)} audit events, none changed, missing or out of place\n`);
  const { faults } = await adminCall(words, 'GET', '/admin/v1/ledger/verification');
  for (const one of Array.isArray(faults) ? faults : []) process.stderr.write(`the books: ${String(one)}\n`);
  if (Array.isArray(faults) && faults.length > 0) return EXIT.failed;
  process.stdout.write('the books add up, and are as they were written\n');
  return EXIT.ok;
}

async function list(words: CommandWords): Promise<number> {
  const { data } = await adminCall(words, 'GET', `/v1/organization/audit_logs?limit=${words.number('limit') ?? 20}`);
  for (const event of Array.isArray(data) ? data : []) {
    const { effective_at: at, type, organization, actor } = event as Record<string, unknown>;
    const who = String(Reflect.get(Object(Reflect.get(Object(actor), 'api_key')), 'id'));
    const what = String(Reflect.get(Object(Reflect.get(Object(event), String(type))), 'id'));
    process.stdout.write(`${[at, type, organization ?? '-', what, `by ${who}`].map(String).join('  ')}\n`);
  }
  return EXIT.ok;
}
