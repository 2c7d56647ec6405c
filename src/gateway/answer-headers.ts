import type { LimitView } from '../admission/index.ts';
import type { Clock } from '../core/index.ts';
import type { ReceivedRequest } from './context.ts';
import type { GatewayOptions } from './options.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';

/** What the headers of an answer tell; filled in as the stages learn it. */
export interface AnswerHeaders {
  organization: string | null;
  limits: LimitView | null;
  /** The bound on the answer that the gateway set, where the client's was beyond what is left to spend. */
  outputTokensMax: number | null;
  replica: { readonly id: string; readonly region: string } | null;
  /** The headers every answer has, as of now. */
  readonly read: () => Record<string, string>;
}

export function answerHeaders(
  request: ReceivedRequest,
  deps: { readonly clock: Clock; readonly options: Pick<GatewayOptions, 'exposeReplica'>; readonly isDraining: () => boolean },
): AnswerHeaders {
  const shown: AnswerHeaders = { organization: null, limits: null, outputTokensMax: null, replica: null, read };
  function read(): Record<string, string> {
    const headers: Record<string, string> = {
      'x-request-id': request.id,
      'openai-version': '2020-10-01',
      'openai-processing-ms': String(Math.round(deps.clock.now() - request.startedMs)),
    };
    if (shown.organization !== null) headers['openai-organization'] = shown.organization;
    Object.assign(headers, rateLimitHeaders(shown.limits, deps.clock.now()));
    if (shown.outputTokensMax !== null) headers['x-meridian-max-tokens'] = String(shown.outputTokensMax);
    if (shown.replica !== null && deps.options.exposeReplica) {
      headers['x-meridian-replica'] = headerText(shown.replica.id);
      headers['x-meridian-region'] = headerText(shown.replica.region);
    }
    if (deps.isDraining()) headers['connection'] = 'close';
    return headers;
  }
  return shown;
}

/** Names are free text, and Node throws on what no header may hold. */
function headerText(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, '?');
}
