import { describe, expect, it } from 'vitest';
import type { Tool } from '../../contract/index.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import type { RemoteAgent } from '../support/remote-peer.ts';
import { agentOf, RemotePeer } from '../support/remote-peer.ts';
import { countingTool, go, type RemoteRig, remoteApp, remoteRig } from '../support/remote-rig.ts';
import { replayParts } from '../support/replay-rig.ts';
import type { RuntimeRig } from '../support/runtime-rig.ts';

/** Runs of foreign runtimes done again from their record, without the runtime. */
const up = countingTool('count.up');
const safe = countingTool('count.safe', { effect: 'read', replay: 'safe' });
const hold = countingTool('robot.hold', { effect: 'actuate', hold: true });
const TOOLS: readonly Tool[] = [up.tool, safe.tool, hold.tool];

const errand = async (run: RemoteAgent) => {
  await run.call('c1', 'count.up', { n: 1 });
  await Promise.all([run.call('c2', 'count.safe', { n: 2 }), run.call('c3', 'count.up', { n: 3 })]);
  await run.phase('second', { metres: 1 });
  await run.call('c4', 'count.up', { n: 'four' });
  await run.call('c5', 'nothing.such');
  run.finish('counted');
};

async function recorded(
  work: (run: RemoteAgent) => Promise<void>,
  more: Parameters<typeof remoteRig>[1] = {},
): Promise<RemoteRig> {
  const made = await remoteRig(TOOLS, more);
  agentOf(new RemotePeer(made.runtimes), work).connect();
  return made;
}

function again({ disk, events }: RuntimeRig, from?: string) {
  const parts = replayParts(disk, remoteApp(), { tools: TOOLS });
  return replayRun(parts, events.find(({ kind }) => kind === 'run.queued')!.run_id!, from);
}

describe('the replay of a run of a foreign runtime', () => {
  it('comes out as it was, without the runtime, and says what it took from the record', async () => {
    const { rig } = await recorded(errand);
    await go(rig);
    await rig.finished();
    const calls = up.done.length;
    expect(await again(rig)).toMatchObject({
      verdict: 'identical',
      message: expect.stringContaining('what the runtime decided is taken from the record'),
    });
    expect(await again(rig, 'second')).toMatchObject({ verdict: 'identical' });
    expect(up.done).toHaveLength(calls);
  });

  it('comes out as it was from each of its events', async () => {
    const { rig } = await recorded(errand);
    await go(rig);
    await rig.finished();
    const run = rig.events.find(({ kind }) => kind === 'run.queued')!.run_id!;
    const count = rig.events.filter(({ run_id }) => run_id === run).length;
    for (let n = 1; n < count; n++) {
      const { verdict, message } = await again(rig, String(n));
      expect([n, verdict, message]).toEqual([n, 'identical', expect.any(String)]);
    }
  });

  it('finds what the daemon does otherwise now', async () => {
    const { rig } = await recorded(errand);
    await go(rig);
    await rig.finished();
    const { disk, events } = rig;
    const strict = countingTool('count.up', { effect: 'read' });
    const parts = replayParts(disk, remoteApp(), { tools: [strict.tool, safe.tool, hold.tool] });
    const run = events.find(({ kind }) => kind === 'run.queued')!.run_id!;
    expect(await replayRun(parts, run)).toMatchObject({ verdict: 'diverged' });
  });

  it('ends as a person ended it', async () => {
    const { rig } = await recorded(async (run) => {
      await run.call('c1', 'robot.hold');
    });
    const { run } = await go(rig);
    await rig.until(() => rig.of('tool.called').length > 0, 'it holds');
    void rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.finished();
    expect(await again(rig)).toMatchObject({ verdict: 'identical' });
  });

  it('does again each attempt of a run that was killed at any append', async () => {
    const whole = await recorded(errand);
    await go(whole.rig);
    await whole.rig.finished();
    for (let append = 2; append < whole.rig.appends.length; append++) {
      const cut = await recorded(errand, { cut: { append, when: 'after' } });
      void go(cut.rig).catch(() => {});
      await cut.rig.finished();
      const { disk, clock } = cut.rig;
      const { rig } = await recorded(errand, { disk, clock });
      if (rig.of('intent.accepted').length === 0) void go(rig).catch(() => {});
      await rig.finished();
      const { verdict, message } = await again(rig);
      expect([append, verdict, message]).toEqual([append, 'identical', expect.any(String)]);
    }
  });

  it('is refused where the end came from the connection', async () => {
    const { rig } = await remoteRig(TOOLS, { remote: { waitMs: 5_000 } });
    await go(rig);
    await rig.finished();
    await expect(again(rig)).rejects.toMatchObject({
      ...{ code: 'run.not_supported', message: expect.stringContaining('runtime.lost') },
    });
  });
});
