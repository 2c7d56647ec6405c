import { expect, test } from 'vitest';
import { ReplicaAccess } from '../../src/gateway/index.ts';

const access = new ReplicaAccess([
  { organization: 'acme', nodes: ['n1', 'n2'], overflow: false },
  { organization: 'globex', nodes: ['n3'], overflow: true },
]);

/** Which of five nodes, the last in another region, a key may use. */
function nodesOf(organization: string, regions: readonly string[] | null = null): string[] {
  return ['n1', 'n2', 'n3', 'n4', 'n5'].filter((node) => access.mayUse({ node, region: node === 'n5' ? 'there' : 'here' }, { organization, regions }));
}

test('nodes set aside serve their organisation only, which may use others if it is allowed to overflow', () => {
  expect(nodesOf('acme')).toEqual(['n1', 'n2']);
  expect(nodesOf('globex')).toEqual(['n3', 'n4', 'n5']);
  expect(nodesOf('anybody')).toEqual(['n4', 'n5']);
});

test('a key bound to regions uses nothing elsewhere, whoever it belongs to', () => {
  expect(nodesOf('globex', ['here'])).toEqual(['n3', 'n4']);
  expect(nodesOf('anybody', ['there'])).toEqual(['n5']);
  expect(nodesOf('acme', ['there'])).toEqual([]);
});
