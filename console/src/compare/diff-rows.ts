/** Two runs side by side, as `GET /v1/runs/{id}/diff/{other}` answers. Pure. */

export type DiffRow = {
  readonly same: boolean;
  readonly class?: string | null;
  readonly a?: number | null;
  readonly b?: number | null;
  readonly left?: string | null;
  readonly right?: string | null;
};
export type RunDiff = {
  readonly a: string;
  readonly b: string;
  readonly identical: boolean;
  readonly first?: number | null;
  readonly words?: string | null;
  readonly classes: Readonly<Record<string, number>>;
  readonly rows: readonly DiffRow[];
  readonly timing: readonly { readonly step: string; readonly a_ms: number; readonly b_ms: number }[];
};

/** Equal lines that are shown before and after a difference. */
const CONTEXT = 2;

/** A row that is shown, or a number of equal rows that are not. */
export type Shown =
  | { readonly kind: 'row'; readonly index: number; readonly row: DiffRow }
  | { readonly kind: 'equal'; readonly index: number; readonly count: number };

/** From the first difference on; equal lines far from a difference are counted. `all`: every row. */
export function shownRows({ rows }: Pick<RunDiff, 'rows'>, all: boolean): Shown[] {
  const near = new Uint8Array(rows.length);
  for (const [i, row] of rows.entries()) {
    if (row.same && !all) continue;
    near.fill(1, Math.max(0, i - CONTEXT), Math.min(rows.length, i + CONTEXT + 1));
  }
  const shown: Shown[] = [];
  for (let i = 0; i < rows.length; i++) {
    const last = shown.at(-1);
    if (near[i] === 1) shown.push({ kind: 'row', index: i, row: rows[i]! });
    else if (last?.kind === 'equal') shown[shown.length - 1] = { ...last, count: last.count + 1 };
    else shown.push({ kind: 'equal', index: i, count: 1 });
  }
  return shown;
}

/** Kinds of differences with the index of the first of each, in the order of the runs. */
export const classesOf = ({ classes }: Pick<RunDiff, 'classes'>): (readonly [string, number])[] =>
  Object.entries(classes)
    .filter(([, index]) => index >= 0)
    .sort(([, a], [, b]) => a - b);
