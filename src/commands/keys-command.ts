import { ADMIN_OPTION, adminCall } from './admin-call.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';

/** Makes, lists and revokes API keys of a running gateway, through its admin API. */
export const keysCommand: Command = {
  name: 'keys',
  summary: 'make, list, rotate and revoke API keys of a running gateway',
  usage: 'create --name NAME | list | rotate ID | revoke ID',
  options: {
    name: { type: 'string', value: 'NAME', help: 'What the key is for.' },
    regions: { type: 'string', value: 'A,B', help: 'Regions the key may use; all without it.' },
    models: { type: 'string', value: 'A,B', help: 'Models the key may use; all without it.' },
    organization: { type: 'string', value: 'ORG', help: 'Whose key it is; org_default without it.' },
    project: { type: 'string', value: 'PROJECT', help: 'The project it is of; the default one of its organization without it.' },
    networks: { type: 'string', value: 'A,B', help: 'Networks it may be used from, as 10.0.0.0/8; anywhere without it.' },
    grace: { type: 'string', value: 'SECONDS', help: 'How long a rotated key stays good.', default: '86400' },
    'priority-max': { type: 'string', value: 'CLASS', help: 'The highest class its requests may ask for: critical, standard or batch (default: standard).' },
    admin: ADMIN_OPTION,
  },
  async run(words) {
    const [what, id] = words.positionals;
    if (what === 'create') return create(words);
    if (what === 'list') return list(words);
    if (what === 'rotate' && id !== undefined) return rotate(words, id);
    if (what === 'revoke' && id !== undefined) return revoke(words, id);
    throw new UsageError('say `create --name NAME`, `list`, `rotate ID` or `revoke ID`');
  },
};

async function create(words: CommandWords): Promise<number> {
  const name = words.text('name');
  if (name === undefined) throw new UsageError('--name NAME is missing');
  const split = (option: string): string[] | undefined => words.text(option)?.split(',').map((part) => part.trim());
  const made = await adminCall(words, 'POST', '/admin/v1/keys', {
    name,
    regions: split('regions'),
    models: split('models'),
    organization: words.text('organization'),
    project: words.text('project'),
    networks: split('networks'),
    priority_max: words.text('priority-max'),
  });
  process.stdout.write(`${String(made['key'])}\n`);
  process.stderr.write(`${String(made['id'])}: the key is shown once; keep it safe.\n`);
  return EXIT.ok;
}

async function list(words: CommandWords): Promise<number> {
  let after = '';
  for (;;) {
    const page = await adminCall(words, 'GET', `/admin/v1/keys?limit=100${after}`);
    const keys = Array.isArray(page['data']) ? page['data'] : [];
    for (const key of keys) {
      const { id, redacted_value: hint, name, revoked_at: revokedAt, models, regions } = key as Record<string, unknown>;
      const limits = [models, regions].flatMap((names) => (Array.isArray(names) ? [names.join(',')] : []));
      process.stdout.write(`${[id, hint, revokedAt === null ? 'active ' : 'revoked', name, ...limits].map(String).join('  ')}\n`);
    }
    if (page['has_more'] !== true) return EXIT.ok;
    after = `&after=${String(Reflect.get(Object(keys.at(-1)), 'id'))}`;
  }
}

async function rotate(words: CommandWords, id: string): Promise<number> {
  const made = await adminCall(words, 'POST', `/admin/v1/keys/${encodeURIComponent(id)}/rotate`, { grace_seconds: words.number('grace') });
  process.stdout.write(`${String(made['key'])}\n`);
  process.stderr.write(`${String(made['id'])} stands in for ${id}: the key is shown once; keep it safe.\n`);
  return EXIT.ok;
}

async function revoke(words: CommandWords, id: string): Promise<number> {
  await adminCall(words, 'DELETE', `/admin/v1/keys/${encodeURIComponent(id)}`);
  process.stdout.write(`${id} is revoked\n`);
  return EXIT.ok;
}
