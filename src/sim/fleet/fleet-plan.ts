import { DEEPSEEK_V3_NODE, type EngineModelConfig } from '../engine-config.ts';

/** A simulated world: where replicas and gateways stand, and how news travels. Times in milliseconds. */
export interface FleetPlan {
  readonly regions: readonly FleetRegion[];
  /** Between two regions, there and back. */
  readonly roundTripMs: (from: string, to: string) => number;
  readonly engine: EngineModelConfig;
  /** What is added to the way of load reports and cache events. */
  readonly telemetryDelayMs: number;
  /** Load reports: no two sooner than this, and one after at most that. */
  readonly loadMinMs: number;
  readonly loadMaxMs: number;
  /** Cache events are gathered for this long. */
  readonly prefixMs: number;
  /** Silence after which a link is given up. */
  readonly deadMs: number;
}

export interface FleetRegion {
  readonly name: string;
  readonly replicas: number;
  /** Whether a gateway stands here, which takes the requests whose home it is. */
  readonly hasGateway: boolean;
}

/** Tokens of a block of a workload's chains, and so of a page of the engines. */
export const BLOCK_TOKENS = 512;

/** Real regions of three clouds, with their place on the globe in degrees. */
const PLACES: readonly (readonly [name: string, latitude: number, longitude: number])[] = [
  ['gcp-us-east4', 39, -77.5],
  ['aws-us-west-2', 45.8, -119.7],
  ['oci-uk-london', 51.5, -0.1],
  ['gcp-europe-west4', 53.4, 6.8],
  ['aws-ap-northeast-1', 35.7, 139.7],
  ['oci-ap-mumbai', 19.1, 72.9],
  ['gcp-southamerica-east1', -23.5, -46.6],
  ['aws-ap-southeast-2', -33.9, 151.2],
];

const REGIONS_MAX = PLACES.length;

/** One millisecond within a region; beyond it light in glass (200 km/ms) on a way 1.4 times the great circle. */
function placedRoundTripMs(from: string, to: string): number {
  const [a, b] = [from, to].map((name) => PLACES.find(([place]) => place === name));
  if (a === undefined || b === undefined) throw new RangeError(`no region is called ${a === undefined ? from : to}`);
  if (a === b) return 1;
  const [latA, latB] = [radians(a[1]), radians(b[1])];
  const cosine = Math.sin(latA) * Math.sin(latB) + Math.cos(latA) * Math.cos(latB) * Math.cos(radians(a[2] - b[2]));
  return 1 + (2 * 1.4 * EARTH_KM * Math.acos(Math.min(1, cosine))) / 200;
}

const EARTH_KM = 6_371;

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** `replicas` spread evenly over the first `regions` places, a gateway in each. Throws RangeError on an impossible fleet. */
export function fleetPlan(replicas: number, regions: number, more: Partial<FleetPlan> = {}): FleetPlan {
  if (!Number.isInteger(replicas) || replicas < 1) throw new RangeError(`a fleet needs at least one replica, not ${replicas}`);
  if (!Number.isInteger(regions) || regions < 1 || regions > REGIONS_MAX) {
    throw new RangeError(`a fleet stands in 1 to ${REGIONS_MAX} regions, not ${regions}`);
  }
  if (regions > replicas) throw new RangeError(`${replicas} replicas cannot stand in ${regions} regions`);
  return {
    regions: PLACES.slice(0, regions).map(([name], i) => ({
      name,
      replicas: Math.floor(replicas / regions) + (i < replicas % regions ? 1 : 0),
      hasGateway: true,
    })),
    roundTripMs: placedRoundTripMs,
    engine: { ...DEEPSEEK_V3_NODE, pageTokens: BLOCK_TOKENS },
    telemetryDelayMs: 0,
    loadMinMs: 50,
    loadMaxMs: 500,
    prefixMs: 100,
    deadMs: 2_000,
    ...more,
  };
}
