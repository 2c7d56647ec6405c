import { HOST, options, PORT, type LaunchLine } from './launch.ts';

/**
 * vLLM, by its engine arguments. It has no limit on its queue, so the gateway's view of its load is the only one. Details of prompt tokens make `usage`
 * tell cached ones. With data parallelism the experts are divided over all GPUs.
 */
export const vllmLaunch: LaunchLine = ({ wish, model }) => {
  const experts = model.experts === undefined ? [] : ['--enable-expert-parallel'];
  const mtp = model.mtpTokens === undefined ? [] : options({ '--speculative-config': JSON.stringify({ method: 'mtp', num_speculative_tokens: model.mtpTokens }) });
  return {
    command: [
      'vllm',
      'serve',
      model.repository,
      '--trust-remote-code',
      ...options({ '--host': HOST, '--port': PORT, [wish.parallelism === 'dp' ? '--data-parallel-size' : '--tensor-parallel-size']: wish.gpus }),
      ...experts,
      ...options({ '--max-model-len': wish.contextTokens, '--max-num-seqs': wish.concurrency, '--gpu-memory-utilization': 0.9, '--kv-cache-dtype': wish.kv === 'fp8' ? 'fp8' : 'auto' }),
      '--enable-prefix-caching',
      '--enable-prompt-tokens-details',
      ...mtp,
    ],
    files: [],
  };
};
