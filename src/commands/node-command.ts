import { readFileSync } from 'node:fs';
import { loadNodeConfig, type NodeConfig } from '../config/index.ts';
import { cannotListen, MeridianError, systemClock, systemRng, type Logger } from '../core/index.ts';
import { NodeOptionsError, startNodeDaemon, type NodeCredentials } from '../node/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import { UsageError, type Command } from './command.ts';
import { identityOf } from './node-join.ts';
import { PLAN_OPTIONS, runPlan } from './node-plan.ts';
import { untilStopped } from './until-stopped.ts';

const STOP_MS = 15_000;

/** Runs a node daemon until it is asked to stop. */
export const nodeCommand: Command = {
  name: 'node',
  summary: 'run the daemon of a GPU node, or plan one',
  usage: '--config FILE | plan --model NAME --gpu NAME --count N',
  options: { config: { type: 'string', value: 'FILE', help: 'The configuration, as config/node.yaml.' }, ...PLAN_OPTIONS },
  async run(words) {
    const [what, ...rest] = words.positionals;
    if (what === 'plan' && rest.length === 0) return runPlan(words);
    if (what !== undefined) throw new UsageError('say `--config FILE`, or `plan`');
    const path = words.text('config');
    if (path === undefined) throw new UsageError('--config FILE is missing');
    const config = loadNodeConfig(path, process.env);
    const log = jsonLog({ level: 'info', clock: systemClock, stream: process.stdout });
    const options = { ...config, credentials: await credentialsOf(config, log) };
    const daemon = await startNodeDaemon(options, { clock: systemClock, rng: systemRng(), log }).catch((error: unknown) => {
      throw error instanceof NodeOptionsError ? new UsageError(`${path}: ${error.message}`) : cannotListen(error);
    });
    return untilStopped(() => config.drainMs + STOP_MS, log, async () => {
      await daemon.drain();
      await daemon.close();
    });
  },
};

async function credentialsOf(config: NodeConfig, log: Logger): Promise<NodeCredentials> {
  const { token, tls, join } = config;
  if (join !== undefined) return { kind: 'identity', identity: await identityOf({ ...config, join }, { clock: systemClock, log }) };
  if (token === undefined) throw new MeridianError('invalid_value', { message: 'token and join are both missing' });
  return {
    kind: 'token',
    token,
    tls: {
      ...(tls?.caFile === undefined ? {} : { ca: readFileSync(tls.caFile, 'utf8') }),
      ...(tls?.certFile === undefined ? {} : { cert: readFileSync(tls.certFile, 'utf8') }),
      ...(tls?.keyFile === undefined ? {} : { key: readFileSync(tls.keyFile, 'utf8') }),
    },
  };
}
