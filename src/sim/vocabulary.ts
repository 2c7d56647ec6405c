/** Marks of the chat template and of the model itself; they have no text. */
export const MARK = { begin: 1, end: 2, system: 3, user: 4, assistant: 5, tool: 6, thinkStart: 7, thinkEnd: 8 } as const;

export const MARK_COUNT = 16;

const PLAIN_WORDS = `a about above across after again air all along also always among an and animal another answer any
are around as ask at away back be became because been before began being below better between big bird black blue boat
body book both box boy bring build but by call came can car carry center certain change check children city class clear
close cold color come common complete contain correct could country course cover cross cry cut dark day decide deep
develop did differ direct distance do does dog door down draw drive dry during each early earth ease east eat end enough
even ever every example eye face fact fall family far farm fast father feel feet few field figure fill final find fine
fire first fish five follow food foot for force form found four free friend from front full game gave get girl give go
gold good got great green ground group grow had half hand happen hard has have he head hear heat help her here high him
his hold home horse hot hour house how hundred idea if in inch interest is island it just keep kind king knew know land
language large last late laugh lay lead learn leave left less let letter life light like line list listen little live
long look love low machine made main make man many map mark may me mean measure men might mile mind minute miss money
moon more morning most mother mountain move much multiply music must my name near need never new next night no north
note nothing notice noun now number object ocean of off often oh old on once one only open or order other our out over
own page paper part pass pattern people perhaps person picture piece place plain plan plane plant play point port pose
possible power press problem produce product pull put question quick rain ran reach read ready real record red remember
rest right river road rock room round rule run said same saw say school science sea second see seem sentence serve set
several shape she ship short should show side simple since sing six size sleep slow small snow so some song soon sound
south special spell stand star start state stay step still stood stop story street strong study such sun sure surface
system table take talk teach tell ten test than that the their them then there these they thing think this those though
thought thousand three through time to together told too took top toward town travel tree true try turn two under unit
until up us use usual very voice vowel walk want war warm was watch water way we week well went were west what wheel
when where which while white who whole why will wind with wonder wood word work world would write year yes yet you young`;

const FOREIGN_WORDS = 'café naïve über señor Ærø łódź мир слово 漢字 言葉 서울 مرحبا नमस्ते ελληνικά'.split(' ');
const SIGNS = ['🙂', '🚀', '🌍', '…', '—'];

const words = PLAIN_WORDS.split(/\s+/);
/** Words in the middle of a sentence, each with the space before it. */
const inner = [...words, ...FOREIGN_WORDS].map((word) => ` ${word}`);
/** Words that open a text or a line. */
const openers = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
const spacedOpeners = openers.map((word) => ` ${word}`);

const texts: string[] = Array.from({ length: MARK_COUNT }, () => '');

/** Ranges of token ids: `[first, count]`. */
export const RANGE = {
  inner: add(inner),
  openers: add(openers),
  spacedOpeners: add(spacedOpeners),
  signs: add(SIGNS),
  comma: add([',']),
  stop: add(['.']),
  line: add(['\n']),
} as const;

/** Text of each token of the model's own vocabulary, marks included (empty), by id. */
export const VOCABULARY: readonly string[] = texts;

function add(entries: readonly string[]): readonly [first: number, count: number] {
  const first = texts.length;
  texts.push(...entries);
  return [first, entries.length];
}
