/**
 * How fast the mock engines give tokens.
 * - `steps`: like a real engine, one token for every open stream at the same instant, each `stepMs`.
 * - `unpaced`: as fast as the socket takes them: one write each, the next in the next turn of the event loop.
 * - `held`: the first token, and then nothing more.
 */
export type Pace = { readonly kind: 'steps'; readonly stepMs: number } | { readonly kind: 'unpaced' } | { readonly kind: 'held' };
