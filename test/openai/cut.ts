import fc from 'fast-check';

/** Where to cut a stream, as fractions of its length. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });

/** `bytes` in pieces cut at those fractions, some perhaps empty. */
export function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const offsets = at.map((fraction) => Math.floor(fraction * bytes.length)).toSorted((a, b) => a - b);
  // Copies, as a socket would hand them out: nobody may count on seeing past the end of a chunk.
  return [0, ...offsets].map((start, i) => Buffer.from(bytes.subarray(start, offsets[i] ?? bytes.length)));
}
