import { HOST, options, PORT, queueMax, type LaunchLine } from './launch.ts';

/**
 * SGLang 0.5, by its server arguments. The cache report makes `usage` tell cached tokens; without a limit the queue has none; the
 * multi-token module drafts three tokens one after the other. Deep GEMM kernels are compiled at the first start, for minutes.
 */
export const sglangLaunch: LaunchLine = (plan) => {
  const { wish, model } = plan;
  const parallel = wish.parallelism === 'dp' ? ['--dp', String(wish.gpus), '--enable-dp-attention'] : [];
  const drafts = options({ '--speculative-algorithm': 'EAGLE', '--speculative-num-steps': 3, '--speculative-eagle-topk': 1, '--speculative-num-draft-tokens': 4 });
  return {
    command: [
      'python3',
      '-m',
      'sglang.launch_server',
      ...options({ '--model-path': model.repository, '--host': HOST, '--port': PORT, '--tp': wish.gpus }),
      '--trust-remote-code',
      ...parallel,
      ...options({ '--context-length': wish.contextTokens, '--kv-cache-dtype': wish.kv === 'fp8' ? 'fp8_e4m3' : 'auto', '--mem-fraction-static': 0.85 }),
      ...options({ '--max-running-requests': wish.concurrency, '--max-queued-requests': queueMax(plan) }),
      '--enable-metrics',
      '--enable-cache-report',
      ...(model.mtpTokens === undefined ? [] : drafts),
    ],
    files: [],
  };
};
