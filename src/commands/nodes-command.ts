import { ADMIN_OPTION, adminCall } from './admin-call.ts';
import { EXIT, UsageError, type Command, type CommandWords } from './command.ts';

/** Says which nodes may be members of the fleet, through the admin API of a running gateway. */
export const nodesCommand: Command = {
  name: 'nodes',
  summary: 'let nodes join a fleet, list those that have, and revoke them',
  usage: 'token --node ID --region REGION --models A,B | list | revoke ID',
  options: {
    node: { type: 'string', value: 'ID', help: 'The node that may join, as node.id of its configuration.' },
    region: { type: 'string', value: 'REGION', help: 'Where it stands.' },
    models: { type: 'string', value: 'A,B', help: 'Models that it may serve.' },
    networks: { type: 'string', value: 'A,B', help: 'Networks it may dial from, as 10.0.0.0/8; any without it.' },
    ttl: { type: 'string', value: 'SECONDS', help: 'How long the token is good.', default: '3600' },
    admin: ADMIN_OPTION,
  },
  async run(words) {
    const [what, id] = words.positionals;
    if (what === 'token') return token(words);
    if (what === 'list') return list(words);
    if (what === 'revoke' && id !== undefined) return revoke(words, id);
    throw new UsageError('say `token --node ID --region REGION --models A,B`, `list` or `revoke ID`');
  },
};

async function token(words: CommandWords): Promise<number> {
  const needed = (option: string): string => {
    const value = words.text(option);
    if (value === undefined) throw new UsageError(`--${option} is missing`);
    return value;
  };
  const names = (text: string | undefined): string[] | undefined => text?.split(',').map((part) => part.trim());
  const made = await adminCall(words, 'POST', '/admin/v1/join_tokens', {
    node: needed('node'),
    region: needed('region'),
    models: names(needed('models')),
    networks: names(words.text('networks')),
    expires_in_seconds: words.number('ttl'),
  });
  process.stdout.write(`${String(made['token'])}\n`);
  process.stderr.write(`Good once, for the node '${String(made['node'])}': give it as join.token of its configuration. It is shown once.\n`);
  return EXIT.ok;
}

async function list(words: CommandWords): Promise<number> {
  let after = '';
  for (;;) {
    const page = await adminCall(words, 'GET', `/admin/v1/nodes?limit=100${after}`);
    const nodes = Array.isArray(page['data']) ? page['data'] : [];
    for (const node of nodes) {
      const { id, region, models, joined_from: from, revoked_at: revokedAt } = node as Record<string, unknown>;
      process.stdout.write(`${[id, revokedAt === null ? 'joined ' : 'revoked', region, models, `from ${String(from)}`].map(String).join('  ')}\n`);
    }
    if (page['has_more'] !== true) return EXIT.ok;
    after = `&after=${encodeURIComponent(String(Reflect.get(Object(nodes.at(-1)), 'id')))}`;
  }
}

async function revoke(words: CommandWords, id: string): Promise<number> {
  await adminCall(words, 'POST', `/admin/v1/nodes/${encodeURIComponent(id)}/revoke`);
  process.stdout.write(`${id} is revoked, and its link is cut\n`);
  return EXIT.ok;
}
