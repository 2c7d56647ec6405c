import { ADMIN_OPTION, adminCall } from './admin-call.ts';
import { EXIT, UsageError, type Command } from './command.ts';
import { routeText, type ShownRoute } from './route-text.ts';

/** Tells why a request went where it went, from a running gateway. */
export const explainCommand: Command = {
  name: 'explain',
  summary: 'tell why a request went to the replica it went to',
  usage: 'REQUEST-ID',
  options: {
    json: { type: 'boolean', help: 'Print the answer of the admin API as it is.' },
    admin: ADMIN_OPTION,
  },
  async run(words) {
    const [id, ...more] = words.positionals;
    if (id === undefined || more.length > 0) throw new UsageError('say which request: the id that its answer has in x-request-id');
    const route = await adminCall(words, 'GET', `/admin/v1/requests/${encodeURIComponent(id)}/route`);
    process.stdout.write(words.flag('json') ? `${JSON.stringify(route, null, 2)}\n` : routeText(route as unknown as ShownRoute));
    return EXIT.ok;
  },
};
