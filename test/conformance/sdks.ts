import OpenAI from 'openai';
import OpenAI6 from 'openai-6';

export type OpenAIClass = typeof OpenAI;

/** The official SDKs that must work, newest first. What is used of them here has the same types in both. */
export const SDKS: readonly { readonly name: string; readonly Sdk: OpenAIClass }[] = [
  { name: 'openai-node 7', Sdk: OpenAI },
  { name: 'openai-node 6', Sdk: OpenAI6 as unknown as OpenAIClass },
];
