import { expect, test } from 'vitest';
import { loadNodeConfig } from '../../src/config/index.ts';
import { CANARY_DEFAULTS, LINK_DEFAULTS } from '../../src/node/index.ts';

test('a node whose configuration says nothing of its links and canaries has the defaults that embedded nodes have', () => {
  const secrets = { MERIDIAN_NODE_ID: 'n', MERIDIAN_REGION: 'r', MERIDIAN_FLEET_TOKEN: 'sixteen characters' };
  const { link, canary } = loadNodeConfig('config/node.yaml', secrets);
  expect({ link, canary }).toEqual({ link: LINK_DEFAULTS, canary: CANARY_DEFAULTS });
});
