import type { FleetRequest } from './gateway-mind.ts';

/** How a request ended for its client: answered; refused with 429; failed; cut after its first token; or not yet. */
export type RequestEnd = 'completed' | 'refused' | 'failed' | 'cut' | null;

/** What a simulated client saw of its request. Times in virtual milliseconds; NaN where there is none. */
export interface FleetRecord {
  readonly request: FleetRequest;
  readonly homeRegion: string;
  end: RequestEnd;
  endedMs: number;
  /** From arrival at the gateway to the first token there. */
  ttftMs: number;
  region: string;
  replicaId: string;
  attempts: number;
  /** Attempts that its client got tokens from. */
  parts: number;
  /** What it is charged: one prompt, and the tokens of every part of its answer. */
  chargedPrompts: number;
  chargedTokens: number;
  cachedTokens: number;
  completionTokens: number;
}

export function newRecord(request: FleetRequest, homeRegion: string): FleetRecord {
  return {
    request,
    homeRegion,
    end: null,
    endedMs: Number.NaN,
    ttftMs: Number.NaN,
    region: '',
    replicaId: '',
    attempts: 0,
    parts: 0,
    chargedPrompts: 0,
    chargedTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
  };
}
