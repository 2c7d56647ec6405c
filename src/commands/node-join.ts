import type { NodeConfig } from '../config/index.ts';
import { asMeridianError, instantText, MeridianError, wait, type Clock, type Logger } from '../core/index.ts';
import { HeldIdentity, join } from '../identity/index.ts';

type JoiningConfig = Pick<NodeConfig, 'node' | 'models' | 'gateways'> & { readonly join: NonNullable<NodeConfig['join']> };

interface World {
  readonly clock: Clock;
  readonly log: Logger;
}

const TIMEOUT_MS = 10_000;
const AGAIN_MS = 5_000;

/**
 * The identity of a node: the one it holds, or a new one that it gets by its token, from the first gateway that answers; where
 * none does it is tried again. Throws `permission_denied` when it is refused, and `conflict` when it holds an identity of no use and has no token.
 */
export async function identityOf(config: JoiningConfig, world: World): Promise<HeldIdentity> {
  const { token, identityFile } = config.join;
  const held = HeldIdentity.load(identityFile);
  const fault = held === null ? 'this node has not joined yet' : faultOf(held, config, world.clock.wallMs());
  if (held !== null && fault === null) return held;
  if (token === undefined) throw new MeridianError('conflict', { message: `${fault}: have a token made by \`meridian nodes token\`, and give it as join.token` });
  return joined(config, token, world);
}

/** Why an identity is of no use to this node; null when it is. */
function faultOf({ identity, expiresAtMs }: HeldIdentity, { node, models, join: { identityFile } }: JoiningConfig, nowMs: number): string | null {
  if (identity.node !== node.id) return `the identity in ${identityFile} is that of the node '${identity.node}'`;
  if (identity.region !== node.region) return `the identity in ${identityFile} is for the region '${identity.region}'`;
  const foreign = models.find((model) => !identity.models.includes(model));
  if (foreign !== undefined) return `the identity in ${identityFile} does not cover the model '${foreign}'`;
  return expiresAtMs > nowMs ? null : `the certificate in ${identityFile} has expired on ${instantText(expiresAtMs)}`;
}

async function joined({ node, models, gateways, join: { identityFile } }: JoiningConfig, token: string, { clock, log }: World): Promise<HeldIdentity> {
  for (;;) {
    for (const gateway of gateways) {
      try {
        const identity = await join({ gateway, token, node: { node: node.id, region: node.region, models }, path: identityFile, timeoutMs: TIMEOUT_MS });
        log.info({ gateway, identity: identityFile }, 'this node has joined the fleet');
        return identity;
      } catch (thrown) {
        const error = asMeridianError(thrown);
        if (error.code !== 'upstream_error') throw error;
        log.warn({ gateway, reason: error.message, retryMs: AGAIN_MS }, 'this node has not joined yet');
      }
    }
    await wait(clock, AGAIN_MS);
  }
}
