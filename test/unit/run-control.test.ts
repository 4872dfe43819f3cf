import { describe, expect, it } from 'vitest';
import { EdgeError, type PolicyHook, type RunMessage } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, forever, type Work } from '../support/agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

/** A rig with one agent, `talk/go`, that does this. */
function rigOf(work: Work, more: Partial<RigOptions> = {}): RuntimeRig {
  const { options, ...rest } = more;
  return new RuntimeRig({
    apps: [agentApp('talk')],
    robot: new FakeRobot({ cells: 4 }),
    ...rest,
    options: { ...agents({ talk: work }), ...options },
  });
}

async function begun(rig: RuntimeRig, type = 'talk/go'): Promise<string> {
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type }, PERSON);
  await rig.until(() => rig.cell.run(run.run_id).run.status !== 'queued', 'running');
  return run.run_id;
}

/** The next life of a rig: its process was killed. */
function again(rig: RuntimeRig, work: Work, robot = new FakeRobot({ cells: 4 })): RuntimeRig {
  return rigOf(work, { disk: rig.disk, clock: rig.clock, robot });
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

describe('a pause', () => {
  const spins =
    (done: string[]): Work =>
    async ({ robot, unpaused }) => {
      for (let i = 1; i <= 3; i++) {
        await unpaused();
        done.push((await robot.maneuver({ kind: 'wait', durationMs: i })).outcome);
      }
      return {};
    };

  it('stops the robot before it is durable, holds every call, and ends when told', async () => {
    const robot = new FakeRobot({ cells: 4 });
    let go = () => {};
    const told = new Promise<void>((resolve) => {
      go = resolve;
    });
    const done: string[] = [];
    const rig = rigOf(
      async (context) => {
        await told;
        return await spins(done)(context);
      },
      { robot },
    );
    const runId = await begun(rig);
    expect((await rig.cell.control.pause(runId, 'a person is in the way')).status).toBe('paused');
    expect(robot.orders.at(-1)).toMatch(/^stop/);
    expect(rig.cell.run(runId).reason).toBe('a person is in the way');
    // Again is no fault, and says nothing twice.
    await rig.cell.control.pause(runId, 'again');
    expect(rig.of('run.status')).toHaveLength(1);
    go();
    for (let i = 0; i < 20; i++) await rig.clock.advance(100);
    expect(done).toEqual([]);
    expect(rig.of('tool.called')).toEqual([]);
    expect((await rig.cell.control.resume(runId)).status).toBe('running');
    await rig.finished();
    expect(done).toHaveLength(3);
  });

  it('lasts over any number of restarts, keeps the slot, and the run goes on where it was', async () => {
    const done: string[] = [];
    let rig = rigOf(forever);
    const runId = await begun(rig);
    await rig.cell.control.pause(runId, 'wait here');
    const second = (await rig.cell.submit({ type: 'talk/go' }, PERSON)).run.run_id;
    for (let life = 0; life < 8; life++) {
      rig = again(rig, spins(done));
      await rig.cell.start();
      for (let i = 0; i < 10; i++) await rig.clock.advance(100);
      expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'paused' }, reason: 'wait here' });
      expect(rig.cell.run(second)).toMatchObject({
        run: { status: 'queued' },
        reason: expect.stringMatching(/^waits: 1 of at most 1 runs of talk/),
      });
    }
    expect(done).toEqual([]);
    await rig.cell.control.resume(runId);
    await rig.until(() => rig.of('run.finished').length === 2, 'both ends');
    expect(rig.of('run.finished').map(({ run_id }) => run_id)).toEqual([runId, second]);
  });

  it('does not stop the clock: the deadline goes on, over restarts too', async () => {
    const apps = [agentApp('talk', { deadlineMs: 10_000 })];
    const rig = rigOf(forever, { apps });
    const runId = await begun(rig);
    await rig.cell.control.pause(runId, 'wait');
    await rig.clock.advance(6_000);
    const next = rigOf(forever, { apps, disk: rig.disk, clock: rig.clock });
    await next.cell.start();
    await next.clock.advance(2_000);
    expect(next.cell.run(runId).run.status).toBe('paused');
    await next.clock.advance(6_000);
    expect(next.cell.run(runId)).toMatchObject({
      run: { status: 'failed' },
      error: { code: 'deadline.exceeded' },
    });
  });

  it('can be cancelled, and a success while paused is told when the run goes on', async () => {
    let end = () => {};
    const rig = rigOf(
      () =>
        new Promise((resolve) => {
          end = () => resolve({});
        }),
    );
    const first = await begun(rig);
    await rig.cell.control.pause(first, 'wait');
    end();
    for (let i = 0; i < 10; i++) await rig.clock.advance(100);
    expect(rig.cell.run(first).run.status).toBe('paused');
    await rig.cell.control.resume(first);
    await rig.until(() => rig.cell.run(first).run.status === 'succeeded', 'the end');
    const { run } = await rig.cell.submit({ type: 'talk/go' }, PERSON);
    await rig.until(() => rig.cell.run(run.run_id).run.status === 'running', 'the second');
    await rig.cell.control.pause(run.run_id, 'wait');
    const cancelled = rig.cell.cancel(run.run_id, 'enough');
    for (let i = 0; i < 60; i++) await rig.clock.advance(100);
    expect((await cancelled).status).toBe('cancelled');
    expect(await codeOf(rig.cell.control.pause(first, 'late'))).toBe('run.finished');
    expect(await codeOf(rig.cell.control.resume('nobody'))).toBe('run.not_found');
  });

  it('of a run that waits holds it there, over a restart', async () => {
    const rig = rigOf(forever);
    const first = await begun(rig);
    const waits = (await rig.cell.submit({ type: 'talk/go' }, PERSON)).run.run_id;
    expect((await rig.cell.control.pause(waits, 'later')).status).toBe('paused');
    const next = again(rig, async () => ({}));
    await next.cell.start();
    await next.until(() => next.cell.run(first).run.status === 'succeeded', 'the first');
    for (let i = 0; i < 20; i++) await next.clock.advance(100);
    expect(next.cell.run(waits).run.status).toBe('paused');
    expect((await next.cell.control.resume(waits)).status).toMatch(/queued|running/);
    await next.until(() => next.cell.run(waits).run.status === 'succeeded', 'the second');
    expect(next.of('run.started').filter(({ run_id }) => run_id === waits)).toHaveLength(1);
  });

  it('holds a motion that its hooks let through only after the robot had been stopped', async () => {
    const robot = new FakeRobot({ cells: 4 });
    let allow = () => {};
    let isAsked = false;
    const hook: PolicyHook = {
      name: 'slow',
      decide: async ({ point }) => {
        if (point === 'tool' && !isAsked) {
          // Asked again after the pause, and not slow then.
          isAsked = true;
          await new Promise<void>((resolve) => {
            allow = resolve;
          });
        }
        return { decision: 'allow', reason: '' };
      },
    };
    const rig = rigOf(spins([]), { robot, hooks: [hook] });
    const runId = await begun(rig);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    await rig.cell.control.pause(runId, 'wait');
    const before = robot.orders.length;
    allow();
    for (let i = 0; i < 20; i++) await rig.clock.advance(100);
    expect(robot.orders.slice(before).filter((order) => !order.startsWith('stop'))).toEqual([]);
    await rig.cell.control.resume(runId);
    await rig.until(() => robot.orders.slice(before).some((order) => order.includes('wait')), 'the motion');
  });

  it('that the log refuses is no pause', async () => {
    const rig = rigOf(forever);
    const runId = await begun(rig);
    rig.disk.fault = new EdgeError('log.failed', { operation: 'append', subject: 'disk' });
    expect(await codeOf(rig.cell.control.pause(runId, 'wait'))).toBe('log.failed');
    rig.disk.fault = undefined;
    expect(rig.cell.run(runId).run.status).toBe('running');
    expect((await rig.cell.control.pause(runId, 'wait')).status).toBe('paused');
  });
});

describe('a message', () => {
  const hears =
    (heard: string[]): Work =>
    async (context) => {
      context.onMessage(async (message) => {
        if ('text' in message && message.text === 'what?')
          throw new EdgeError('run.not_supported', { operation: 'message', subject: context.runId });
        heard.push(`${message.kind} ${'text' in message ? message.text : JSON.stringify(message)}`);
      });
      return await forever(context);
    };
  const steer = (text: string): RunMessage => ({ kind: 'steer', text });

  it('is durable before it is handed over, comes once, in order, and again after a cut', async () => {
    const heard: string[] = [];
    const rig = rigOf(hears(heard));
    const runId = await begun(rig);
    const messageId = '01890000-0000-7000-8000-000000000001';
    await rig.cell.control.message(runId, steer('left'), PERSON, { messageId });
    await rig.cell.control.message(runId, steer('left'), PERSON, { messageId });
    await rig.cell.control.message(runId, { kind: 'follow_up', text: 'home' }, PERSON);
    expect(heard).toEqual(['steer left', 'follow_up home']);
    expect(
      rig.of('run.message').map(({ payload }) => [payload.kind, payload.principal, payload.origin]),
    ).toEqual([
      ['steer', 'ada', 'cli'],
      ['follow_up', 'ada', 'cli'],
    ]);
    const next = again(rig, hears(heard));
    await next.cell.start();
    await next.until(() => heard.length === 4, 'the messages again');
    // The harness knows by their ids which of them it has taken.
    expect(heard.slice(2)).toEqual(heard.slice(0, 2));
  });

  it('waits for an agent that has not begun', async () => {
    const heard: string[] = [];
    const rig = rigOf(hears(heard));
    const first = await begun(rig);
    const waits = (await rig.cell.submit({ type: 'talk/go' }, PERSON)).run.run_id;
    await rig.cell.control.message(waits, steer('slowly'), PERSON);
    expect(heard).toEqual([]);
    await rig.cell.cancel(first, 'enough');
    await rig.until(() => heard.length === 1, 'the message');
  });

  it('is refused by a flow, by a run that is over, by policy, by its size, and by its harness', async () => {
    const hook: PolicyHook = {
      name: 'quiet',
      decide: async ({ subject, context }) =>
        subject.startsWith('message') && context.principal === 'eve'
          ? { decision: 'deny', reason: 'not eve' }
          : { decision: 'allow', reason: '' },
    };
    const flow = flowApp(
      'flow',
      oneState(() => new Promise(() => {})),
    );
    const rig = rigOf(hears([]), { apps: [agentApp('talk'), flow], hooks: [hook] });
    const runId = await begun(rig);
    const deaf = (await rig.cell.submit({ type: 'flow/go' }, PERSON)).run.run_id;
    const { control } = rig.cell;
    expect(await codeOf(control.message(deaf, steer('hello'), PERSON))).toBe('run.not_supported');
    expect(await codeOf(control.message(runId, steer('hello'), { ...PERSON, principal: 'eve' }))).toBe(
      'policy.denied',
    );
    expect(await codeOf(control.message(runId, steer('x'.repeat(40_000)), PERSON))).toBe('schema.invalid');
    expect(await codeOf(control.message(runId, steer('what?'), PERSON))).toBe('run.not_supported');
    const cancelled = rig.cell.cancel(deaf, 'enough');
    for (let i = 0; i < 60; i++) await rig.clock.advance(100);
    await cancelled;
    expect(await codeOf(control.message(deaf, steer('hello'), PERSON))).toBe('run.finished');
    expect(rig.of('run.message').map(({ payload }) => payload.body['text'])).toEqual(['what?']);
  });

  it('to a deaf harness is answered in time, and too many are refused', async () => {
    const rig = rigOf(async (context) => {
      context.onMessage(() => new Promise(() => {}));
      return await forever(context);
    });
    const runId = await begun(rig);
    const answer = rig.cell.control.message(runId, steer('hello'), PERSON);
    for (let i = 0; i < 40; i++) await rig.clock.advance(100);
    expect((await answer).status).toBe('running');
    const more = Array.from({ length: 80 }, (_, i) =>
      codeOf(rig.cell.control.message(runId, steer(`${i}`), PERSON)),
    );
    for (let i = 0; i < 40; i++) await rig.clock.advance(100);
    expect(await Promise.all(more)).toContain('cell.overloaded');
  });
});

describe('a session', () => {
  const entry = (id: string, parent: string | undefined, text: string) => ({
    kind: 'session.entry' as const,
    payload: {
      session_id: 's',
      entry_id: id,
      ...(parent === undefined ? {} : { parent_id: parent }),
      entry: { type: 'message', message: { role: 'user', content: [{ type: 'text', text }] } },
    },
  });
  /** Writes three entries in a line, another branch and a label, then tells what it was given. */
  const writes =
    (given: string[][], heard: string[]): Work =>
    async (context) => {
      context.onMessage(async (message) => void heard.push(JSON.stringify({ ...message, messageId: 0 })));
      given.push(context.session.map(({ entryId }) => entryId));
      if (context.session.length > 0) {
        const leaf = context.session.at(-1)!.entryId;
        await context.emit([entry(`${leaf}x`, leaf, 'later')]);
        return {};
      }
      await context.emit([
        entry('a', undefined, 'first\nsecond line'),
        entry('b', 'a', 'on'),
        entry('c', 'b', 'further'),
        entry('d', 'a', 'the other way'),
        {
          kind: 'session.entry',
          payload: {
            session_id: 's',
            entry_id: 'e',
            parent_id: 'd',
            entry: { type: 'label', targetId: 'c', label: 'door' },
          },
        },
      ]);
      return {};
    };

  it('is shown as a tree, and a fork goes on from any entry of it, also of a fork', async () => {
    const [given, heard]: [string[][], string[]] = [[], []];
    const rig = rigOf(writes(given, heard));
    const runId = await begun(rig);
    await rig.finished();
    const { control } = rig.cell;
    const shown = control.session(runId);
    expect(shown.map(({ entry_id, parent_id, kind, text }) => [entry_id, parent_id, kind, text])).toEqual([
      ['a', undefined, 'user', 'first'],
      ['b', 'a', 'user', 'on'],
      ['c', 'b', 'user', 'further'],
      ['d', 'a', 'user', 'the other way'],
      ['e', 'd', 'label', 'door'],
    ]);
    expect(shown.find(({ label }) => label === 'door')?.entry_id).toBe('c');
    expect(shown.filter(({ leaf }) => leaf).map(({ entry_id }) => entry_id)).toEqual(['e']);
    const fork = await control.fork(runId, 'c', PERSON, { text: 'try this', model: 'big' });
    await rig.until(() => rig.cell.run(fork.run_id).run.status === 'succeeded', 'the fork');
    expect(given[1]).toEqual(['a', 'b', 'c']);
    expect(heard.map((one) => JSON.parse(one))).toEqual([
      { kind: 'model', model: 'big', messageId: 0 },
      { kind: 'steer', text: 'try this', messageId: 0 },
    ]);
    expect(control.session(fork.run_id).map(({ entry_id }) => entry_id)).toEqual(['a', 'b', 'c', 'cx']);
    const second = await control.fork(fork.run_id, 'cx', PERSON);
    await rig.until(() => rig.cell.run(second.run_id).run.status === 'succeeded', 'the fork of the fork');
    expect(given[2]).toEqual(['a', 'b', 'c', 'cx']);
    expect(rig.of('run.queued').at(-1)!.payload.forked_from).toEqual({ run_id: fork.run_id, entry_id: 'cx' });
    expect(await codeOf(control.fork(runId, 'nothing', PERSON))).toBe('run.not_found');
  });

  it('forked twice under one key is one run, under another or elsewhere another', async () => {
    const rig = rigOf(writes([], []));
    const runId = await begun(rig);
    await rig.finished();
    const fork = (entryId: string, idempotencyKey?: string) =>
      rig.cell.control.fork(runId, entryId, PERSON, idempotencyKey === undefined ? {} : { idempotencyKey });
    const ids = [await fork('b', 'k'), await fork('b', 'k'), await fork('c', 'k'), await fork('b')].map(
      (run) => run.run_id,
    );
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
  });

  it('of a run whose entries lead in a circle or nowhere is shown and forked all the same', async () => {
    const rig = rigOf(async ({ emit, session }) => {
      if (session.length === 0)
        await emit([entry('a', 'b', 'one'), entry('b', 'a', 'two'), entry('z', 'gone', 'three')]);
      return {};
    });
    const runId = await begun(rig);
    await rig.finished();
    expect(rig.cell.control.session(runId)).toHaveLength(3);
    const fork = await rig.cell.control.fork(runId, 'b', PERSON);
    expect(rig.cell.control.session(fork.run_id).map(({ entry_id }) => entry_id)).toEqual(['a', 'b']);
  });
});
