import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killTimes } from '../test/support/kills/kill-campaign.ts';
import { judge } from '../test/support/kills/kill-verdict.ts';

/**
 * A runtime cell with its log on disk is killed (SIGKILL) at random points of missions with `never`, `safe` and
 * `probe` effects, by a flow and by a Pi agent, in a world that lives in another process. Then the book of the world
 * is compared with the log. Ends with 1 when anything happened twice, was lost, or was not settled.
 *
 * Usage: node bench/kills.ts [--points 1000] [--seed N] [--minutes M] [--json]
 * `--minutes`: no more kills after this time for each of the two halves.
 */
const { values: flags } = parseArgs({
  options: {
    points: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '600' },
    json: { type: 'boolean', default: false },
  },
});
const wanted = Number(flags.points);
const seed = Number(flags.seed);
const folder = mkdtempSync(join(tmpdir(), 'auraison-kills-'));
process.stderr.write(`seed ${seed}\n`);
const casts = ['flows', 'flows and agents'] as const;
const results = [];
for (const [index, cast] of casts.entries()) {
  const began = performance.now();
  const share = index === 0 ? Math.floor(wanted / 2) : Math.ceil(wanted / 2);
  const campaign = await killTimes({
    ...{ points: share, seed: seed + index, folder: join(folder, cast), cast },
    msMax: Number(flags.minutes) * 60_000,
  });
  const verdict = judge(campaign);
  const { kills } = campaign.seen;
  const seconds = (performance.now() - began) / 1_000;
  const points = Object.values(kills).reduce((sum, count) => sum + count, 0);
  process.stderr.write(`${cast}: ${points} kills, ${verdict.broken.length} broken\n`);
  results.push({ cast, points, seconds, kills, ...verdict, broken: verdict.broken.slice(0, 100) });
}
const broken = results.flatMap((result) => result.broken);
if (broken.length === 0) rmSync(folder, { recursive: true, force: true });
else process.stderr.write(`kept for who looks: ${folder}\n`);

if (!flags.json) {
  const lines = results.flatMap(({ cast, kills, effects, ...all }) => [
    `${cast}: ${all.points} kills in ${all.seconds.toFixed(0)} s`,
    `  at         a random time ${kills.time}, round an append ${kills.append}, round an effect ${kills.effect}, while starting ${kills.starting}, while stopping ${kills.stopping}`,
    `  runs       ${all.runs}: ${all.succeeded} succeeded, ${all.failedByRule} failed by the rule for attempts that only die; ${all.attempts} attempts, ${all.events} events`,
    `  effects    ${effects.never} never, ${effects.safe} safe, ${effects.probe} probe; reported as interrupted ${all.interrupted}, found in the world ${all.foundInWorld}`,
  ]);
  lines.push(`broken       ${broken.length}`, ...broken.slice(0, 20));
  process.stdout.write(`${lines.join('\n')}\n`);
}
process.stdout.write(`${JSON.stringify({ seed, loadAverage: loadavg()[0], results })}\n`);
process.exitCode = broken.length === 0 ? 0 : 1;
