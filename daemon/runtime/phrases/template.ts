import { tokensOf } from './tokens.ts';

/** What a slot takes; `docs/write-an-app.md` says what each means. */
export const SLOT_KINDS = [
  ...(['number', 'integer', 'distance', 'angle', 'duration', 'along', 'side'] as const),
  ...(['choice', 'place', 'text'] as const),
];
export type SlotKind = (typeof SLOT_KINDS)[number];

/** A template as a tree. */
export type Pattern =
  | { readonly is: 'word'; readonly word: string }
  | { readonly is: 'slot'; readonly name: string; readonly kind: SlotKind }
  | { readonly is: 'list'; readonly of: readonly Pattern[] }
  | { readonly is: 'choice'; readonly of: readonly Pattern[] };

export type ReadTemplate =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly problem: string };

const EMPTY: Pattern = { is: 'list', of: [] };
const DEPTH_MAX = 6;
const PARTS_MAX = 200;
const PIECES = /\{[^{}]*\}|[()[\]|]|[^{}()[\]|\s]+|[{}]/gu;

/** Reads `(go|drive) {metres:distance} [straight] ahead`. Pure. */
export function readTemplate(say: string): ReadTemplate {
  const pieces = [...say.matchAll(PIECES)].map(([piece]) => piece);
  if (pieces.length > PARTS_MAX) return { ok: false, problem: `it has more than ${PARTS_MAX} parts` };
  try {
    const reader = { pieces, at: 0 };
    const pattern = alternatives(reader, 0);
    if (reader.at < pieces.length) throw new Fault(`"${pieces[reader.at]}" closes what was not opened`);
    return { ok: true, pattern };
  } catch (thrown) {
    if (thrown instanceof Fault) return { ok: false, problem: thrown.message };
    throw thrown;
  }
}

class Fault extends Error {}
type Reader = { readonly pieces: readonly string[]; at: number };

function alternatives(reader: Reader, depth: number): Pattern {
  if (depth > DEPTH_MAX) throw new Fault(`it is nested deeper than ${DEPTH_MAX}`);
  const found = [sequence(reader, depth)];
  while (reader.pieces[reader.at] === '|') {
    reader.at++;
    found.push(sequence(reader, depth));
  }
  return found.length === 1 ? found[0]! : { is: 'choice', of: found };
}

function sequence(reader: Reader, depth: number): Pattern {
  const of: Pattern[] = [];
  for (;;) {
    const piece = reader.pieces[reader.at];
    if (piece === undefined || piece === '|' || piece === ')' || piece === ']') break;
    reader.at++;
    if (piece === '(' || piece === '[') {
      const inner = alternatives(reader, depth + 1);
      const end = piece === '(' ? ')' : ']';
      if (reader.pieces[reader.at] !== end) throw new Fault(`"${piece}" is not closed by "${end}"`);
      reader.at++;
      of.push(piece === '(' ? inner : { is: 'choice', of: [inner, EMPTY] });
    } else if (piece.startsWith('{')) of.push(slotOf(piece));
    else of.push(...wordsOf(piece));
  }
  return { is: 'list', of };
}

function slotOf(piece: string): Pattern {
  const [, name, kind] = /^\{\s*([A-Za-z][A-Za-z0-9_]{0,63})\s*:\s*([a-z]+)\s*\}$/.exec(piece) ?? [];
  if (name === undefined)
    throw new Fault(`${piece} is no slot: {parameter:kind} expected, for example {metres:distance}`);
  const known = SLOT_KINDS.find((one) => one === kind);
  if (!known) throw new Fault(`${piece}: unknown kind "${kind}"; there are ${SLOT_KINDS.join(', ')}`);
  return { is: 'slot', name, kind: known };
}

function wordsOf(piece: string): readonly Pattern[] {
  const tokens = tokensOf(piece) ?? [];
  if (tokens.length === 0) throw new Fault(`"${piece}" is no word`);
  return tokens.map(({ word }) => ({ is: 'word', word }));
}
