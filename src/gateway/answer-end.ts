import { addUsage, usageJson, type Usage } from '../openai/index.ts';
import type { RequestContext } from './context.ts';
import type { DeliveredAnswer } from './delivered.ts';

/**
 * Writes the last events of a stream that no engine can write any more: why it ended, unless that was told, and the usage of
 * the whole if the client asked for it. `rest` is what a second engine has counted.
 */
export function writeAnswerEnd({ ask, reply, delivered, continued }: RequestContext, rest: Usage | null, finishReason: string | null): void {
  const answer = delivered?.read() ?? null;
  if (answer === null || continued === null) return;
  if (finishReason !== null) reply.write(event(answer, `[${finishedChoice(answer, finishReason)}]`, ask.usageAsked ? 'null' : null));
  if (!ask.usageAsked) return;
  const usage = rest === null ? continued.usage : addUsage(continued.usage, rest);
  reply.write(event(answer, '[]', usageJson(usage)));
}

function finishedChoice({ object }: DeliveredAnswer, reason: string): string {
  const said = object === 'text_completion' ? '"text":""' : '"delta":{}';
  return `{"index":0,${said},"logprobs":null,"finish_reason":${JSON.stringify(reason)}}`;
}

function event({ id, object, created, model }: DeliveredAnswer, choices: string, usage: string | null): Buffer {
  const head = `"id":${JSON.stringify(id)},"object":${JSON.stringify(object)},"created":${created},"model":${JSON.stringify(model)}`;
  return Buffer.from(`data: {${head},"choices":${choices}${usage === null ? '' : `,"usage":${usage}`}}\n\n`);
}
