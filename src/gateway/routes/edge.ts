import swagger from '@fastify/swagger';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { ServerOptions as TlsOptions } from 'node:https';
import type { Socket } from 'node:net';
import { asMeridianError, ERROR_TABLE, MeridianError, requestId, type Clock, type ErrorCode } from '../../core/index.ts';
import { errorBody } from '../../openai/index.ts';
import { errorHeaders } from '../client-reply.ts';
import { allowedMethods } from './allowed-methods.ts';
import { ErrorObject } from './answer-schemas.ts';
import { limitConnections, type ConnectionLimits } from './connection-limits.ts';
import { refuseMalformed } from './malformed-request.ts';
import { refuseOnSocket } from './raw-refusal.ts';
import { checkHead } from './request-head.ts';

export interface EdgeOptions {
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  readonly receiveMs: number;
  readonly clock: Clock;
  /** What handlers get as `request.body`. */
  readonly readBody: (body: Buffer) => unknown;
  /** As they are at the moment. */
  readonly connections: () => ConnectionLimits;
  readonly tls: Pick<TlsOptions, 'cert' | 'key' | 'ca' | 'requestCert' | 'rejectUnauthorized'> | null;
}

/**
 * A Fastify server that speaks OpenAI's errors in every case: unknown URL, wrong method, body too large, not JSON,
 * malformed HTTP.
 */
export async function createEdge(options: EdgeOptions): Promise<FastifyInstance> {
  const { bodyBytesMax, headerBytesMax, receiveMs, clock, readBody, connections, tls } = options;
  const http = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: receiveMs,
    connectionsCheckingInterval: Math.min(receiveMs, LATE_CHECK_MS),
    // Checked with the rest of the head, so that its error has our shape.
    requireHostHeader: false,
  };
  const common = {
    bodyLimit: bodyBytesMax,
    requestTimeout: receiveMs,
    keepAliveTimeout: 72_000,
    logger: false as const,
    exposeHeadRoutes: false,
    clientErrorHandler: refuseMalformed,
    frameworkErrors: (error: FastifyError, _request: unknown, reply: FastifyReply) => void sendError(reply, fromFastify(error, bodyBytesMax), clock),
    genReqId: () => '',
    forceCloseConnections: false,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, caseSensitive: true, maxParamLength: 300 },
  };
  const app: FastifyInstance = tls === null ? Fastify({ ...common, http }) : untyped(Fastify({ ...common, https: { ...http, ...tls } }));
  // An expectation we do not know is no reason to refuse.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  limitConnections(app.server, connections, tls !== null);
  app.server.on('connect', (_request: IncomingMessage, socket: Socket) => refuseOnSocket(new MeridianError('method_not_allowed'), socket));
  const methodsAt = allowedMethods(app);
  const refResolver = { buildLocalReference: ({ $id }: { $id?: unknown }) => String($id) };
  await app.register(swagger, { openapi: { openapi: '3.1.0' }, hideUntagged: true, refResolver });
  app.addSchema(ErrorObject);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // Some clients name the type of a body even where there is none.
    if (body.length === 0 && request.method === 'DELETE') return done(null);
    try {
      done(null, readBody(Buffer.isBuffer(body) ? body : Buffer.from(body)));
    } catch (error) {
      done(asMeridianError(error));
    }
  });
  app.addHook('onRequest', (request, _reply, done) => done(checkHead(request.raw) ?? undefined));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const methods = methodsAt(path);
    const isKnown = methods.length > 0;
    if (isKnown) void reply.header('allow', methods.join(', '));
    const message = `${isKnown ? 'Method not allowed' : 'Unknown URL'} (${request.method} ${path.slice(0, 200)}).`;
    return sendError(reply, new MeridianError(isKnown ? 'method_not_allowed' : 'not_found', { message }), clock);
  });
  app.setErrorHandler<FastifyError>((thrown, request, reply) => {
    const error = fromFastify(thrown, bodyBytesMax);
    if (!LAST_ANSWERS.has(error.code) || reply.raw.socket === null) return sendError(reply, error, clock);
    void reply.hijack();
    request.raw.resume();
    refuseOnSocket(error, reply.raw.socket);
  });
  return app;
}

/** Answers with `error` where no `ClientReply` is at work. */
function sendError(reply: FastifyReply, error: MeridianError, clock: Clock): FastifyReply {
  return reply
    .status(error.row.status)
    .headers({
      'x-request-id': requestId(clock.wallMs()),
      'openai-version': '2020-10-01',
      'openai-processing-ms': String(Math.round(reply.elapsedTime)),
      ...errorHeaders(error),
    })
    .send(errorBody(error));
}

/** How often at least connections are looked at for requests that are late. */
const LATE_CHECK_MS = 1_000;

/** After these nothing more on the connection can be trusted, or is wanted. */
const LAST_ANSWERS: ReadonlySet<ErrorCode> = new Set(['request_too_large', 'malformed_request']);

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'request_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_BAD_URL: 'malformed_request',
};

function fromFastify(error: FastifyError, bodyBytesMax: number): MeridianError {
  const code = FASTIFY_CODES[error.code];
  if (code === 'request_too_large') {
    return new MeridianError(code, { message: `The body is too large: at most ${bodyBytesMax} bytes are taken.` });
  }
  if (code !== undefined) return new MeridianError(code, { message: ERROR_TABLE[code].message });
  return asMeridianError(error);
}

/** Fastify's type depends on the kind of server; what is used of it here does not. */
function untyped(app: object): FastifyInstance {
  return app as FastifyInstance<never, never, never, FastifyBaseLogger> as unknown as FastifyInstance;
}
