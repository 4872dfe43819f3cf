import { CELL_NAMES, type CellName, EdgeError } from '../../contract/index.ts';

/** How far a reader has come in the log of each cell: the last sequence it was given. */
export type Cursor = Readonly<Record<CellName, number>>;

export const START: Cursor = Object.freeze(vector(() => 0));

const PATTERN = /^v1((?:\.[0-9a-z]{1,11}){4})$/;

/** Opaque to clients; the id of every streamed event. */
export function formatCursor(cursor: Cursor): string {
  return `v1.${CELL_NAMES.map((cell) => cursor[cell].toString(36)).join('.')}`;
}

/** Throws `schema.invalid` where the text was not made by `formatCursor`. */
export function parseCursor(text: string): Cursor {
  const match = PATTERN.exec(text);
  const numbers =
    match?.[1]
      ?.slice(1)
      .split('.')
      .map((part) => Number.parseInt(part, 36)) ?? [];
  if (!match || numbers.some((n) => !Number.isSafeInteger(n))) {
    throw new EdgeError('schema.invalid', {
      operation: 'read cursor',
      subject: 'Last-Event-ID',
      message: `/: an id of an earlier event of this stream expected, found ${JSON.stringify(text.slice(0, 80))}`,
      hint: 'leave it out to start at the start',
    });
  }
  return vector((_, index) => numbers[index]!);
}

export function vector(of: (cell: CellName, index: number) => number): Record<CellName, number> {
  return Object.fromEntries(CELL_NAMES.map((cell, index) => [cell, of(cell, index)])) as Record<
    CellName,
    number
  >;
}
