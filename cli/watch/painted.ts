import { clean } from '../chat/text.ts';

export type Look = 'bold' | 'dim' | 'bad' | 'warn' | 'good';
/** A piece of a line; text of others is cleaned here, so no piece moves the cursor. */
export type Piece = { readonly text: string; readonly look?: Look };
export type Line = readonly Piece[];

const SGR: Record<Look, string> = { bold: '1', dim: '2', bad: '1;31', warn: '33', good: '32' };

/** Wide in a terminal: CJK, Hangul, full-width forms, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns of one character. */
function widthOf(character: string): number {
  return WIDE.test(character) ? 2 : NO_WIDTH.test(character) ? 0 : 1;
}

/** The line in at most so many columns, truncated with `…`, with colours where asked. */
export function painted(line: Line, columns: number, colour: boolean): string {
  const pieces = line.map(({ text, look }) => ({ text: clean(text).replaceAll(/\s/g, ' '), look }));
  const whole = pieces.reduce((sum, { text }) => sum + [...text].reduce((w, c) => w + widthOf(c), 0), 0);
  let left = whole <= columns ? columns : columns - 1;
  let out = '';
  let isCut = false;
  for (const { text, look } of pieces) {
    let kept = '';
    for (const character of text) {
      const width = widthOf(character);
      isCut ||= width > left;
      if (isCut) break;
      kept += character;
      left -= width;
    }
    out += colour && look && kept !== '' ? `\u001b[${SGR[look]}m${kept}\u001b[0m` : kept;
  }
  return whole <= columns ? out.trimEnd() : `${out}…`;
}
