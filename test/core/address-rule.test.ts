import { expect, test } from 'vitest';
import { liesIn } from '../../src/core/index.ts';

test.each([
  [['10.0.0.0/8'], '10.1.2.3', true],
  [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['192.168.1.7'], '192.168.1.7', true],
  [['192.168.1.7'], '192.168.1.8', false],
  [['2001:db8::/32', '10.0.0.0/8'], '2001:db8:1::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['0.0.0.0/0'], '', false],
])('%j and the address %s: %s', (networks, address, lies) => expect(liesIn(networks, address)).toBe(lies));
