import { describe, expect, it } from 'vitest';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { Random } from '../support/random.ts';
import { RandomRemoteRun, randomRemotePlan, type Tongue } from '../support/random-remote.ts';

/**
 * The first seeds, each in both tongues; `SEEDS=1000` tries more. Of 14 the replay of a run that was cut while it was paused
 * once stood still, of 111 a call that its agent forgot was repeated. Of the first 600 seeds three of ACP agents differ still
 * (255, 550, 597): a call that may not be repeated was left open by a cut, and the agent does not call it again.
 */
const SEEDS = Number(process.env['SEEDS'] ?? 120);
/** Of these many the replay starts at each event too. */
const EACH = 4;

const carried = new Map<string, RandomRemoteRun>();
async function carriedOut(tongue: Tongue, seed: number): Promise<RandomRemoteRun> {
  const key = `${tongue} ${seed}`;
  const known = carried.get(key);
  if (known) return known;
  const run = new RandomRemoteRun(randomRemotePlan(new Random(seed), [tongue]));
  await run.carryOut();
  carried.set(key, run);
  return run;
}

describe.each<Tongue>(['runtime', 'acp'])('random runs of a foreign runtime (%s)', (tongue) => {
  it(`come out as they were, seeds 1 to ${SEEDS}`, { timeout: 600_000 }, async () => {
    const different: unknown[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await carriedOut(tongue, seed);
      const { runId } = run;
      if (runId === undefined || run.rig.of('run.started').length === 0) continue;
      const parts = run.parts();
      const count = run.rig.events.filter(({ run_id }) => run_id === runId).length;
      for (let n = 0; n < (seed <= EACH ? count : 1); n++) {
        const { verdict, divergence } = await replayRun(parts, runId, n === 0 ? undefined : String(n));
        if (verdict !== 'identical') different.push({ seed, n, ...divergence });
      }
    }
    expect(different).toEqual([]);
  });

  it('are of every kind that matters', { timeout: 600_000 }, async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { rig, plan } = await carriedOut(tongue, seed);
      for (const { what } of plan.nudges) seen.add(what);
      for (const event of rig.events) {
        if (event.kind === 'run.started' && event.payload.attempt > 1) seen.add('killed');
        if (event.kind === 'run.message') seen.add(event.payload.kind);
        if (event.kind === 'run.status' || event.kind === 'run.finished') seen.add(event.payload.status);
        if (event.kind === 'tool.returned')
          seen.add(event.payload.error ? event.payload.error.code : event.payload.ok ? 'ok' : '');
      }
    }
    const kinds = [
      'killed',
      'steer',
      'follow_up',
      'link',
      'paused',
      'cancelled',
      'succeeded',
      'failed',
      'ok',
    ];
    expect([...seen]).toEqual(expect.arrayContaining([...kinds, 'schema.invalid', 'policy.denied']));
  });
});
