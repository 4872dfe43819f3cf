import { parentPort, workerData } from 'node:worker_threads';
import { caseOf, findingOf, prepare, TARGETS } from './cases.ts';

/** Runs cases in a thread that may be ended: it writes down which case it is at, so that a hang has a number. */
type Work = {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly only: string;
  readonly at: SharedArrayBuffer;
};
const { seed, from, to, only, at } = workerData as Work;
const place = new Int32Array(at);
const targets = only === '' ? TARGETS : TARGETS.filter(({ name }) => name.startsWith(only));
const counts: Record<string, number> = {};
/** One finding per target and place in the code: the rest is the same again. */
const known = new Set<string>();
function isNews(target: string, finding: string): boolean {
  const place = /\n\s+at (?!.*node:)(.*)/.exec(finding)?.[1] ?? finding.slice(0, 80);
  const key = `${target} ${place}`;
  if (known.has(key)) return false;
  known.add(key);
  return true;
}

let slowestMs = 0;
let slowest = -1;

await prepare();
for (let index = from; index < to; index++) {
  Atomics.store(place, 0, index);
  const one = caseOf(seed, index, targets);
  const begun = performance.now();
  const finding = await findingOf(one);
  const ms = performance.now() - begun;
  if (ms > slowestMs) {
    slowestMs = ms;
    slowest = index;
  }
  counts[one.target.name] = (counts[one.target.name] ?? 0) + 1;
  if (finding !== undefined && isNews(one.target.name, finding))
    parentPort!.postMessage({ t: 'finding', index, target: one.target.name, finding });
}
parentPort!.postMessage({ t: 'done', counts, slowest, slowestMs, rss: process.memoryUsage.rss() });
