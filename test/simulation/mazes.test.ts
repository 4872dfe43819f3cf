import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { logPath, openEventReader, verifyLogFile } from '../../adapters/event-log/index.ts';
import { openBag } from '../../adapters/rosbag/index.ts';
import type { Summary } from '../../cli/demo/summary.ts';
import { CELL_NAMES } from '../../contract/index.ts';
import { decodeAny } from '../../formats/ros2/index.ts';
import { auraison, auraisonAsync, type CliResult, freshDir } from '../support/daemon.ts';

/** The main job, as a user runs it, in generated mazes: short and long ones. With MAZES=20, as docs measure, the first 20. */
const SEEDS = process.env['MAZES']
  ? Array.from({ length: Number(process.env['MAZES']) }, (_, i) => i + 1)
  : [3, 5, 8, 11];
const MAZES = SEEDS.length;
/** Of the shortest way, to be driven twice. */
const SHORTEST = 11;
/** A quarter of the robot's full speed: what brushing past a wall leaves, not what driving into one does. */
const BUMP_MPS = 0.1;

const directory = freshDir('mazes');
afterAll(() => directory.remove());

type Outcome = {
  readonly seed: number;
  readonly dataDir: string;
  readonly summary: Summary;
  readonly result: CliResult;
};

async function run(seed: number, name = `seed-${seed}`): Promise<Outcome> {
  const dataDir = join(directory.path, name);
  const result = await auraisonAsync(
    ['demo', '--once', '--json', '--seed', String(seed), '--data-dir', dataDir],
    { AURAISON_API_PORT: '0' },
  );
  const last = result.stdout.trim().split('\n').at(-1) ?? '';
  return { seed, dataDir, summary: JSON.parse(last === '' ? '{}' : last) as Summary, result };
}

/** One after another: they keep the processors busy, and other files of tests run at the same time. */
async function runAll(seeds: readonly number[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const seed of seeds) outcomes.push(await run(seed));
  return outcomes;
}

let outcomes: Outcome[] = [];

describe(`${MAZES} mazes of 10 by 10 cells`, () => {
  it('run to their end', { timeout: 2_400_000 }, async () => {
    outcomes = await runAll(SEEDS);
    for (const { seed, summary, result } of outcomes) {
      console.log(
        `seed ${seed}: reached ${summary.reached}, ${summary.duration_s} s, ${summary.distance_m} m, ${summary.collisions} collisions, received ${summary.received}, dropped ${summary.dropped}`,
      );
      expect(Object.keys(summary), result.stderr).toEqual([
        'reached',
        'duration_s',
        'distance_m',
        'collisions',
        'received',
        'written',
        'dropped',
        'events',
        'run_id',
        'segments',
      ]);
    }
  });

  it('the exit is reached in all but one at most, and the exit code says so', () => {
    expect(outcomes.filter((o) => o.summary.reached).length).toBeGreaterThanOrEqual(MAZES - 1);
    for (const { summary, result } of outcomes) expect(result.status).toBe(summary.reached ? 0 : 1);
  });

  it('no message is lost: received = written + dropped, dropped = 0, and the segments hold them all', () => {
    for (const { seed, dataDir, summary } of outcomes) {
      expect(summary.received, `seed ${seed}`).toBeGreaterThan(1_000);
      expect(summary.written + summary.dropped, `seed ${seed}`).toBe(summary.received);
      expect(summary.dropped, `seed ${seed}`).toBe(0);
      const kept = summary.segments.reduce((sum, segment) => sum + segment.messages, 0);
      // A cell counts from its own start; its segments are there whoever wrote them. A machine that starves may
      // have its start ended and made again.
      const starts = startsOf(dataDir);
      if (starts.length === 1) expect(kept, `seed ${seed}`).toBe(summary.written);
      else expect(kept, `seed ${seed}, starts: ${starts.join('; ')}`).toBeGreaterThanOrEqual(summary.written);
    }
  });

  it('no collision is above a bump: the hardest contact is slower than 0.1 m/s', async () => {
    for (const { seed, dataDir, summary } of outcomes) {
      const hardest = await hardestContact(summary.segments.map((segment) => join(dataDir, segment.path)));
      expect(hardest, `seed ${seed}`).toBeLessThan(BUMP_MPS);
      expect(summary.collisions, `seed ${seed}`).toBeLessThanOrEqual(3);
    }
  });

  it('the event logs verify', () => {
    const [first, ...others] = outcomes.map(({ dataDir }) => dataDir);
    // Once as a user does it; then what that command calls, without as many starts of it.
    expect(auraison(['log', 'verify', '--json', '--data-dir', first!]).status).toBe(0);
    for (const dataDir of others) {
      const logs = CELL_NAMES.map((cell) => logPath(dataDir, cell)).filter(existsSync);
      expect(logs.length, dataDir).toBeGreaterThan(1);
      for (const log of logs) expect(verifyLogFile(log), log).toMatchObject({ ok: true });
    }
  });

  it('each segment has the hash that was reported', async () => {
    for (const { dataDir, summary } of outcomes) {
      for (const segment of summary.segments) {
        const hash = createHash('sha256');
        for await (const chunk of createReadStream(join(dataDir, segment.path))) hash.update(chunk as Buffer);
        expect(hash.digest('hex')).toBe(segment.sha256);
      }
    }
  });
});

describe('the same seed', () => {
  it('gives the same decisions to the last byte, another seed does not', { timeout: 300_000 }, async () => {
    const decided = (seed: number) => decisionsOf(outcomes.find((outcome) => outcome.seed === seed)!);
    const first = await decided(SHORTEST);
    expect(first.split('\n').length).toBeGreaterThan(10);
    expect(await decisionsOf(await run(SHORTEST, 'again'))).toBe(first);
    expect(await decided(8)).not.toBe(first);
  });
});

/** Each start of the execution cell, with its reason. */
function startsOf(dataDir: string): string[] {
  const reader = openEventReader(dataDir, 'execution');
  const starts = reader
    .read(0, 100, { kinds: ['cell.started'] })
    .map(({ payload }) => JSON.stringify(payload));
  reader.close();
  return starts;
}

/** What the referee measured, from the recording itself, m/s; 0 where nothing was touched. */
async function hardestContact(segments: readonly string[]): Promise<number> {
  let hardest = -1;
  for (const segment of segments) {
    const bag = await openBag(segment);
    for await (const sample of bag.messages({ topics: new Set(['/maze/hardest_contact']) })) {
      hardest = Math.max(hardest, (decodeAny(sample.type, sample.bytes) as { data: number }).data);
    }
    await bag.close();
  }
  expect(hardest, 'the referee spoke').toBeGreaterThanOrEqual(0);
  return hardest;
}

/** Asks a daemon that is started again on the same data: what was decided survives it. */
async function decisionsOf({ dataDir, summary }: Outcome): Promise<string> {
  const { testDaemon } = await import('../support/daemon.ts');
  const daemon = await testDaemon(dataDir, { AURAISON_ROBOT_SOURCE: 'none' });
  try {
    return await (await daemon.api.stream(`/v1/runs/${summary.run_id}/decisions`)).text();
  } finally {
    await daemon.stop();
  }
}
