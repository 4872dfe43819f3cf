import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type FoundText, RECALL_LIMITS, type RecallFilter, type RecallIndex } from '../../contract/core.ts';

/** Texts that are looked at closer, by words and by meaning each. */
const CANDIDATES = 200;
/** Vectors between two turns of the event loop: some milliseconds. */
const PAGE = 2_000;
/** Words of a question that are looked for. */
const WORDS_MAX = 32;
/**
 * What a text with all words of the question adds to its nearness of meaning (from -1 to 1): a name or a number is found by
 * it. It counts squared: one word of many is a chance.
 */
const WORDS_WEIGHT = 0.5;
/** Texts below this have to do with the question by chance only. */
const SCORE_MIN = 0.15;

/** English words that are in most texts, and say little. */
const COMMON = new Set(
  (
    'a about an and any are as at be been but by can could did do does for from had has have he her his how i if in into ' +
    'is it its me my no not of on or our out she should so some than that the their them then there these they this to ' +
    'was we were what when where which who why will with would you your'
  ).split(' '),
);

export type Search = {
  /** Empty: the newest texts. */
  readonly question: string;
  /** Absent: by words only. */
  readonly vector?: Float32Array | undefined;
  readonly filter: RecallFilter;
  readonly limit: number;
};

/** The words that are looked for: letters and digits, lower case; all of them where all are common. */
export function wordsOf(question: string): readonly string[] {
  const all = [...new Set(question.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? [])];
  const rare = all.filter((word) => !COMMON.has(word));
  return (rare.length > 0 ? rare : all).slice(0, WORDS_MAX);
}

/**
 * The texts that answer a question best, best first, each text once (the newest that has it), within the bytes of an
 * answer. In short pieces: other work has its turn between them.
 */
export async function search(index: RecallIndex, ask: Search): Promise<readonly FoundText[]> {
  const { question, filter, limit } = ask;
  const ranked =
    question === ''
      ? index.newest(filter, CANDIDATES).map(({ row }) => ({ row, score: 0 }))
      : await scored(index, ask);
  const found: FoundText[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const { row, score } of ranked) {
    const [text] = index.texts([row]);
    if (!text || seen.has(text.sha256)) continue;
    seen.add(text.sha256);
    bytes += Buffer.byteLength(text.text);
    if (bytes > RECALL_LIMITS.ANSWER_BYTES_MAX) break;
    const { id, kind, sha256, source, atUs } = text;
    found.push({ id, kind, sha256, score, at: `${BigInt(atUs) * 1_000n}`, source, text: text.text });
    if (found.length === limit) break;
  }
  return found;
}

/** Over what was found, in its order. */
export function digestOf(texts: readonly Pick<FoundText, 'id' | 'sha256'>[]): string {
  const lines = texts.map(({ id, sha256 }) => `${id}\n${sha256}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

type Scored = { readonly row: number; readonly score: number };

async function scored(index: RecallIndex, { question, vector, filter }: Search): Promise<readonly Scored[]> {
  const byWords = index.byWords(wordsOf(question), filter, CANDIDATES);
  await turn();
  const words = new Map(byWords.map(({ row, rank }) => [row, rank]));
  if (vector === undefined) return ordered([...words].map(([row, score]) => ({ row, score })));
  const near = await nearest(index, vector, filter, words);
  return ordered(
    [...new Set([...words.keys(), ...near.keys()])]
      .map((row) => ({ row, score: (near.get(row) ?? 0) + WORDS_WEIGHT * (words.get(row) ?? 0) ** 2 }))
      .filter(({ score }) => score >= SCORE_MIN),
  );
}

/** Nearness of the nearest rows, and of those that are wanted anyway. */
async function nearest(
  index: RecallIndex,
  vector: Float32Array,
  filter: RecallFilter,
  wanted: ReadonlyMap<number, unknown>,
): Promise<ReadonlyMap<number, number>> {
  const near = new Map<number, number>();
  let most: { row: number; rank: number }[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const { rows, last } = index.nearness(vector, filter, after, PAGE);
    for (const { row, rank } of rows) if (wanted.has(row)) near.set(row, rank);
    const least = most.length < CANDIDATES ? Number.NEGATIVE_INFINITY : most.at(-1)!.rank;
    most = [...most, ...rows.filter(({ rank }) => rank > least)]
      .toSorted((a, b) => b.rank - a.rank || b.row - a.row)
      .slice(0, CANDIDATES);
    after = last;
    await turn();
  }
  for (const { row, rank } of most) near.set(row, rank);
  return near;
}

/** Best first; of equal ones the one that came last. */
function ordered(rows: readonly Scored[]): readonly Scored[] {
  return rows
    .map(({ row, score }) => ({ row, score: Math.round(score * 1e4) / 1e4 }))
    .toSorted((a, b) => b.score - a.score || b.row - a.row)
    .slice(0, CANDIDATES);
}
