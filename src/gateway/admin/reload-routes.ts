import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { NoteAct } from './audited.ts';
import { ERRORS } from '../routes/answer-schemas.ts';

export interface ReloadDeps {
  /** Reads the configuration again; resolves with what holds now and what needs a restart, by the paths of the file. */
  readonly reload: () => Promise<{ readonly live: readonly string[]; readonly needsRestart: readonly string[] }>;
}

const Reloaded = Type.Object({
  object: Type.Literal('config.reload'),
  applied: Type.Array(Type.String(), { description: 'Paths of what holds from now on.' }),
  needs_restart: Type.Array(Type.String(), { description: 'Paths of what holds once the gateway is started again.' }),
});

/** The configuration, read again while the gateway runs. */
export function reloadRoutes(app: FastifyInstance, { reload, note }: ReloadDeps & { readonly note: NoteAct }): void {
  const schema = { summary: 'Read the configuration again', tags: ['configuration'], response: { 200: Reloaded, ...ERRORS } };
  app.post('/admin/v1/config/reload', { schema }, async (request) => {
    const { live, needsRestart } = await reload();
    await note(request, { type: 'config.reloaded', organization: null, resource: null, detail: { applied: live, needs_restart: needsRestart } });
    return { object: 'config.reload' as const, applied: live, needs_restart: needsRestart };
  });
}
