import {
  defaultTextMapGetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type HrTime,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { millisToHrTime, W3CTraceContextPropagator } from '@opentelemetry/core';
import type { RequestSpan, TracedAttempt, TracedEnd, TracedStart, Tracing } from '../core/index.ts';
import { attemptAttributes, endAttributes, requestAttributes, spanName } from './gen-ai-attributes.ts';

const propagator = new W3CTraceContextPropagator();

/** The gateway's tracing as spans of `tracer`: a server span per request, and a client span per attempt under it. */
export function requestSpans(tracer: Tracer): Tracing {
  return {
    startRequest(start) {
      const client = propagator.extract(ROOT_CONTEXT, start.headers, defaultTextMapGetter);
      const startTime = millisToHrTime(start.admittedAtMs);
      const options = { kind: SpanKind.SERVER, startTime, attributes: requestAttributes(start) };
      return new OpenRequestSpan(tracer, tracer.startSpan(spanName(start), options, client), start);
    },
  };
}

class OpenRequestSpan implements RequestSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #start: TracedStart;

  constructor(tracer: Tracer, span: Span, start: TracedStart) {
    this.#tracer = tracer;
    this.#span = span;
    this.#start = start;
  }

  attempt(attempt: TracedAttempt): void {
    if (!this.#span.isRecording()) return;
    const options = {
      kind: SpanKind.CLIENT,
      startTime: this.#timeAt(attempt.startedMs),
      attributes: { ...requestAttributes(this.#start), ...attemptAttributes(attempt) },
    };
    const span = this.#tracer.startSpan(spanName(this.#start), options, trace.setSpan(ROOT_CONTEXT, this.#span));
    if (attempt.errorCode !== null) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(this.#timeAt(attempt.startedMs + attempt.durationMs));
  }

  end(end: TracedEnd): void {
    if (!this.#span.isRecording()) return;
    this.#span.setAttributes(endAttributes(end));
    // On a server's span a 4xx is the client's fault, and by the conventions no error of the server.
    const isClientFault = end.status >= 400 && end.status < 500;
    if (end.errorCode !== null && !isClientFault) this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.end(this.#timeAt(end.durationMs));
  }

  /** `sinceMs` after admission. */
  #timeAt(sinceMs: number): HrTime {
    return millisToHrTime(this.#start.admittedAtMs + sinceMs);
  }
}
