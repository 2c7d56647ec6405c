const BLOCK_TOKENS = 512;
const WORDS = 'over the hills and far away a river runs through quiet towns where people talk of weather work songs and small journeys made by night'.split(' ');

/** Text of about so many tokens, whose blocks are the same where their numbers are. */
export function promptText(blocks: readonly number[], promptTokens: number): string {
  return blocks.map((block, i) => blockText(block, Math.min(BLOCK_TOKENS, promptTokens - i * BLOCK_TOKENS))).join('');
}

function blockText(block: number, tokens: number): string {
  let state = Math.imul(block + 1, 0x9e3779b1) >>> 0;
  let text = '';
  for (let i = 0; i < tokens; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += `${WORDS[state % WORDS.length] ?? ''} `;
  }
  return text;
}
