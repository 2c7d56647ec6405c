import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { noLog, requestId, seededRng, type Clock, type Logger } from '../core/index.ts';
import { AttemptLog } from './attempt-log.ts';
import { EmbeddingAttempt } from './embedding-attempt.ts';
import { EngineAttempt, type AttemptDeps } from './engine-attempt.ts';
import { EngineDriver } from './engine-driver.ts';
import { loadReport, metricsText, modelInfo, modelList, oldLoadReport, serverInfo, type EngineIdentity } from './engine-info.ts';
import type { EngineModel } from './engine-model.ts';
import { FaultSwitch } from './fault-switch.ts';
import { readFaults, type RequestFault } from './faults.ts';
import { chatRequest, textRequest, type GenerationRequest } from './generation-request.ts';
import { engineError, readJsonObject, sendJson, sendText, SimHttpError, type JsonObject } from './http-json.ts';

export interface EngineServerOptions {
  readonly identity: EngineIdentity;
  readonly clock: Clock;
  /** How much faster than the clock the engine runs. */
  readonly timeScale: number;
  /** Seed of the chance in faults. */
  readonly seed: number;
  /** Asked for as a bearer token on everything but health; null: no key. */
  readonly apiKey: string | null;
  readonly bodyBytesMax: number;
  /** A client that leaves more than this unread is cut. */
  readonly unsentBytesMax: number;
  /** How many ended requests `/sim/requests` remembers. */
  readonly recordsMax: number;
  /** Called once when the crash fault hits, after all connections broke. */
  readonly onCrash: () => void;
  readonly log?: Logger | undefined;
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly url: URL };
type Route = (exchange: Exchange) => void | Promise<void>;
type Attempt = EngineAttempt | EmbeddingAttempt;

const RECORDS_PER_PAGE = 1_000;
const RECORDS_PER_PAGE_MAX = 100_000;
const OPEN_PATHS = new Set(['/health', '/health_generate']);

/** A model behind SGLang's HTTP surface, with `/sim/` beside it for faults and for the truth about what was made. */
export class EngineServer {
  readonly http: Server;
  readonly faults: FaultSwitch;
  readonly log: AttemptLog;
  readonly #driver: EngineDriver;
  readonly #options: EngineServerOptions;
  readonly #attempts = new Map<string, Attempt>();
  readonly #startedAtMs: number;
  readonly #logger: Logger;
  #frozenLoad: object | null = null;
  #isCrashed = false;

  constructor(model: EngineModel, options: EngineServerOptions) {
    this.#options = options;
    this.#logger = options.log ?? noLog;
    this.#startedAtMs = options.clock.now();
    this.#driver = new EngineDriver(model, options.clock, options.timeScale);
    this.log = new AttemptLog(options.recordsMax);
    this.faults = new FaultSwitch(seededRng(options.seed), (set) => {
      model.slowdown = set.slowdown;
      this.#frozenLoad = set.freezeLoad ? (this.#frozenLoad ?? loadReport(model)) : null;
    });
    this.http = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0, noDelay: true }, (request, response) => {
      void this.#serve(request, response);
    });
  }

  get model(): EngineModel {
    return this.#driver.model;
  }

  /** Breaks every connection and stops listening; requests under way count as aborted. */
  close(): Promise<void> {
    this.#driver.stop();
    for (const attempt of this.#attempts.values()) attempt.drop();
    this.#attempts.clear();
    return new Promise((resolve) => {
      this.http.close(() => resolve());
      this.http.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy());
    try {
      const url = new URL(request.url ?? '/', 'http://engine');
      const route = this.#route(request.method ?? 'GET', url.pathname);
      if (!OPEN_PATHS.has(url.pathname)) this.#authenticate(request);
      await route({ request, response, url });
    } catch (error) {
      if (!(error instanceof SimHttpError)) this.#logger.error({ error }, 'a request failed inside the simulated engine');
      const refusal = error instanceof SimHttpError ? error : new SimHttpError(500, 'The engine failed.');
      if (refusal.status === 413) response.setHeader('connection', 'close');
      sendJson(response, refusal.status, engineError(refusal.status, refusal.message, refusal.param));
    }
  }

  #route(method: string, path: string): Route {
    const routes = this.#routes[path];
    if (routes === undefined) throw new SimHttpError(404, `There is nothing at ${path}.`);
    const route = routes[method === 'HEAD' ? 'GET' : method];
    if (route === undefined) throw new SimHttpError(405, `${path} takes ${Object.keys(routes).join(' or ')}.`);
    return route;
  }

  #authenticate(request: IncomingMessage): void {
    const { apiKey } = this.#options;
    if (apiKey !== null && request.headers.authorization !== `Bearer ${apiKey}`) throw new SimHttpError(401, 'Unauthorized');
  }

  readonly #health: Route = ({ response }) => {
    const isStarting = this.#options.clock.now() - this.#startedAtMs < this.faults.current.slowStartMs;
    if (isStarting) throw new SimHttpError(503, 'The engine is starting.');
    sendText(response, 200, '');
  };

  readonly #flush: Route = ({ response }) => {
    this.#driver.pump();
    if (!this.model.flush()) throw new SimHttpError(400, 'The cache is not flushed while requests run.');
    sendText(response, 200, 'Cache flushed.\n');
  };

  readonly #loads: Route = ({ response }) => {
    this.#driver.pump();
    const timestamp = Temporal.Instant.fromEpochMilliseconds(Math.floor(this.#options.clock.wallMs())).toString();
    sendJson(response, 200, { timestamp, ...(this.#frozenLoad ?? loadReport(this.model)) });
  };

  readonly #abort: Route = async ({ request, response }) => {
    const body = await this.#body(request);
    const rid = body['abort_all'] === true ? '' : body['rid'];
    if (typeof rid !== 'string' || (rid === '' && body['abort_all'] !== true)) {
      throw new SimHttpError(400, 'rid must be text, unless abort_all is true.', 'rid');
    }
    this.#driver.pump();
    for (const [id, attempt] of this.#attempts) {
      if (id.startsWith(rid)) attempt.abort();
    }
    sendText(response, 200, '');
  };

  readonly #setFaults: Route = async ({ request, response }) => {
    this.#driver.pump();
    this.faults.set(readFaults(await this.#body(request)));
    sendJson(response, 200, this.faults.current);
  };

  readonly #records: Route = ({ response, url }) => {
    this.#driver.pump();
    const after = queryCount(url, 'after', 0);
    const limit = Math.min(queryCount(url, 'limit', RECORDS_PER_PAGE), RECORDS_PER_PAGE_MAX);
    sendJson(response, 200, { data: this.log.list(after, limit), running: this.#attempts.size });
  };

  readonly #routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
    __proto__: null as never,
    '/health': { GET: this.#health },
    '/health_generate': { GET: this.#health },
    '/v1/models': { GET: ({ response }) => sendJson(response, 200, modelList(this.model, this.#options.identity)) },
    '/v1/loads': { GET: this.#loads },
    '/get_load': { GET: ({ response }) => sendJson(response, 200, oldLoadReport(this.model)) },
    '/server_info': { GET: ({ response }) => sendJson(response, 200, serverInfo(this.model, this.#options.identity)) },
    '/get_server_info': { GET: ({ response }) => sendJson(response, 200, serverInfo(this.model, this.#options.identity)) },
    '/model_info': { GET: ({ response }) => sendJson(response, 200, modelInfo(this.#options.identity)) },
    '/get_model_info': { GET: ({ response }) => sendJson(response, 200, modelInfo(this.#options.identity)) },
    '/metrics': {
      GET: ({ response }) => sendText(response, 200, metricsText(this.model, this.log.totals(), this.#options.identity)),
    },
    '/abort_request': { POST: this.#abort },
    '/flush_cache': { POST: this.#flush, GET: this.#flush },
    '/v1/chat/completions': { POST: (exchange) => this.#generate(exchange, chatRequest) },
    '/v1/completions': { POST: (exchange) => this.#generate(exchange, textRequest) },
    '/v1/embeddings': { POST: (exchange) => this.#embed(exchange) },
    '/sim/faults': { GET: ({ response }) => sendJson(response, 200, this.faults.current), POST: this.#setFaults },
    '/sim/requests': { GET: this.#records },
    '/sim/totals': { GET: ({ response }) => sendJson(response, 200, this.log.totals()) },
  };

  async #generate(
    exchange: Exchange,
    read: (body: JsonObject, defaultModel: string, limitTokens: number) => GenerationRequest,
  ): Promise<void> {
    const { response } = exchange;
    const fault = this.faults.draw();
    if (fault !== null && refuses(fault, response)) return;
    const body = await this.#body(exchange.request);
    const request = read(body, this.#options.identity.model, this.model.config.contextTokens);
    if (request.streamed && (request.returnTokenIds || request.returnPromptTokenIds) && !this.#options.identity.streamsTokenIds) {
      throw new SimHttpError(400, 'return_token_ids and return_prompt_token_ids are not supported with streaming.', 'return_token_ids');
    }
    const rid = request.rid ?? requestId(this.#options.clock.wallMs());
    if (fault?.kind === 'empty') return this.#answerEmpty(rid, request, response);
    this.#start(rid, response, fault, (deps) => new EngineAttempt(rid, request, response, deps));
  }

  async #embed({ request, response }: Exchange): Promise<void> {
    const fault = this.faults.draw();
    if (fault !== null && refuses(fault, response)) return;
    const body = await this.#body(request);
    const rid = typeof body['rid'] === 'string' ? body['rid'] : requestId(this.#options.clock.wallMs());
    const { model } = this.#options.identity;
    this.#start(rid, response, fault, (deps) => new EmbeddingAttempt(rid, body, model, response, deps));
  }

  #start(rid: string, response: ServerResponse, fault: RequestFault | null, create: (deps: AttemptDeps) => Attempt): void {
    if (response.destroyed) return;
    if (this.#attempts.has(rid)) throw new SimHttpError(400, `A request with rid ${rid} is running.`, 'rid');
    this.#driver.pump();
    const attempt = create({
      model: this.model,
      nowMs: this.#driver.nowMs(),
      createdS: Math.floor(this.#options.clock.wallMs() / 1_000),
      fault,
      unsentBytesMax: this.#options.unsentBytesMax,
      record: (record) => {
        this.#attempts.delete(rid);
        this.log.add(record);
      },
      crash: () => this.#crash(),
    });
    this.#attempts.set(rid, attempt);
    this.#driver.board(attempt);
    response.once('close', () => {
      // What was made up to now is counted first, then nothing more is made.
      if (this.#attempts.get(rid) === attempt) this.#driver.pump();
      attempt.drop();
      this.#driver.leave(attempt);
    });
  }

  #answerEmpty(rid: string, request: GenerationRequest, response: ServerResponse): void {
    this.log.add({ rid, prompt: 0, cached: 0, prefilled: 0, completion: 0, reasoning: 0, outcome: 'failed' });
    if (!request.streamed) {
      const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
      sendJson(response, 200, { id: rid, object: 'chat.completion', created: 0, model: request.model, choices: [], usage });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.end('data: [DONE]\n\n');
  }

  #body(request: IncomingMessage): Promise<JsonObject> {
    return readJsonObject(request, this.#options.bodyBytesMax);
  }

  #crash(): void {
    if (this.#isCrashed) return;
    this.#isCrashed = true;
    for (const attempt of this.#attempts.values()) attempt.drop('failed');
    void this.close().then(this.#options.onCrash);
  }
}

/** Faults that show before the request is read; true when it was answered. */
function refuses(fault: RequestFault, response: ServerResponse): boolean {
  switch (fault.kind) {
    case 'refuse':
      response.socket?.destroy();
      return true;
    case 'error503':
      throw new SimHttpError(503, 'The engine is overloaded.');
    case 'error429':
      throw new SimHttpError(429, 'Too many requests.');
    default:
      return false;
  }
}

function queryCount(url: URL, name: string, fallback: number): number {
  const text = url.searchParams.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new SimHttpError(400, `${name} must be a whole number.`, name);
  return value;
}
