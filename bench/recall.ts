import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { TEXT_MODEL, TextProcess, textModelFinder } from '../adapters/onnx/text/index.ts';
import { SqliteRecallIndex } from '../adapters/recall/index.ts';
import { RECALL_KINDS, type RecallIndex, type TextEmbedder } from '../contract/core.ts';
import { search } from '../daemon/memory/recall-search.ts';
import { recallModelDirs } from '../daemon/paths.ts';
import { percentile } from '../test/support/percentile.ts';
import { RECALL_QUESTIONS } from '../test/support/recall-questions.ts';
import { memoryOf } from './support/process-memory.ts';

/**
 * Recall: how fast texts get into the index, how long a question takes on many, what the model costs (wall time, in its own process), and which questions in
 * other words find their text. See README.md.
 *
 * Usage: node bench/recall.ts [--texts 100000] [--repeat 9] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    texts: { type: 'string', default: '100000' },
    repeat: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
  },
});
const TEXTS = Number(flags.texts);
const REPEAT = Number(flags.repeat);
const BATCH = 250;
const filter = { kinds: RECALL_KINDS };
const clock = new SystemClock();
/** Processor time of this process, milliseconds: on a shared machine wall time says little. */
const timed = async (work: () => unknown): Promise<number> => {
  const since = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
};
const wall = async (work: () => unknown): Promise<number> => {
  const since = performance.now();
  await work();
  return performance.now() - since;
};
const times = async (work: () => unknown): Promise<number> => {
  const found: number[] = [];
  for (let n = 0; n < REPEAT; n++) found.push(await timed(work));
  return percentile(found, 0.5);
};

/** Words as often as in a language: a few in most texts, most in hardly any. */
function textOf(n: number): string {
  const word = (at: number) => `w${Math.floor(((n * 7919 + at * 104729) % 9973) ** 2 / 9973)}`;
  return `the robot saw ${Array.from({ length: 12 }, (_, at) => word(at)).join(' ')} near place${n}`;
}

function fill(index: RecallIndex, texts: readonly string[]): void {
  for (let from = 0; from < texts.length; from += BATCH)
    index.batch((batch) => {
      for (const [at, text] of texts.slice(from, from + BATCH).entries())
        batch.put({
          id: `note:${from + at}`,
          kind: 'note',
          tenant: 'local',
          atUs: from + at,
          source: 'bench',
          text,
        });
    });
}

/** A vector of length 1 in a direction of its own. */
function vectorOf(n: number): Float32Array {
  let state = n + 1;
  const all = Float32Array.from({ length: TEXT_MODEL.dimensions }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  });
  const length = Math.hypot(...all);
  return all.map((value) => value / length);
}

async function speeds(folder: string) {
  const index = SqliteRecallIndex.open(join(folder, 'speed.sqlite'));
  const texts = Array.from({ length: TEXTS }, (_, n) => textOf(n));
  const fillMs = await timed(() => fill(index, texts));
  const ask = (question: string, vector?: Float32Array) =>
    search(index, { question, vector, filter, limit: 8 });
  const commonMs = await times(() => ask('robot saw place'));
  const rareMs = await times(() => ask('place77'));
  for (let left = index.withoutVector(BATCH), n = 0; left.length > 0; left = index.withoutVector(BATCH))
    index.putVectors(left.map(({ sha256 }) => ({ sha256, vector: vectorOf(n++) })));
  const nearMs = await times(() => ask('place77', vectorOf(5)));
  let longest = 0;
  const rebuildMs = await timed(async () => {
    for (let more = true; more; )
      longest = Math.max(longest, await timed(() => (more = index.drop({}, BATCH))));
  });
  index.close();
  return {
    texts_per_s: TEXTS / (fillMs / 1_000),
    commonMs,
    rareMs,
    nearMs,
    dropMs: rebuildMs,
    longestPieceMs: longest,
  };
}

async function quality(folder: string, embedder: TextEmbedder | undefined) {
  const index = SqliteRecallIndex.open(join(folder, 'quality.sqlite'));
  fill(
    index,
    RECALL_QUESTIONS.map(([text]) => text),
  );
  const left = index.withoutVector(RECALL_QUESTIONS.length);
  const vectors =
    (await embedder?.embed(
      left.map(({ text }) => text),
      120_000,
    )) ?? [];
  if (embedder) index.putVectors(left.map(({ sha256 }, at) => ({ sha256, vector: vectors[at]! })));
  const places: number[] = [];
  for (const [text, question] of RECALL_QUESTIONS) {
    const vector = (await embedder?.embed([question], 60_000))?.[0];
    const found = await search(index, { question, vector, filter, limit: 40 });
    places.push(1 + found.findIndex((one) => one.text === text));
  }
  index.close();
  const mrr = places.reduce((sum, place) => sum + (place === 0 ? 0 : 1 / place), 0) / places.length;
  return { mrr, amongThree: places.filter((place) => place > 0 && place <= 3).length, of: places.length };
}

async function model(embedder: TextEmbedder) {
  const firstMs = await wall(() => embedder.embed(['where is the dock?'], 60_000));
  const texts = RECALL_QUESTIONS.map(([text]) => text);
  const eachMs = (await wall(() => embedder.embed(texts, 120_000))) / texts.length;
  const pid = embedder instanceof TextProcess ? embedder.pid : undefined;
  return { firstMs, eachMs, pss: pid === undefined ? 0 : memoryOf(pid).pss };
}

const folder = mkdtempSync(join(tmpdir(), 'auraison-recall-'));
try {
  const found = textModelFinder({ clock, isOff: false, directories: recallModelDirs(folder, process.env) })();
  const embedder = 'embedder' in found ? found.embedder : undefined;
  const result = {
    load: loadavg()[0],
    texts: TEXTS,
    ...(await speeds(folder)),
    model: embedder ? await model(embedder) : found,
    words: await quality(join(folder, 'words'), undefined),
    meaning: embedder ? await quality(join(folder, 'meaning'), embedder) : undefined,
  };
  embedder?.rest();
  process.stdout.write(`${JSON.stringify(result, null, flags.json ? 0 : 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
