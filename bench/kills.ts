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
 * Usage: node bench/kills.ts [--points 1000] [--seed N] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    points: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
  },
});
const points = Number(flags.points);
const seed = Number(flags.seed);
const folder = mkdtempSync(join(tmpdir(), 'auraison-kills-'));
const began = performance.now();
process.stderr.write(`seed ${seed}\n`);
const campaign = await killTimes(points, seed, folder);
const verdict = judge(campaign);
const seconds = (performance.now() - began) / 1_000;
const result = { points, seed, seconds, loadAverage: loadavg()[0], kills: campaign.seen.kills, ...verdict };
if (verdict.broken.length === 0) rmSync(folder, { recursive: true, force: true });
else process.stderr.write(`kept for who looks: ${folder}\n`);

if (!flags.json) {
  const { kills, effects } = result;
  const lines = [
    `${points} lives, seed ${seed}, ${seconds.toFixed(0)} s, load average ${result.loadAverage?.toFixed(1)}`,
    `killed       ${kills.time} at a random time, ${kills.append} round an append, ${kills.effect} round an effect, ${kills.starting} while starting, ${kills.stopping} while stopping`,
    `runs         ${verdict.runs}: ${verdict.succeeded} succeeded, ${verdict.failedByRule} failed by the rule for attempts that only die; ${verdict.attempts} attempts, ${verdict.events} events`,
    `effects      ${effects.never} never, ${effects.safe} safe, ${effects.probe} probe; ${verdict.interrupted} calls told as interrupted, ${verdict.foundInWorld} found in the world`,
    `broken       ${verdict.broken.length}`,
    ...verdict.broken.slice(0, 20),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
process.stdout.write(`${JSON.stringify({ ...result, broken: verdict.broken.slice(0, 100) })}\n`);
process.exitCode = verdict.broken.length === 0 ? 0 : 1;
