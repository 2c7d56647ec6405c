import type { ApiKeyRecord } from '../accounts/index.ts';
import type { ReplicaIdentity } from '../health/index.ts';

/** Nodes set aside for one organisation. */
export interface DedicatedPool {
  readonly organization: string;
  /** Ids of its nodes. */
  readonly nodes: readonly string[];
  /** Whether the organisation may use everybody's replicas too. */
  readonly overflow: boolean;
}

/** Who may use which replica: the regions of a key, and nodes set aside for an organisation. */
export class ReplicaAccess {
  readonly #ownerOf = new Map<string, string>();
  /** Organisations with nodes of their own that may use no others. */
  readonly #confined = new Set<string>();

  constructor(pools: readonly DedicatedPool[]) {
    this.replace(pools);
  }

  replace(pools: readonly DedicatedPool[]): void {
    this.#ownerOf.clear();
    this.#confined.clear();
    for (const { organization, nodes, overflow } of pools) {
      for (const node of nodes) this.#ownerOf.set(node, organization);
      if (!overflow) this.#confined.add(organization);
    }
  }

  mayUse({ node, region }: Pick<ReplicaIdentity, 'node' | 'region'>, key: Pick<ApiKeyRecord, 'organization' | 'regions'>): boolean {
    if (key.regions !== null && !key.regions.includes(region)) return false;
    const owner = this.#ownerOf.get(node);
    return owner === undefined ? !this.#confined.has(key.organization) : owner === key.organization;
  }
}
