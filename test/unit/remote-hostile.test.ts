import { describe, expect, it } from 'vitest';
import { RUNTIME_LIMITS } from '../../contract/index.ts';
import { agentOf, RemotePeer } from '../support/remote-peer.ts';
import { countingTool, go, remoteRig } from '../support/remote-rig.ts';
import { uuid } from '../support/tiny-log.ts';

/** A hostile runtime closes its own door and no other: the run of another runtime goes on. */
describe('a hostile runtime', () => {
  it.each<readonly [string, number, (peer: RemotePeer) => void]>([
    ['speaks another version', 4426, (peer) => peer.connect({ hello: { versions: [7] } })],
    ['says no hello', 4400, (peer) => peer.connect({ hello: { type: 'ping' } })],
    ['sends no JSON', 4400, (peer) => peer.connect().raw('{"type":')],
    ['sends an unknown message', 4400, (peer) => peer.connect().raw({ type: 'reboot', seq: 1 })],
    ['sends deep nonsense', 4400, (peer) => peer.connect().raw(`${'['.repeat(300_000)}`)],
    ['leaves numbers out', 4400, (peer) => peer.connect().raw({ type: 'spawned', seq: 5, run: uuid(1) })],
    ['acknowledges what was never sent', 4400, (peer) => peer.connect().raw({ type: 'ack', received: 99 })],
    [
      'sends a giant frame',
      4413,
      (peer) => peer.connect().raw(`"${'x'.repeat(RUNTIME_LIMITS.FRAME_BYTES_MAX)}"`),
    ],
    ['floods with pings', 4429, (peer) => repeat(peer.connect(), 2_100, { type: 'ping' })],
    ['forges run ids', 4400, (peer) => forge(peer.connect())],
  ])('%s: %i', async (_, code, attack) => {
    const { tool, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool], { remote: { runtime: 'other' } });
    const good = agentOf(new RemotePeer(runtimes, 'other'), async (run) => {
      await run.call('c1', 'count.up');
      run.finish();
    }).connect();
    const bad = new RemotePeer(runtimes);
    attack(bad);
    expect(bad.closed).toBe(code);
    expect(runtimes.runtimes()[0]?.state).toBe('absent');
    await go(rig);
    await rig.finished();
    expect(done).toHaveLength(1);
    expect(good.closed).toBeUndefined();
    // It may come back and behave.
    expect(bad.connect().closed).toBeUndefined();
  });

  it('neither calls nor ends the run of another', async () => {
    const { tool, done } = countingTool('count.up');
    const { tool: hold } = countingTool('count.hold', { hold: true });
    const { rig, runtimes } = await remoteRig([tool, hold], { remote: { runtime: 'other' } });
    agentOf(new RemotePeer(runtimes, 'other'), (run) => {
      void run.call('c1', 'count.hold');
    }).connect();
    const { run } = await go(rig);
    await rig.until(() => rig.of('tool.called').length === 1, 'it holds');
    const bad = new RemotePeer(runtimes).connect();
    bad.send({ type: 'call', run: run.run_id, call: 'c1', tool: 'count.up', args: {} });
    bad.send({ type: 'finish', run: run.run_id, status: 'succeeded', reason: 'I say so' });
    bad.send({ type: 'cancel', run: run.run_id, call: 'c1' });
    await rig.until(() => bad.of('result').length === 1, 'a refusal');
    expect(bad.of('result')[0]).toMatchObject({ error: { code: 'run.not_found' } });
    expect([done, rig.of('tool.returned'), rig.of('run.finished')]).toEqual([[], [], []]);
  });

  it('ends its own run when it calls nonsense, and finishes once', async () => {
    const { rig, runtimes } = await remoteRig([]);
    let ends = 0;
    agentOf(new RemotePeer(runtimes), async (run) => {
      if (++ends === 1)
        for (let n = 0; n < RUNTIME_LIMITS.REFUSED_MAX; n++) await run.call(`c${n}`, 'nothing.such');
      run.finish('first');
      run.finish('second', 'failed');
    }).connect();
    await go(rig);
    await rig.finished();
    await go(rig);
    await rig.until(() => rig.of('run.finished').length === 2, 'the second run');
    expect(rig.of('run.finished').map(({ payload }) => [payload.status, payload.reason])).toEqual([
      ['failed', '20 calls in a row were refused'],
      ['succeeded', 'first'],
    ]);
  });

  it('that does not answer a spawn loses the run, not the daemon', async () => {
    const { rig, runtimes } = await remoteRig([]);
    new RemotePeer(runtimes).connect();
    await go(rig);
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload).toMatchObject({
      status: 'failed',
      error: { code: 'runtime.refused' },
    });
  });

  it('that acknowledges nothing is cut off before it costs memory', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool], { remote: { waitMs: 1_000 } });
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      await run.call('c1', 'count.up');
      peer.acknowledges = false;
      for (let n = 0; n < 600; n++) void run.call('c1', 'count.up');
    }).connect();
    await go(rig);
    await rig.until(() => peer.closed !== undefined, 'it is cut off');
    expect([peer.closed, done.length]).toEqual([4429, 1]);
    await rig.finished();
  });

  it('has no more calls under way than are allowed, nor more in a phase', async () => {
    const { tool, done } = countingTool('count.hold', { hold: true });
    const { tool: count, done: counted } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool, count]);
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      for (let n = 0; n < 300; n++) {
        const { ok } = await run.call(`u${n}`, 'count.up');
        if (ok === false) break;
      }
      for (let n = 0; n < 3; n++) void run.call(`x${n}`, 'count.hold');
      await run.phase('next');
      for (let n = 0; n < 20; n++) void run.call(`h${n}`, 'count.hold');
    }).connect();
    const { run } = await go(rig);
    await rig.until(() => done.length === RUNTIME_LIMITS.CALLS_AT_ONCE, 'they hold');
    expect(counted).toHaveLength(RUNTIME_LIMITS.CALLS_PER_PHASE);
    expect(peer.of('result').filter((message) => message['ok'] === false)).toHaveLength(4 + 4);
    await rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.finished();
  });
});

function repeat(peer: RemotePeer, times: number, message: object): void {
  for (let n = 0; n < times; n++) peer.raw(message);
}

function forge(peer: RemotePeer): void {
  for (let n = 0; n < 150; n++) peer.send({ type: 'stream', run: uuid(n), channel: 'text', text: 'x' });
}
