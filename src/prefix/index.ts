export { BLOCK_BYTES } from './block-hash.ts';
export { CacheMirror } from './cache-mirror.ts';
export { EngineMirror, type MirrorAccuracy, type MirroredAttempt } from './engine-mirror.ts';
export { continuedChain, promptChain, type PromptChain } from './prompt-chain.ts';
export { answerParts } from './prompt-parts.ts';
export type { PrefixSink } from './prefix-sink.ts';
