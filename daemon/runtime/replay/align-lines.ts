/** A line of a run, and the step that it speaks of, whatever it says of it. */
export type Line = { readonly text: string; readonly key: string };

type Pair = [number, number];

/** Up to this many differing lines on a side are aligned whole: time and memory grow with the square. */
const ALIGN_MAX = 2_000;
/** What is longer and has no line in common that occurs once is aligned in pieces of this many lines. */
const PIECE = 500;

/**
 * Pairs of indexes in rising order. Up to 2,000 lines by the greatest weight; what is longer is first parted at lines
 * that occur once in both (patience), so that two changes that are far apart do not make all between them differ.
 */
export function aligned(a: readonly Line[], b: readonly Line[]): Pair[] {
  if (a.length <= ALIGN_MAX && b.length <= ALIGN_MAX) return alignment(a, b);
  const anchors = patience(a, b);
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...anchors, [a.length, b.length] as Pair]) {
    // A gap without an anchor in it has none when it is looked at alone.
    for (const [u, v] of inPieces(a.slice(i, x), b.slice(j, y))) pairs.push([u + i, v + j]);
    if (x < a.length) pairs.push([x, y]);
    i = x + 1;
    j = y + 1;
  }
  return pairs;
}

function inPieces(a: readonly Line[], b: readonly Line[]): Pair[] {
  if (a.length <= ALIGN_MAX && b.length <= ALIGN_MAX) return alignment(a, b);
  const pairs: Pair[] = [];
  for (let at = 0; at < a.length && at < b.length; at += PIECE)
    for (const [x, y] of alignment(a.slice(at, at + PIECE), b.slice(at, at + PIECE)))
      pairs.push([x + at, y + at]);
  return pairs;
}

/** Lines that occur once in each, as the longest row of them that has the same order in both. */
function patience(a: readonly Line[], b: readonly Line[]): Pair[] {
  const inB = once(b);
  const common: Pair[] = [];
  for (const [text, x] of once(a)) {
    const y = inB.get(text);
    if (y !== undefined && x >= 0 && y >= 0) common.push([x, y]);
  }
  common.sort(([x], [y]) => x - y);
  // By piles: each pair lies on the first pile whose top is not below it, and remembers the top of the pile before.
  const tops: number[] = [];
  const before: number[] = [];
  common.forEach(([, y], index) => {
    let [low, high] = [0, tops.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (common[tops[middle]!]![1] < y) low = middle + 1;
      else high = middle;
    }
    before[index] = low === 0 ? -1 : tops[low - 1]!;
    tops[low] = index;
  });
  const row: Pair[] = [];
  for (let at = tops.at(-1) ?? -1; at >= 0; at = before[at]!) row.push(common[at]!);
  return row.reverse();
}

/** Texts that occur once, with their place; -1 for those that occur again. */
function once(lines: readonly Line[]): Map<string, number> {
  const places = new Map<string, number>();
  lines.forEach(({ text }, index) => void places.set(text, places.has(text) ? -1 : index));
  return places;
}

/** Equal lines weigh most; lines of the same step are better side by side than apart. */
const EQUAL = 4;
const ALIKE = 1;

/** Pairs of indexes in rising order, with the greatest weight; by dynamic programming, backwards. */
function alignment(a: readonly Line[], b: readonly Line[]): [number, number][] {
  const width = b.length + 1;
  const best = new Uint32Array((a.length + 1) * width);
  const weight = (i: number, j: number) =>
    a[i]!.text === b[j]!.text ? EQUAL : a[i]!.key === b[j]!.key ? ALIKE : 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const w = weight(i, j);
      const paired = w === 0 ? 0 : w + best[(i + 1) * width + j + 1]!;
      best[i * width + j] = Math.max(paired, best[(i + 1) * width + j]!, best[i * width + j + 1]!);
    }
  }
  const pairs: [number, number][] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const w = weight(i, j);
    const here = best[i * width + j]!;
    if (w > 0 && here === w + best[(i + 1) * width + j + 1]!) pairs.push([i++, j++]);
    else if (here === best[(i + 1) * width + j]!) i++;
    else j++;
  }
  return pairs;
}
