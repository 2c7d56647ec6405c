import { BlockList, isIP } from 'node:net';

/** Whether `text` is an address or a network, as 10.0.0.0/8 or 2001:db8::/32. */
export function isNetwork(text: string): boolean {
  return partsOf(text) !== null;
}

const known = new WeakMap<readonly string[], BlockList>();

/** Whether `address` lies in one of the networks, which are well-formed. An IPv4 address is the same as its IPv6 form. */
export function liesIn(networks: readonly string[], address: string): boolean {
  let list = known.get(networks);
  if (list === undefined) {
    list = new BlockList();
    for (const network of networks) {
      const parts = partsOf(network);
      if (parts !== null) list.addSubnet(parts.address, parts.bits, parts.family);
    }
    known.set(networks, list);
  }
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const version = isIP(plain);
  return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
}

function partsOf(text: string): { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' } | null {
  const [, address = '', given] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return null;
  const most = version === 4 ? 32 : 128;
  const bits = given === undefined ? most : Number(given);
  return bits > most ? null : { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}
