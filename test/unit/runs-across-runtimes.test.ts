import { describe, expect, it } from 'vitest';
import type { Application } from '../../contract/index.ts';
import { agentOf, type RemoteAgent, RemotePeer, type Wire } from '../support/remote-peer.ts';
import { countingTool, go, remoteApp, remoteRig } from '../support/remote-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

/** One session with runs of several runtimes: a program asks for another program's agent and for a flow. */
const named = (app: Application, name: string): Application => ({
  ...app,
  name,
  intents: [{ ...app.intents[0]!, type: `${name}/go` }],
});
const scout = named(remoteApp({ runtime: 'other', agent: 'scout' }), 'scout');
const hand = named(
  flowApp('hand', {
    ...oneState(async ({ tools }) => {
      await tools.call('count.up', { n: 2 });
      return { event: 'ok', reason: 'done' };
    }),
    tools: ['count.*'],
  }),
  'hand',
);

async function started(
  scouting: (run: RemoteAgent) => Promise<void> | void,
  leading: (run: RemoteAgent) => Promise<void>,
) {
  const up = countingTool('count.up');
  const { rig, runtimes } = await remoteRig([up.tool], { apps: [scout, hand] });
  const workshop = agentOf(new RemotePeer(runtimes), leading);
  // Much time passes while it waits for a child.
  workshop.pongs = true;
  workshop.connect();
  const other = agentOf(new RemotePeer(runtimes, 'other'), scouting);
  other.connect({ hello: { agents: ['scout'] } });
  return { rig, up, other };
}

const idOf = (answer: Wire) => (answer['result'] as { run_id: string }).run_id;

describe('runs of several runtimes in one tree', () => {
  it('a program asks for an agent of another program and for a flow, and gets what came of both', async () => {
    let found: unknown;
    const { rig, up } = await started(
      async (run) => {
        await run.call('s1', 'count.up', { n: 1 });
        run.finish('scouted');
      },
      async (run) => {
        const asked = await Promise.all([
          run.call('c1', 'run.spawn', { intent: 'scout/go' }),
          run.call('c2', 'run.spawn', { intent: 'hand/go' }),
        ]);
        found = (await run.call('c3', 'run.wait', { run_ids: asked.map(idOf), time_s: 60 }))['result'];
        run.finish('led');
      },
    );
    const { run } = await go(rig);
    await rig.until(() => rig.of('run.finished').length === 3, 'three ends');
    expect(found).toMatchObject({
      runs: [
        { status: 'succeeded', reason: 'scouted' },
        { status: 'succeeded', reason: 'done' },
      ],
    });
    const [root, ...children] = rig.cell.control.tree(run.run_id);
    expect(root!.run).toMatchObject({ harness: 'remote', status: 'succeeded' });
    expect(
      children
        .map(({ app, run: { parent_run_id, harness, status } }) => [app, harness, parent_run_id, status])
        .sort(),
    ).toEqual([
      ['hand', 'flow', run.run_id, 'succeeded'],
      ['scout', 'remote', run.run_id, 'succeeded'],
    ]);
    expect(up.done.sort()).toEqual(['{"n":1}', '{"n":2}']);
  });

  it('ends the child at its own runtime when the parent is stopped', async () => {
    const { rig, other } = await started(
      () => {},
      async (run) => {
        const child = await run.call('c1', 'run.spawn', { intent: 'scout/go' });
        await run.call('c2', 'run.wait', { run_ids: [idOf(child)], time_s: 600 });
      },
    );
    const { run } = await go(rig);
    await rig.until(() => other.of('invoke').length === 1, 'the child works');
    void rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.until(() => rig.of('run.finished').length === 2, 'both end');
    expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(['cancelled', 'cancelled']);
    await rig.until(() => other.of('destroy').length === 1, 'its runtime hears of it');
  });

  it('gets the error of a child whose runtime is lost, and goes on', async () => {
    let found: unknown;
    const { rig, other } = await started(
      () => {},
      async (run) => {
        const child = await run.call('c1', 'run.spawn', { intent: 'scout/go' });
        found = (await run.call('c2', 'run.wait', { run_ids: [idOf(child)], time_s: 600 }))['result'];
        run.finish('led without');
      },
    );
    await go(rig);
    await rig.until(() => other.of('invoke').length === 1, 'the child works');
    other.cut();
    await rig.until(() => rig.of('run.finished').length === 2, 'both end');
    expect(found).toMatchObject({ runs: [{ status: 'failed', reason: expect.stringContaining('runtime') }] });
    expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(['failed', 'succeeded']);
  });
});
