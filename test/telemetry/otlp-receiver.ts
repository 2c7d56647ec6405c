import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A span as OTLP's JSON has it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code: number };
  readonly attributes: readonly Attribute[];
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface ResourceSpans {
  readonly resource: { readonly attributes: readonly Attribute[] };
  readonly scopeSpans: readonly { readonly spans: readonly ReceivedSpan[] }[];
}

/** A collector on loopback that takes traces by OTLP over HTTP, and keeps them. */
export class OtlpReceiver {
  readonly paths: (string | undefined)[] = [];
  /** Spans of each export that was taken. */
  readonly batches: ReceivedSpan[][] = [];
  readonly resources: Record<string, unknown>[] = [];
  /** `refuse` answers 400, which is not tried again; `silent` never answers. */
  mode: 'take' | 'refuse' | 'silent' = 'take';
  readonly #server = createServer((request, response) => void this.#receive(request, response));

  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get spans(): ReceivedSpan[] {
    return this.batches.flat();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { resourceSpans } = (await json(request)) as { readonly resourceSpans: readonly ResourceSpans[] };
    this.paths.push(request.url);
    if (this.mode === 'silent') return;
    if (this.mode === 'take') {
      this.batches.push(resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
      this.resources.push(...resourceSpans.map(({ resource }) => plainAttributes(resource.attributes)));
    }
    response.writeHead(this.mode === 'take' ? 200 : 400, { 'content-type': 'application/json' }).end('{}');
  }
}

export function plainAttributes(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

function plainValue(value: Readonly<Record<string, unknown>>): unknown {
  const { arrayValue, intValue } = value as { arrayValue?: { values: Record<string, unknown>[] }; intValue?: number | string };
  if (arrayValue !== undefined) return arrayValue.values.map(plainValue);
  return intValue === undefined ? Object.values(value)[0] : Number(intValue);
}
