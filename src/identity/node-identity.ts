import type { X509Certificate } from 'node:crypto';

/** What a node may be, as its one-time token and then its certificates say. */
export interface NodeIdentity {
  readonly node: string;
  readonly region: string;
  /** Models it may serve. */
  readonly models: readonly string[];
  /** Networks it may dial from, as 10.0.0.0/8; null: any. */
  readonly networks: readonly string[] | null;
}

/** What is in a certificate that its bearer may act on. Times in milliseconds since the epoch. */
export type Bearer =
  | { readonly role: 'gateway'; readonly gateway: string }
  | { readonly role: 'node'; readonly identity: NodeIdentity; readonly issuedAtMs: number; readonly expiresAtMs: number };

const PREFIX = 'urn:meridian:';

/** The names, as URNs, that a node's certificate carries: `urn:meridian:WHAT:VALUE`, values percent-encoded. */
export function nodeNames({ node, region, models, networks }: NodeIdentity, issuedAtMs: number): string[] {
  const many = (what: string, values: readonly string[]): string[] => values.map((value) => urn(what, value));
  return [urn('node', node), urn('issued', String(issuedAtMs)), urn('region', region), ...many('model', models), ...many('network', networks ?? [])];
}

export function gatewayName(gateway: string): string {
  return urn('gateway', gateway);
}

/** Whose certificate it is; null for one that is neither a gateway's nor a node's. Whether it is to be believed is not looked at. */
export function bearerOf(certificate: X509Certificate): Bearer | null {
  const names = namesOf(certificate);
  const [gateway] = names.get('gateway') ?? [];
  if (gateway !== undefined) return { role: 'gateway', gateway };
  const [node] = names.get('node') ?? [];
  const [region] = names.get('region') ?? [];
  if (node === undefined || region === undefined) return null;
  return {
    role: 'node',
    identity: { node, region, models: names.get('model') ?? [], networks: names.get('network') ?? null },
    issuedAtMs: Number(names.get('issued')?.[0] ?? 0),
    expiresAtMs: certificate.validToDate.getTime(),
  };
}

function namesOf({ subjectAltName = '' }: X509Certificate): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [, what = '', value = ''] of subjectAltName.matchAll(/URI:urn:meridian:([a-z]+):([^,"\s]+)/g)) {
    names.set(what, [...(names.get(what) ?? []), decodeURIComponent(value)]);
  }
  return names;
}

/** Percent-encoded down to letters, digits and `-_.~`: X.509 has its own quotes for other characters. */
function urn(what: string, value: string): string {
  const encoded = encodeURIComponent(value).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  return `${PREFIX}${what}:${encoded}`;
}
