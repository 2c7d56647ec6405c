import { cannotListen } from '../core/index.ts';
import { runSimEngine } from '../sim/index.ts';
import type { Command } from './command.ts';

/** Runs one simulated engine. */
export const simEngineCommand: Command = {
  name: 'sim-engine',
  summary: 'run a simulated engine with the HTTP surface of SGLang',
  usage: '[--port PORT] …',
  options: {
    host: { type: 'string', value: 'HOST', help: 'Address to listen at.', default: '127.0.0.1' },
    port: { type: 'string', value: 'PORT', help: 'Port to listen at; 0 takes any free one.', default: '30000' },
    model: { type: 'string', value: 'NAME', help: 'Name of the served model.', default: 'deepseek-v3' },
    'time-scale': { type: 'string', value: 'N', help: 'How many times faster than a real engine it runs.', default: '1' },
    seed: { type: 'string', value: 'N', help: 'Seed of the chance in its faults.', default: '1' },
  },
  async run(words) {
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    const options = {
      host: words.text('host'),
      port: words.port('port'),
      model: words.text('model'),
      timeScale: words.number('time-scale'),
      seed: words.number('seed'),
    };
    const onReady = ({ url }: { readonly url: string }): void => void process.stdout.write(`simulated engine at ${url}\n`);
    return runSimEngine(options, stop.signal, onReady).catch((error: unknown) => {
      throw cannotListen(error);
    });
  },
};
