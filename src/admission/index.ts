export { InFlightLimit, type InFlightPermit } from './in-flight-limit.ts';
