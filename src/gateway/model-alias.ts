import { createHash } from 'node:crypto';

/** A name for several versions of a model, of which each request gets one. */
export interface ModelAlias {
  readonly versions: readonly { readonly model: string; readonly weight: number }[];
}

/**
 * The version that a request gets: by weight over many requests, and always the same one for the same `affinity`, so that a
 * conversation does not change its model. A weight that is raised moves only those that it must.
 */
export function versionOf(name: string, { versions }: ModelAlias, affinity: string): string {
  const total = versions.reduce((sum, { weight }) => sum + weight, 0);
  let left = share(`${name}\0${affinity}`) * total;
  for (const { model, weight } of versions) {
    left -= weight;
    if (left < 0) return model;
  }
  return versions.at(-1)?.model ?? name;
}

/** A number from 0 to 1 that is the same for the same text. */
function share(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32LE(0) / 0x1_0000_0000;
}
