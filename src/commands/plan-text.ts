import type { Launch, NodePlan, NodeWish } from '../plan/index.ts';

const BAR_WIDTH = 56;

/** A plan for people: the memory of a GPU drawn, what fits, how fast it could be, and how its engine is started. */
export function planText(plan: NodePlan, others: readonly NodeWish[], engine: string, launch: Launch | null): string {
  const { wish, gpu, model, memory } = plan;
  return [
    `${wish.gpus} × ${gpu.name}, ${wish.model} (${model.repository}): weights ${wish.weights}, KV cache ${wish.kv}, ${wish.parallelism}${wish.gpus}`,
    '',
    bar(plan),
    '',
    ...(launch === null ? refusal(plan, others) : [...capacity(plan), '', ...launchText(engine, launch)]),
    '',
    `Figures: ${gpu.source}; ${model.source.trim()}`,
    memory.missingBytes > 0 ? '' : 'A roofline is what memory and arithmetic allow; no engine reaches it, prefill least of all.',
    '',
  ].join('\n');
}

function bar({ memory }: NodePlan): string {
  const { totalBytes, weightBytes, kvBytes, reservedBytes } = memory;
  const width = (bytes: number): number => Math.round((BAR_WIDTH * bytes) / totalBytes);
  const weights = Math.min(BAR_WIDTH, width(weightBytes));
  const kv = width(kvBytes);
  const drawn = '█'.repeat(weights) + '▒'.repeat(kv) + '·'.repeat(Math.max(0, BAR_WIDTH - weights - kv));
  return `each GPU   [${drawn}]  ${gb(totalBytes)}\n           █ weights ${gb(weightBytes)}   ▒ KV cache ${gb(kvBytes)}   · activations, graphs ${gb(reservedBytes)}`;
}

function capacity({ wish, memory, roofline }: NodePlan): string[] {
  const { kvBytesPerToken, kvTokens, sequences } = memory;
  const rows: [string, string][] = [
    ['KV cache per token', `${grouped(kvBytesPerToken)} B${wish.parallelism === 'tp' ? ' on every GPU' : ' on one GPU'}`],
    ['KV pool of the node', `${grouped(kvTokens)} tokens`],
    [`sequences of ${grouped(wish.contextTokens)} tokens`, `${grouped(sequences)}${sequences < wish.concurrency ? `, fewer than the ${wish.concurrency} wanted: they share prefixes, are shorter, or wait` : ''}`],
  ];
  if (roofline !== null) {
    rows.push(
      ['prefill, at most', `${grouped(Math.round(roofline.prefillTokensPerS))} tokens/s at that length`],
      [`decode of ${roofline.sequences} such, at most`, `${grouped(Math.round(roofline.decodeTokensPerS))} tokens/s, ${roofline.stepMs.toFixed(1)} ms a step, bound by ${roofline.boundBy}`],
    );
    if (roofline.expertsTouched < 1) rows.push(['experts a step touches', `${(100 * roofline.expertsTouched).toFixed(0)} %`]);
  }
  return rows.map(([what, value]) => `${what.padEnd(34)}${value}`);
}

function refusal({ wish, gpu, memory }: NodePlan, others: readonly NodeWish[]): string[] {
  const { totalBytes, weightBytes, reservedBytes, missingBytes, kvTokens } = memory;
  const why =
    missingBytes > 0
      ? `It does not fit: the weights take ${gb(weightBytes)} of each GPU, and of its ${gb(totalBytes)} there are ${gb(totalBytes - reservedBytes)} for weights and KV cache. ${gb(missingBytes)} are missing on each.`
      : `It does not fit: beside the weights there is room for ${grouped(kvTokens)} tokens, and one sequence has ${grouped(wish.contextTokens)}.`;
  const instead = others.map(({ gpu: name, gpus }) => `${gpus} × ${name}`).join(', ');
  return [why, instead === '' ? `Nothing in the catalogue fits with as many GPUs as ${gpu.name}; take a shorter context or smaller weights.` : `What would fit: ${instead}.`];
}

function launchText(engine: string, { command, files }: Launch): string[] {
  const lines: string[] = [];
  for (const word of command) {
    const shown = /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
    if (word.startsWith('--')) lines.push(`  ${shown}`);
    else lines[Math.max(0, lines.length - 1)] = lines.length === 0 ? shown : `${lines.at(-1)} ${shown}`;
  }
  return [`${engine} (not run on a GPU here):`, '', lines.join(' \\\n'), ...files.flatMap(({ path, text }) => ['', `${path}:`, text.trimEnd()])];
}

function gb(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function grouped(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ');
}
