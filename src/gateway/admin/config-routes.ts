import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { ERRORS } from '../routes/answer-schemas.ts';
import type { NoteAct } from './audited.ts';
import { bodyOrNothing } from './body-or-nothing.ts';

export interface ConfigDeps {
  /** Reads the configuration again. Rejects with `invalid_value` and all faults, and with `conflict` where there is no file. */
  readonly reloadConfig: () => Promise<{ readonly applied: readonly string[]; readonly needsRestart: readonly string[] }>;
}

const Paths = (description: string) => Type.Array(Type.String(), { description });
const Reloaded = Type.Object({
  object: Type.Literal('config.reload'),
  applied: Paths('What is gone by from now on, by its path in the file.'),
  needs_restart: Paths('What the file says otherwise than the gateway was started with, and what only a restart changes.'),
  unchanged: Type.Boolean({ description: 'The file says nothing else than what is gone by.' }),
});

/** The configuration of the running gateway. */
export function configRoutes(app: FastifyInstance, { reloadConfig, note }: ConfigDeps & { readonly note: NoteAct }): void {
  const schema = { summary: 'Read the configuration file again, and go by what can change without a restart', tags: ['configuration'], body: Type.Object({}, { additionalProperties: false }), response: { 200: Reloaded, ...ERRORS } };
  app.post('/admin/v1/config/reload', { schema, preValidation: bodyOrNothing }, async (request) => {
    const { applied, needsRestart } = await reloadConfig();
    await note(request, { type: 'config.reloaded', organization: null, resource: null, detail: { applied, needs_restart: needsRestart } });
    return { object: 'config.reload', applied, needs_restart: needsRestart, unchanged: applied.length === 0 && needsRestart.length === 0 };
  });
}
