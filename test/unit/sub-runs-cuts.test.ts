import { describe, expect, it } from 'vitest';
import { call, rigOf, type Works } from '../support/agent-rig.ts';
import { type Cut, PERSON, type RuntimeRig } from '../support/runtime-rig.ts';

describe('a tree that is cut off', () => {
  const works: Works = {
    boss: async (context) => {
      const first = await call(
        context,
        'run.spawn',
        { intent: 'hand/go', params: { n: 1 }, time_s: 90 },
        'one',
      );
      const second = await call(context, 'run.delegate', { intent: 'hand/go', params: { n: 2 } }, 'two');
      const { runs } = await call(context, 'run.wait', { run_ids: [first['run_id']], time_s: 60 }, 'three');
      const [waited] = runs as { status: string }[];
      return { summary: { first: waited!.status, second: second['status'] } };
    },
    hand: async (context) => {
      await context.robot.maneuver({ kind: 'wait', durationMs: 100 + Number(context.intent.params['n']) });
      return {};
    },
  };

  /** Kills the cell at each cut in turn and ends with an uncut life. */
  async function killed(cuts: readonly Cut[]): Promise<RuntimeRig> {
    let rig: RuntimeRig | undefined;
    for (const cut of [...cuts, undefined]) {
      rig = rigOf(works, { ...(rig ? { disk: rig.disk, clock: rig.clock } : {}), ...(cut ? { cut } : {}) });
      // Time passes between two lives: what is asked for again comes with less of it left.
      await rig.clock.advance(20);
      let up = false;
      void rig.cell.start().then(() => {
        up = true;
      });
      const now = rig;
      await now.until(() => up, 'the start');
      if (now.of('intent.accepted').length === 0 && !now.dead)
        void now.cell.submit({ type: 'boss/go' }, PERSON).catch(() => undefined);
      const root = () => now.of('intent.accepted')[0]?.run_id;
      await now.until(
        () =>
          now.of('run.finished').some(({ run_id }) => run_id === root()) &&
          now.cell.status().runs.length === 0,
        'the end of the tree',
      );
    }
    return rig!;
  }

  it('at any append has each child once, each run settled, and the parent told', async () => {
    const whole = await killed([]);
    expect(whole.of('run.queued')).toHaveLength(3);
    expect(whole.appends.length).toBeGreaterThan(12);
    for (let append = 1; append <= whole.appends.length; append++) {
      for (const when of ['before', 'after'] as const) {
        const rig = await killed([{ append, when }]);
        const told = `cut ${when} append ${append}`;
        expect(rig.of('run.queued').length, told).toBe(3);
        const finished = rig.of('run.finished');
        expect(new Set(finished.map(({ run_id }) => run_id)).size, told).toBe(3);
        expect(finished, told).toHaveLength(3);
        const root = rig.of('run.queued')[0]!.run_id;
        expect(finished.at(-1)!.run_id, told).toBe(root);
        const { status, summary } = finished.at(-1)!.payload;
        expect([status, summary], told).toEqual(['succeeded', { first: 'succeeded', second: 'succeeded' }]);
      }
    }
  });
});
