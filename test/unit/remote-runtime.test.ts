import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromRuntimeChecker, runtimeHelloChecker } from '../../contract/index.ts';
import { diffRuns } from '../../daemon/runtime/replay/run-diff.ts';
import { swapRun } from '../../daemon/runtime/replay/swap-run.ts';
import { ROOT } from '../support/daemon.ts';
import { agentOf, RemotePeer } from '../support/remote-peer.ts';
import { countingTool, go, remoteApp, remoteRig } from '../support/remote-rig.ts';
import { replayParts } from '../support/replay-rig.ts';

type Vector = {
  readonly from: 'runtime' | 'daemon';
  readonly valid: boolean;
  readonly fault?: string;
  readonly message: { readonly type: string };
};

const { messages } = JSON.parse(readFileSync(join(ROOT, 'contract/vectors/runtime-v1.json'), 'utf8')) as {
  messages: Vector[];
};

describe('the test vectors of the contract', () => {
  it.each(messages.filter(({ from }) => from === 'runtime'))(
    '$valid: $message',
    ({ valid, fault, message }) => {
      const found = (message.type === 'hello' ? runtimeHelloChecker : fromRuntimeChecker).fault(message);
      expect(found === undefined).toBe(valid);
      if (!valid) expect(found).toContain(fault);
    },
  );

  it('hold what the daemon says: the same fields as in a run', async () => {
    const { tool } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool]);
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      await run.phase('one');
      await run.call('c1', 'count.up');
      run.finish();
    }).connect();
    await go(rig);
    await rig.finished();
    for (const { message } of messages.filter(
      ({ from, message: { type } }) => from === 'daemon' && type !== 'pong',
    )) {
      const said = peer.of(message.type)[0];
      if (message.type === 'channel') continue;
      const wanted = Object.keys(message).filter((key) => !['error'].includes(key));
      if (message.type === 'result' && (message as unknown as { ok: boolean }).ok === false) continue;
      expect([message.type, ...Object.keys(said ?? {})]).toEqual(expect.arrayContaining(wanted));
    }
  });
});

describe('a run in a foreign runtime', () => {
  it('gets its tools, makes its calls through the gate, and ends as it says', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool]);
    const answers: unknown[] = [];
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      answers.push(await run.call('c1', 'count.up', { n: 1 }));
      answers.push(await run.call('c2', 'count.up', { n: 'one' }));
      answers.push(await run.call('c3', 'nothing.such'));
      run.finish('counted');
    }).connect();
    await go(rig, { metres: 2 });
    await rig.finished();
    expect(done).toEqual(['{"n":1}']);
    expect(answers).toMatchObject([
      { ok: true, result: { count: 1 } },
      { ok: false, error: { code: 'schema.invalid' } },
      { ok: false, error: { code: 'tool.not_found' } },
    ]);
    expect(rig.of('run.finished')[0]?.payload).toMatchObject({ status: 'succeeded', reason: 'counted' });
    expect(rig.of('tool.called').map(({ payload }) => payload.tool)).toEqual([
      ...['count.up', 'count.up', 'nothing.such'],
    ]);
    expect(peer.of('invoke')[0]).toMatchObject({
      intent: { type: 'patrol/go', params: { metres: 2 } },
      text: 'go {"metres":2}',
    });
    expect(peer.of('spawn')[0]).toMatchObject({
      tools: expect.arrayContaining([expect.objectContaining({ name: 'count.up', effect: 'write' })]),
    });
    expect(peer.of('destroy')).toMatchObject([{ code: 'done' }]);

    // What decided is not here: nothing can decide otherwise.
    const run_id = rig.of('run.finished')[0]!.run_id!;
    const { events } = rig;
    const parts = replayParts(rig.disk, remoteApp());
    await expect(swapRun(parts, run_id, undefined, {})).rejects.toMatchObject({ code: 'run.not_supported' });
    expect(diffRuns({ runId: 'a', events }, { runId: 'b', events }).identical).toBe(true);
  });

  it('waits for its runtime, and fails when it does not come', async () => {
    const { rig, runtimes } = await remoteRig([], { remote: { waitMs: 5_000 } });
    await go(rig);
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload).toMatchObject({
      status: 'failed',
      error: { code: 'runtime.lost', message: 'runtime workshop is not connected' },
    });
    const peer = agentOf(new RemotePeer(runtimes), (run) => run.finish());
    await go(rig);
    await rig.until(() => runtimes.runtimes()[0]!.runs.length === 1, 'it waits');
    peer.connect();
    await rig.until(() => rig.of('run.finished').length === 2, 'the second end');
    expect(rig.of('run.finished')[1]?.payload).toMatchObject({ status: 'succeeded' });
  });

  it('a call that comes again has no effect and gets the same answer; another call under its id is refused', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool]);
    const answers: unknown[] = [];
    agentOf(new RemotePeer(runtimes), async (run) => {
      answers.push(await run.call('c1', 'count.up', { n: 1 }));
      answers.push(await run.call('c1', 'count.up', { n: 1 }));
      answers.push(await run.call('c1', 'count.up', { n: 2 }));
      run.finish();
    }).connect();
    await go(rig);
    await rig.finished();
    expect(done).toEqual(['{"n":1}']);
    expect(answers).toMatchObject([
      { ok: true, result: { count: 1 } },
      { ok: true, result: { count: 1 } },
      { ok: false, error: { code: 'runtime.refused' } },
    ]);
  });

  it('goes on over a new connection: what was not received is sent again, once', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool]);
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      for (let n = 0; n < 6; n++) {
        // The call is sent into nothing, or its answer comes into nothing.
        if (n === 2) peer.cut();
        const answer = run.call(`c${n}`, 'count.up', { n });
        if (n === 4) peer.cut();
        if (n === 2 || n === 4) peer.connect({ resume: true });
        await answer;
      }
      run.finish();
    }).connect();
    await go(rig);
    await rig.finished();
    expect(done).toEqual([0, 1, 2, 3, 4, 5].map((n) => JSON.stringify({ n })));
    expect(rig.of('run.started')).toHaveLength(1);
    expect(peer.of('welcome').map((message) => message['resumed'])).toEqual([false, true, true]);
    expect(runtimes.runtimes()[0]).toMatchObject({ connections: 3, resumed: 2, refused: 0 });
  });

  it('a runtime that was restarted gets its run again, with its calls, and does nothing twice', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool]);
    let lives = 0;
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      lives++;
      await run.call('c1', 'count.up', { n: 1 });
      if (lives === 1) {
        peer.cut();
        peer.connect();
        return;
      }
      await run.call('c2', 'count.up', { n: 2 });
      run.finish();
    }).connect();
    await go(rig);
    await rig.finished();
    expect(done).toEqual(['{"n":1}', '{"n":2}']);
    expect(peer.of('spawn')[1]).toMatchObject({
      calls: [{ call: 'c1', tool: 'count.up', args: { n: 1 }, answer: { ok: true, result: { count: 1 } } }],
    });
  });

  it('enters phases, and a later attempt starts at the last one', async () => {
    const { tool } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool]);
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      await run.phase('first', { leg: 1 });
      await run.phase('first', { leg: 2 }, 'again');
      await run.phase('first', { leg: 1 });
      run.finish();
    }).connect();
    await go(rig);
    await rig.finished();
    expect(peer.of('noted').map((message) => message['ok'])).toEqual([true, true, true]);
    expect(rig.of('run.phase').map(({ payload }) => [payload.phase, payload.facts])).toEqual([
      ['first', { leg: 1 }],
    ]);
  });

  it('is stopped at once: the runtime hears it, and its later calls are refused', async () => {
    const { tool, done } = countingTool('count.up');
    const { tool: hold } = countingTool('robot.hold', { effect: 'actuate', hold: true });
    const { rig, runtimes } = await remoteRig([tool, hold]);
    const peer = agentOf(new RemotePeer(runtimes), (run) => {
      void run.call('c1', 'robot.hold');
    }).connect();
    const { run } = await go(rig);
    await rig.until(() => rig.of('tool.called').length === 1, 'it holds');
    void rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.until(() => peer.of('destroy').length > 0, 'destroy');
    expect(peer.of('destroy')).toMatchObject([{ code: 'run.cancelled', reason: 'enough' }]);
    await rig.finished();
    peer.send({ type: 'call', run: run.run_id, call: 'c2', tool: 'count.up', args: {} });
    await rig.until(() => peer.of('result').length > 0, 'a refusal');
    expect(peer.of('result').at(-1)).toMatchObject({ call: 'c2', error: { code: 'run.not_found' } });
    expect(done).toEqual([]);
    expect(rig.bus.asked.some((method) => method === 'robot.stop')).toBe(true);
  });
});

describe('a stop of a runtime', () => {
  it('is carried out under an id that an earlier phase used', async () => {
    const { rig, runtimes } = await remoteRig([
      countingTool('robot.stop', { effect: 'actuate' }).tool,
      countingTool('count.up').tool,
    ]);
    const answers: unknown[] = [];
    agentOf(new RemotePeer(runtimes), async (run) => {
      await run.call('c1', 'count.up');
      await run.call('s', 'robot.stop');
      await run.phase('two');
      answers.push(await run.call('s', 'robot.stop'), await run.call('c1', 'robot.stop'));
      run.finish();
    }).connect();
    await go(rig);
    await rig.finished();
    expect(answers).toMatchObject([{ ok: true }, { ok: true }]);
    expect(rig.bus.asked.filter((method) => method === 'robot.stop').length).toBeGreaterThanOrEqual(3);
  });
});

describe('a runtime that is lost', () => {
  it.each(['wait', 'pause', 'fail'] as const)('has its motions stopped at once (%s)', async (lost) => {
    const { tool } = countingTool('robot.hold', { effect: 'actuate', hold: true });
    const { tool: count, done } = countingTool('count.up');
    const { rig, runtimes } = await remoteRig([tool, count], { remote: { lost, waitMs: 40_000 } });
    const answers: unknown[] = [];
    const peer = agentOf(new RemotePeer(runtimes), async (run) => {
      answers.push(await run.call('c1', 'robot.hold'));
      answers.push(await run.call('c2', 'count.up'));
      run.finish();
    }).connect();
    const { run } = await go(rig);
    await rig.until(() => rig.of('tool.called').length === 1, 'it holds');
    peer.cut();
    await rig.until(() => rig.bus.asked.some((method) => method === 'robot.stop'), 'the motion ends');
    if (lost === 'pause')
      // The person who looks sees it paused.
      await rig.until(() => rig.cell.run(run.run_id).run.status === 'paused', 'it is paused');
    peer.connect({ resume: true });
    await rig.finished();
    const { status, reason } = rig.of('run.finished')[0]!.payload;
    expect([status, reason]).toEqual(
      lost === 'fail'
        ? ['failed', expect.stringContaining('runtime workshop is not connected')]
        : ['succeeded', 'done'],
    );
    expect(done).toHaveLength(lost === 'fail' ? 0 : 1);
    if (lost !== 'fail') expect(answers[0]).toMatchObject({ ok: false, error: { code: 'runtime.lost' } });
  });

  it.each(['before', 'since'])('and is back: a run that a person paused %s stays paused', async (when) => {
    const { rig, runtimes } = await remoteRig([], { remote: { lost: 'pause', waitMs: 40_000 } });
    const peer = agentOf(new RemotePeer(runtimes), () => {}).connect();
    const { run } = await go(rig);
    await rig.until(() => peer.of('invoke').length === 1, 'it works');
    const status = () => rig.cell.run(run.run_id).run.status;
    if (when === 'before') await rig.cell.control.pause(run.run_id, 'a person is in the way');
    peer.cut();
    await rig.until(() => status() === 'paused', 'it is paused');
    if (when === 'since') await rig.cell.control.pause(run.run_id, 'a person is in the way');
    peer.connect({ resume: true });
    for (let i = 0; i < 20; i++) await rig.clock.advance(100);
    expect(status()).toBe('paused');
    expect((await rig.cell.control.resume(run.run_id)).status).toBe('running');
  });

  it('and does not come back: the run fails after its patience', async () => {
    const { rig, runtimes } = await remoteRig([], { remote: { waitMs: 20_000 } });
    const peer = agentOf(new RemotePeer(runtimes), () => {}).connect();
    await go(rig);
    await rig.until(() => peer.of('invoke').length === 1, 'it works');
    peer.cut();
    await rig.finished();
    expect(rig.of('run.finished')[0]?.payload).toMatchObject({
      status: 'failed',
      error: { code: 'runtime.lost' },
    });
  });

  it('and silent: the heartbeat finds it', async () => {
    const { rig, runtimes } = await remoteRig([]);
    const peer = new RemotePeer(runtimes).connect();
    await rig.clock.advance(16_000);
    expect(peer.of('ping').length).toBeGreaterThan(0);
    expect([peer.closed, runtimes.runtimes()[0]?.state]).toEqual([4408, 'lost']);
    await rig.clock.advance(31_000);
    expect(runtimes.runtimes()[0]?.state).toBe('absent');
  });
});
