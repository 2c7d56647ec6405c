import { expect, test } from 'vitest';
import { loadNodeConfig } from '../../src/config/index.ts';
import { LINK_DEFAULTS } from '../../src/node/index.ts';

test('a node whose configuration says nothing of its links has the defaults that embedded nodes have', () => {
  const secrets = { MERIDIAN_NODE_ID: 'n', MERIDIAN_REGION: 'r', MERIDIAN_FLEET_TOKEN: 'sixteen characters' };
  expect(loadNodeConfig('config/node.yaml', secrets).link).toEqual(LINK_DEFAULTS);
});
