import { describe, expect, it } from 'vitest';
import type { EventReader } from '../../contract/index.ts';
import { RunStore } from '../../daemon/runtime/runs/run-store.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { effectsApp } from '../support/test-apps.ts';

/** A log of finished runs with the effects of three rounds each. */
async function history(runs: number): Promise<RuntimeRig> {
  const rig = new RuntimeRig({ apps: [effectsApp()], robot: new FakeRobot({ cells: 4, seed: 2 }) });
  await rig.cell.start();
  for (let i = 1; i <= runs; i++) {
    await rig.cell.submit({ type: 'effects/go', idempotency_key: `k${i}` }, PERSON);
    const over = () => rig.of('run.finished').length === i && rig.cell.status().runs.length === 0;
    await rig.until(over, 'the end');
  }
  return rig;
}

/** Reads what was written; counts what it was made to read. */
function counting(rig: RuntimeRig) {
  const { events } = rig;
  const read: string[] = [];
  const reader: EventReader = {
    read(after, limit, { runId, kinds } = {}) {
      const found = events
        .filter((e) => e.seq > after && (kinds?.includes(e.kind) ?? true))
        .filter((e) => runId === undefined || e.run_id === runId)
        .slice(0, limit);
      read.push(...found.map((e) => e.kind));
      return found;
    },
    lastSeq: () => events.length,
    close: () => {},
  };
  return { reader, read };
}

describe('a runtime that starts over a long history', () => {
  it('reads of each finished run that it was, and the rest when somebody looks', async () => {
    const rig = await history(4);
    const before = rig.cell.runs();
    const { reader, read } = counting(rig);
    const opened: string[] = [];
    const store = new RunStore(reader, ({ state }) => void opened.push(state.run_id));
    await store.load();
    // Four events tell that a run was; the thirty of what it did stay where they are.
    expect(read).toHaveLength(4 * 4);
    expect(opened).toHaveLength(4);
    expect(store.unfinished()).toEqual([]);
    for (const details of before) {
      const { state, phase, reason, summary } = store.get(details.run.run_id)!;
      expect({ state, phase, reason, summary }).toEqual({
        state: details.run,
        phase: details.phase,
        reason: details.reason,
        summary: details.summary,
      });
    }
    expect(store.list().map(({ phase }) => phase)).toEqual(before.map(({ phase }) => phase));
  });

  it('lets the heart beat between pages', async () => {
    const rig = await history(1);
    const { reader } = counting(rig);
    const paged: EventReader = { ...reader, read: (after, _limit, filter) => reader.read(after, 1, filter) };
    let beats = 0;
    const beat = setInterval(() => beats++, 0);
    const store = new RunStore(
      {
        ...paged,
        read(after, limit, filter) {
          // A page that costs: three milliseconds of this thread.
          const until = performance.now() + 3;
          while (performance.now() < until);
          return paged.read(after, limit, filter);
        },
      },
      () => {},
    );
    await store.load();
    clearInterval(beat);
    expect(beats).toBeGreaterThan(0);
  });
});
