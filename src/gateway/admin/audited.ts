import type { FastifyRequest } from 'fastify';
import type { AuditAct, AuditLog } from '../../accounts/index.ts';
import { actorOf } from './admin-identity.ts';

/** Notes in the audit log what the request has done. */
export type NoteAct = (request: FastifyRequest, act: Omit<AuditAct, 'actor' | 'project'>) => Promise<void>;

export function noteIn(audit: Pick<AuditLog, 'append'>): NoteAct {
  return (request, act) => audit.append({ ...act, project: null, actor: actorOf(request) });
}
