import { loadHardware } from '../config/index.ts';
import { alternatives, LAUNCH_LINES, planNode, type NodePlan, type NodeWish, type NumberFormat, type Parallelism } from '../plan/index.ts';
import { EXIT, UsageError, type CommandOption, type CommandWords } from './command.ts';
import { planText } from './plan-text.ts';

export const PLAN_OPTIONS: Readonly<Record<string, CommandOption>> = {
  model: { type: 'string', value: 'NAME', help: 'plan: the model.', default: 'deepseek-v3' },
  gpu: { type: 'string', value: 'NAME', help: 'plan: the kind of GPU.', default: 'h200' },
  count: { type: 'string', value: 'N', help: 'plan: GPUs of the node.', default: '8' },
  weights: { type: 'string', value: 'FORMAT', help: 'plan: fp8 or bf16.', default: 'fp8' },
  kv: { type: 'string', value: 'FORMAT', help: 'plan: of the KV cache, bf16 or fp8.', default: 'bf16' },
  parallel: { type: 'string', value: 'WAY', help: 'plan: tp8 (tensor parallelism) or dp8 (data-parallel attention), with the count of GPUs; tp of them all without it.' },
  context: { type: 'string', value: 'TOKENS', help: 'plan: length of a sequence.', default: '131072' },
  concurrency: { type: 'string', value: 'N', help: 'plan: sequences at once.', default: '64' },
  engine: { type: 'string', value: 'KIND', help: `plan: ${Object.keys(LAUNCH_LINES).join(', ')}.`, default: 'sglang' },
  catalogue: { type: 'string', value: 'FILE', help: 'plan: GPUs and models.', default: 'config/hardware.yaml' },
  json: { type: 'boolean', help: 'plan: as JSON.' },
};

type Engine = keyof typeof LAUNCH_LINES;

/** Tells whether a model fits a node, what it could do, and how its engine is started. Ends with 1 when not even one sequence fits. */
export function runPlan(words: CommandWords): number {
  const hardware = loadHardware(words.text('catalogue') ?? '');
  const wish = wishOf(words);
  const engine = oneOf<Engine>(words, 'engine', Object.keys(LAUNCH_LINES) as Engine[]);
  const plan = planNode(wish, hardware);
  const fits = plan.memory.sequences > 0;
  const others = fits ? [] : alternatives(wish, hardware);
  const launch = fits ? LAUNCH_LINES[engine](plan) : null;
  process.stdout.write(words.flag('json') ? `${JSON.stringify(planJson(plan, fits, others, engine, launch), null, 2)}\n` : planText(plan, others, engine, launch));
  return fits ? EXIT.ok : EXIT.failed;
}

function wishOf(words: CommandWords): NodeWish {
  const gpus = whole(words, 'count');
  const parallel = words.text('parallel') ?? `tp${gpus}`;
  const [, way, ways] = /^(tp|dp)(\d+)$/.exec(parallel) ?? [];
  if (way === undefined) throw new UsageError(`--parallel takes tp${gpus} or dp${gpus}, not '${parallel}'`);
  if (Number(ways) !== gpus) throw new UsageError(`--parallel ${parallel} is not over the ${gpus} GPUs of --count; say ${way}${gpus}`);
  return {
    model: words.text('model') ?? '',
    gpu: words.text('gpu') ?? '',
    gpus,
    weights: oneOf<NumberFormat>(words, 'weights', ['fp8', 'bf16']),
    kv: oneOf<NumberFormat>(words, 'kv', ['bf16', 'fp8']),
    parallelism: way as Parallelism,
    contextTokens: whole(words, 'context'),
    concurrency: whole(words, 'concurrency'),
  };
}

function whole(words: CommandWords, option: string): number {
  const value = words.number(option);
  if (value === undefined || !Number.isSafeInteger(value) || value < 1) throw new UsageError(`--${option} takes a whole number, 1 or more, not '${words.text(option)}'`);
  return value;
}

function oneOf<Value extends string>(words: CommandWords, option: string, values: readonly Value[]): Value {
  const found = values.find((value) => value === words.text(option));
  if (found === undefined) throw new UsageError(`--${option} takes one of ${values.join(', ')}, not '${words.text(option)}'`);
  return found;
}

function planJson({ wish, gpu, model, memory, roofline }: NodePlan, fits: boolean, others: readonly NodeWish[], engine: Engine, launch: ReturnType<(typeof LAUNCH_LINES)[Engine]> | null) {
  return {
    model: wish.model,
    gpu: wish.gpu,
    gpus: wish.gpus,
    weights: wish.weights,
    kv: wish.kv,
    parallel: `${wish.parallelism}${wish.gpus}`,
    context_tokens: wish.contextTokens,
    concurrency: wish.concurrency,
    fits,
    memory_per_gpu_bytes: { total: memory.totalBytes, weights: memory.weightBytes, kv: memory.kvBytes, reserved: memory.reservedBytes, missing: memory.missingBytes },
    kv_bytes_per_token: memory.kvBytesPerToken,
    kv_tokens: memory.kvTokens,
    sequences: memory.sequences,
    roofline: roofline === null ? null : {
      prefill_tokens_per_s: roofline.prefillTokensPerS,
      decode_sequences: roofline.sequences,
      decode_step_ms: roofline.stepMs,
      decode_tokens_per_s: roofline.decodeTokensPerS,
      bound_by: roofline.boundBy,
      experts_touched: roofline.expertsTouched,
    },
    fits_instead: others.map(({ gpu: name, gpus }) => ({ gpu: name, gpus })),
    engine,
    launch,
    sources: { gpu: gpu.source, model: model.source },
  };
}
