/** Program of a process with one simulated engine, which is so fast that it does not count. */
import { startSimEngine } from '../../src/sim/index.ts';
import { MODEL } from '../../test/support/test-fleet.ts';

const engine = await startSimEngine({ model: MODEL, timeScale: 1_000, seed: 1 });
process.send?.({ url: engine.url });
process.once('disconnect', () => process.exit(0));
