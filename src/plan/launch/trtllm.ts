import { HOST, options, PORT, type LaunchLine } from './launch.ts';

const CONFIG = 'trtllm.yaml';

/** TensorRT-LLM's `trtllm-serve` with its PyTorch backend; what has no option of its own stands in a file. */
export const trtllmLaunch: LaunchLine = ({ wish, model }) => {
  const experts = model.experts === undefined ? {} : { '--ep_size': wish.gpus };
  const lines = [
    `enable_attention_dp: ${wish.parallelism === 'dp'}`,
    'enable_iter_perf_stats: true',
    'kv_cache_config:',
    `  dtype: ${wish.kv === 'fp8' ? 'fp8' : 'auto'}`,
    '  enable_block_reuse: true',
    '  free_gpu_memory_fraction: 0.8',
    ...(model.mtpTokens === undefined ? [] : ['speculative_config:', '  decoding_type: MTP', `  num_nextn_predict_layers: ${model.mtpTokens}`]),
  ];
  return {
    command: [
      'trtllm-serve',
      model.repository,
      '--trust_remote_code',
      ...options({ '--host': HOST, '--port': PORT, '--tp_size': wish.gpus, ...experts, '--max_seq_len': wish.contextTokens, '--max_batch_size': wish.concurrency, '--config': CONFIG }),
    ],
    files: [{ path: CONFIG, text: `${lines.join('\n')}\n` }],
  };
};
