import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { application } from '../../apps/turtlebot-maze/index.ts';
import type { Application, Harness } from '../../contract/index.ts';
import { FlowHarness } from '../../daemon/runtime/flow/flow-harness.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, type MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

function replayParts(disk: MemoryLogDisk, app: Application = application, harness?: Harness) {
  disk.writer = undefined;
  const log = new MemoryEventLog({ cell: 'runtime', clock: new ManualClock(), disk });
  return {
    reader: log.reader(),
    host: new SystemClock(),
    load: () => ({ app, harness: harness ?? new FlowHarness(app.flow!) }),
    tools: [],
    blobs: undefined,
    sha256: (text: string) => createHash('sha256').update(text).digest('hex'),
  };
}

async function mission(seed: number, stuckShare = 0) {
  const rig = new RuntimeRig({ apps: [application], robot: new FakeRobot({ seed, cells: 6, stuckShare }) });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'maze/find_exit', params: {} }, PERSON);
  await rig.finished();
  return { rig, runId: run.run_id };
}

describe('a flow that is done again', () => {
  it.each([1, 2, 3])('comes out byte for byte (maze %i)', async (seed) => {
    const { rig, runId } = await mission(seed, seed === 3 ? 0.33 : 0);
    const outcome = await replayRun(replayParts(rig.disk), runId);
    expect(outcome).toMatchObject({ verdict: 'identical', attempts: 1 });
    expect(outcome.replayed_sha256).toBe(outcome.recorded_sha256);
    expect(outcome.lines).toBeGreaterThan(20);
  });
});

describe('what is recorded for it', () => {
  it('costs no append of its own', async () => {
    const { rig } = await mission(1);
    const observed = rig.of('robot.observed');
    expect(observed.length).toBeGreaterThan(5);
    const bytes = observed.reduce((sum, event) => sum + JSON.stringify(event.payload).length, 0);
    expect(bytes / observed.length).toBeLessThan(1_000);
  });
});
