import { MODEL, TOKENS_PER_STREAM } from './answer.ts';
import type { Target } from './load-job.ts';

const PROMPT = 'Explain how a gateway should choose the replica that answers soonest, and what it must count. '.repeat(9);

/** The bytes of a chat completion request of about 1 KB, as a client sends it to `target`. */
export function requestText(target: Target, kind: 'json' | 'stream'): string {
  const body = JSON.stringify({
    model: MODEL,
    messages: [
      { role: 'system', content: 'You are a careful assistant.' },
      { role: 'user', content: PROMPT },
    ],
    temperature: 0.7,
    max_tokens: TOKENS_PER_STREAM,
    ...(kind === 'stream' ? { stream: true } : {}),
  });
  const headers = Object.entries({
    host: `127.0.0.1:${target.port}`,
    accept: kind === 'stream' ? 'text/event-stream' : 'application/json',
    'user-agent': 'bench-relay',
    'content-type': 'application/json',
    'content-length': String(body.length),
    ...target.headers,
  });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `POST /v1/chat/completions HTTP/1.1\r\n${lines}\r\n${body}`;
}
