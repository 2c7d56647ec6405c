import { BlockList, isIP, type LookupFunction } from 'node:net';
import { MeridianError } from '../../core/index.ts';

export interface AddressRules {
  /** Private networks too (RFC 1918, 100.64.0.0/10, fc00::/7). Never link-local ones, where clouds keep their credentials. */
  readonly allowPrivate: boolean;
  /** This machine too, and there `http` besides `https`. For development. */
  readonly allowLoopback: boolean;
}

type AddressKind = 'public' | 'private' | 'loopback' | 'forbidden';

const V4_LOOPBACK = subnets('ipv4', ['127.0.0.0/8']);
const V6_LOOPBACK = subnets('ipv6', ['::1/128']);
const V4_PRIVATE = subnets('ipv4', ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16']);
const V6_PRIVATE = subnets('ipv6', ['fc00::/7']);
/** IANA's registries of special-purpose addresses, and where clouds tell their secrets. */
const V4_FORBIDDEN = subnets('ipv4', [
  '0.0.0.0/8', '100.100.100.200/32', '168.63.129.16/32', '169.254.0.0/16', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15',
  '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
]);
const V6_FORBIDDEN = subnets('ipv6', ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', 'fd00:ec2::/32', 'fd20:ce::/32']);
/** Everything else of IPv6 is local, or carries an IPv4 address that would have to be looked at again. */
const V6_GLOBAL = subnets('ipv6', ['2000::/3']);
const LOCALHOST = 'localhost';

/** Throws `invalid_value` of `url` that says what would be right. Names are looked up when something is sent, not here. */
export function checkWebhookUrl(text: string, rules: AddressRules): URL {
  const url = URL.parse(text);
  if (url === null) throw wrong(`expected a URL, as "https://example.com/webhooks", got "${text.slice(0, 100)}"`);
  if (url.username !== '' || url.password !== '') throw wrong('it must not contain a user name or a password');
  const host = bareHost(url.hostname);
  const isLoopback = host === LOCALHOST || kindOf(host) === 'loopback';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback && rules.allowLoopback)) throw wrong('expected https');
  if (isIP(host) !== 0) checkAddress(host, rules);
  return url;
}

/** Throws `invalid_value` of `url` when nothing may be sent to this IP address. */
export function checkAddress(address: string, rules: AddressRules): void {
  const kind = kindOf(address);
  if (kind === 'public' || (kind === 'private' && rules.allowPrivate) || (kind === 'loopback' && rules.allowLoopback)) return;
  throw wrong(`${address} is not a public address, and webhooks are sent to no other`);
}

/**
 * A lookup for `connect` that fails when any address of the name is refused. What was checked is what is connected to: a
 * name that is looked up twice could give two answers.
 */
export function checkedLookup(rules: AddressRules, lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '');
      const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
      const [first] = addresses;
      try {
        if (first === undefined) throw wrong(`${hostname} has no address`);
        for (const { address } of addresses) checkAddress(address, rules);
      } catch (refusal) {
        return callback(refusal instanceof Error ? refusal : new Error(String(refusal)), '');
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** The host of a URL without the brackets around IPv6 addresses. */
function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function kindOf(address: string): AddressKind {
  switch (isIP(address)) {
    case 4:
      if (V4_FORBIDDEN.check(address)) return 'forbidden';
      if (V4_LOOPBACK.check(address)) return 'loopback';
      return V4_PRIVATE.check(address) ? 'private' : 'public';
    case 6:
      if (V6_FORBIDDEN.check(address, 'ipv6')) return 'forbidden';
      if (V6_LOOPBACK.check(address, 'ipv6')) return 'loopback';
      if (V6_PRIVATE.check(address, 'ipv6')) return 'private';
      return V6_GLOBAL.check(address, 'ipv6') ? 'public' : 'forbidden';
    default:
      return 'forbidden';
  }
}

function subnets(family: 'ipv4' | 'ipv6', texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [network = '', bits] = text.split('/');
    list.addSubnet(network, Number(bits), family);
  }
  return list;
}

function wrong(what: string): MeridianError {
  return new MeridianError('invalid_value', { param: 'url', message: `Invalid value for 'url': ${what}.` });
}
