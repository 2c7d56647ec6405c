/** A chained hash over tokens in two 32-bit lanes; `key` joins them to 53 bits, enough for a few million pages. */
export class TokenChain {
  #low: number;
  #high: number;

  constructor(salt = '') {
    this.#low = 0x811c9dc5;
    this.#high = 0x9747b28c;
    for (let i = 0; i < salt.length; i += 1) this.push(salt.charCodeAt(i));
  }

  push(token: number): void {
    const low = Math.imul(this.#low ^ token, 0x9e3779b1);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high ^ token, 0x85ebca6b) + this.#low;
    this.#high = high ^ (high >>> 13);
  }

  get key(): number {
    return (this.#high & 0x1fffff) * 0x1_0000_0000 + (this.#low >>> 0);
  }
}

/** The keys of the whole pages of `tokens`, one after the other, under a cache salt. */
export function pageKeys(tokens: readonly number[], pageTokens: number, salt = ''): number[] {
  const chain = new TokenChain(salt);
  const keys: number[] = [];
  let inPage = 0;
  for (const token of tokens) {
    chain.push(token);
    inPage += 1;
    if (inPage === pageTokens) {
      keys.push(chain.key);
      inPage = 0;
    }
  }
  return keys;
}
