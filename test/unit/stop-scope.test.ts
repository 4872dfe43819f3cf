import { describe, expect, it } from 'vitest';
import { OrderDesk } from '../../central-link/order-desk.ts';
import { type LinkOrder, METHODS, type RunContext, stopRobot, TOPICS } from '../../contract/index.ts';
import { forever } from '../support/agent-app.ts';
import { packageApp } from '../support/package-app.ts';
import { call, codeOf, plainTool, stopScope, withTools } from '../support/stop-scope-rig.ts';

const { execution } = METHODS;

/** One application is known not to move the robot, the other may. */
const READER = withTools('reader', ['robot.state', 'memory.note', 'robot.stop']);
const MOVER = withTools('mover', ['robot.state', 'robot.maneuver']);
const NOTE = { tools: [plainTool('memory.note', 'write')] };

/** The agent of a run that stops the robot when it is asked to. */
function stopper() {
  const order = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<string>();
  const work = async (context: RunContext) => {
    await order.promise;
    stopped.resolve(await codeOf(call(context, 'robot.stop', { reason: 'a child' })));
    return await forever(context);
  };
  const stop = async () => {
    order.resolve();
    return await stopped.promise;
  };
  return { work, stop };
}

const WAIT = { kind: 'wait', wait_ms: 1 };

/** A run that stops the robot, and one whose calls wait for their policies when that happens. */
async function twoRuns() {
  const { work, stop } = stopper();
  const done: string[] = [];
  const ended = new Map<string, string>();
  const ready = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  const over: string[] = [];
  const made = await stopScope(
    [withTools('stopper', ['robot.*']), withTools('other', ['*'])],
    {
      stopper: work,
      other: async (context) => {
        await ready.promise;
        const asked = ['robot.state', 'memory.note', 'robot.maneuver'].map(async (tool) => {
          const args = tool === 'robot.maneuver' ? WAIT : {};
          ended.set(tool, await codeOf(call(context, tool, args)));
        });
        await Promise.all(asked);
        settled.resolve();
        await again.promise;
        over.push(await codeOf(call(context, 'robot.maneuver', WAIT)));
        return {};
      },
    },
    {
      tools: [plainTool('memory.note', 'write', (name) => done.push(name))],
    },
  );
  const { rig } = made;
  const other = (await made.submit('other/go')).run.run_id;
  const stopping = (await made.submit('stopper/go')).run.run_id;
  await rig.until(() => made.status(other) === 'running' && made.status(stopping) === 'running', 'running');
  made.slowly();
  ready.resolve();
  await rig.until(() => made.asking.length === 3, 'three calls are judged');
  await rig.clock.advance(1);
  return { ...made, other, stopping, stop, done, ended, settled: settled.promise, again, over };
}

describe('a stop that the agent of a run asks for', () => {
  it('refuses of another run what moves; what it reads and writes continues', async () => {
    const made = await twoRuns();
    expect(await made.stop()).toBe('none');
    await made.rig.clock.advance(1);
    made.judged();
    await made.settled;
    expect(Object.fromEntries(made.ended)).toEqual({
      ...{ 'robot.state': 'none', 'memory.note': 'none', 'robot.maneuver': 'robot.preempted' },
    });
    expect(made.done).toEqual(['memory.note']);
    expect(made.moves()).toBe(0);
    // What it asks for after the stop moves.
    made.again.resolve();
    await made.rig.until(() => made.over.length > 0, 'it moved again');
    expect(made.over).toEqual(['none']);
    expect(made.moves()).toBe(1);
  });

  it('stops the whole robot as before: the motion of the other run ends', async () => {
    const { work, stop } = stopper();
    const ended: string[] = [];
    const { rig, robot, ...made } = await stopScope(
      [withTools('stopper', ['robot.*']), withTools('other', ['robot.*'])],
      {
        stopper: work,
        other: async (context) => {
          const moved = await context.robot.maneuver({ kind: 'spin', angle: 3 });
          ended.push(moved.outcome);
          return {};
        },
      },
    );
    await made.submit('stopper/go');
    let isTurning = false;
    const maneuver = robot.maneuver.bind(robot);
    robot.maneuver = async (step, signal) => {
      isTurning = true;
      await new Promise<void>((resolve) => signal!.addEventListener('abort', () => resolve()));
      return await maneuver(step, signal);
    };
    await made.submit('other/go');
    await rig.until(() => isTurning, 'it turns');
    expect(await stop()).toBe('none');
    await rig.until(() => ended.length > 0, 'it stands');
    expect(ended).toEqual(['stopped']);
    expect(robot.orders.some((order) => order.startsWith('stop a child'))).toBe(true);
  });

  it('says whose it was, and says it again to a cell that comes up', async () => {
    const made = await twoRuns();
    await made.stop();
    const { told, stopping, rig } = made;
    expect(told.length).toBeGreaterThan(0);
    expect(told).toEqual(told.map(() => ({ atMs: expect.any(Number), run: stopping })));
    const before = told.length;
    rig.bus.tell(TOPICS.cellState, []);
    expect(told.slice(before)).toEqual([told.at(-1)]);
    made.judged();
  });

  it('hides no stop of a person: a cell that comes up hears of both, and later ones of all count for all', async () => {
    const made = await twoRuns();
    const { told, rig } = made;
    await rig.bus.request('execution', execution.robotStop, { reason: 'x', by: 'ada' });
    const person = told.at(-1);
    await rig.clock.advance(1);
    await made.stop();
    const agent = told.at(-1);
    told.length = 0;
    rig.bus.tell(TOPICS.cellState, []);
    expect(told).toEqual([person, agent]);
    await rig.clock.advance(1);
    await rig.bus.request('execution', execution.robotStop, { reason: 'x', by: 'ada' });
    told.length = 0;
    rig.bus.tell(TOPICS.cellState, []);
    expect(told).toHaveLength(1);
    expect(told[0]).not.toHaveProperty('run');
    made.judged();
  });

  it.each([
    ['a person, who claims to be a run', { reason: 'x', by: 'ada', agentOf: 'r' }],
    ['a person in the rank of an agent', { reason: 'x', role: 'agent', by: 'ada' }],
    ['a run that is not named well', { reason: 'x', role: 'agent', agentOf: '' }],
  ])('is not that of %s', async (_, body) => {
    const { rig, told } = await twoRuns();
    await rig.bus.request('execution', execution.robotStop, body);
    expect(told.at(-1)).not.toHaveProperty('run');
  });
});

describe('a stop of a person', () => {
  it('as an intent that a flow carries out counts for all, as if it came by the API', async () => {
    const flow = packageApp({
      'app.toml': `name = "moves"
version = "1.0.0"
description = "Single moves"
harness = "flow"
tools = ["robot.stop"]
[[intents]]
type = "moves/stop"
description = "Stop"
`,
      'flow.yaml': 'steps:\n  - { id: stop, tool: robot.stop }\n  - { id: done, end: succeeded }\n',
    });
    const { rig, told, ...made } = await stopScope([flow, READER], { reader: forever }, NOTE);
    const before = rig.clock.monotonicMs();
    await rig.clock.advance(1);
    await made.submit('moves/stop');
    await rig.until(() => rig.of('run.finished').length > 0, 'it stopped');
    expect(told.length).toBeGreaterThan(0);
    for (const one of told) expect(one).not.toHaveProperty('run');
    expect(await codeOf(made.submit('reader/go', before))).toBe('robot.preempted');
  });

  it('ends both runs, with all that waits in them', async () => {
    const made = await twoRuns();
    const { rig } = made;
    const stopped = stopRobot({ bus: rig.bus, clock: rig.clock, runtime: rig.cell }, 'enough', 'ada');
    made.judged();
    await rig.until(() => rig.cell.status().runs.length === 0, 'no run is left');
    await stopped;
    expect([made.status(made.other), made.status(made.stopping)]).toEqual(['cancelled', 'cancelled']);
    expect(made.done).toEqual([]);
    expect(made.moves()).toBe(0);
  });
});

async function intents() {
  const { work, stop } = stopper();
  const made = await stopScope(
    [withTools('stopper', ['robot.*']), READER, MOVER],
    { stopper: work, reader: forever, mover: forever },
    NOTE,
  );
  const { rig } = made;
  const { run } = await made.submit('stopper/go');
  await rig.until(() => made.status(run.run_id) === 'running', 'running');
  const person = () => rig.bus.request('execution', execution.robotStop, { reason: 'x', by: 'ada' });
  return { ...made, stopBy: async (who: string) => void (await (who === AGENT ? stop() : person())) };
}

const AGENT = 'the agent of a run';
const ADA = 'a person';

describe('an intent that was asked for before a stop', () => {
  it.each([
    [AGENT, 'running', 'cancelled'],
    [ADA, 'cancelled', 'cancelled'],
  ])('of %s, and is judged after it: what reads is %s, what moves is %s', async (who, reads, moves) => {
    const made = await intents();
    const { rig } = made;
    made.slowly();
    const read = made.submit('reader/go');
    const move = made.submit('mover/go');
    await rig.until(() => made.asking.length === 2, 'both are judged');
    await rig.clock.advance(1);
    await made.stopBy(who);
    await rig.clock.advance(1);
    made.judged();
    const ids = [(await read).run.run_id, (await move).run.run_id];
    await rig.until(() => ids.every((id) => made.status(id) !== 'queued'), 'they are decided');
    expect(ids.map(made.status)).toEqual([reads, moves]);
    // What is asked for after it starts as ever.
    const next = await made.submit('mover/go');
    await rig.until(() => made.status(next.run.run_id) === 'running', 'running');
  });

  it.each([
    [AGENT, 'none', 'robot.preempted'],
    [ADA, 'robot.preempted', 'robot.preempted'],
  ])('of %s, and is tried again after it: what reads gets %s, what moves %s', async (who, reads, moves) => {
    const made = await intents();
    const { rig } = made;
    const before = rig.clock.monotonicMs();
    await rig.clock.advance(1);
    await made.stopBy(who);
    expect(await codeOf(made.submit('reader/go', before))).toBe(reads);
    expect(await codeOf(made.submit('mover/go', before))).toBe(moves);
    const wanted = rig.clock.monotonicMs();
    await rig.clock.advance(1);
    rig.cell.stops.note();
    expect(await codeOf(made.submit('reader/go', wanted))).toBe('robot.preempted');
  });

  it.each([
    [AGENT, 'accepted'],
    [ADA, 'refused'],
  ])('of %s, as an order of central: what reads is %s, what moves is refused', async (who, reads) => {
    const made = await intents();
    const { rig } = made;
    const desk = new OrderDesk({
      ...{ bus: rig.bus, clock: rig.clock, tenant: 'local', roles: ['operator'], random: () => 0 },
    });
    const posted = rig.clock.now();
    const order = (n: number, type: string): LinkOrder =>
      ({
        ...{ order_id: `01a2028d-0d9d-7000-8508-bc3e1978900${n}`, kind: 'intent', body: { type } },
        ...{ posted_by: 'ada', posted_ns: String(posted) },
      }) as never;
    await rig.clock.advance(5);
    await made.stopBy(who);
    expect(await desk.settle(order(1, 'reader/go'))).toMatchObject([{ state: reads }]);
    const refused = { state: 'refused', error: { code: 'robot.preempted' } };
    expect(await desk.settle(order(2, 'mover/go'))).toMatchObject([refused]);
  });
});

/** Runs that ask for other runs; `own` stops the robot between its asking and the answers. */
async function parents() {
  const answers: string[] = [];
  const orders = new Map<string, () => void>();
  const when = (name: string) => new Promise<void>((resolve) => orders.set(name, resolve));
  const asks = (name: string) => async (context: RunContext) => {
    await when(name);
    const children = ['reader', 'mover'].map(async (app) => {
      const code = await codeOf(call(context, 'run.spawn', { intent: `${app}/go` }));
      answers.push(`${name} ${app} ${code}`);
    });
    await when(`${name} stops`);
    if (name === 'own') await call(context, 'robot.stop');
    await Promise.all(children);
    return await forever(context);
  };
  const made = await stopScope(
    [withTools('other', ['run.*']), withTools('own', ['run.*', 'robot.*']), READER, MOVER],
    { other: asks('other'), own: asks('own'), reader: forever, mover: forever },
    NOTE,
  );
  const { rig } = made;
  for (const type of ['other/go', 'own/go']) await made.submit(type);
  await rig.until(() => orders.size === 2, 'both are there');
  return { ...made, answers, tell: (what: string) => orders.get(what)!() };
}

describe('a run that another run asks for before a stop of an agent', () => {
  it.each(['the call', 'the intent'])('while the policies are asked about %s', async (what) => {
    const made = await parents();
    const { rig, answers, asking } = made;
    made.slowly();
    for (const name of ['other', 'own']) made.tell(name);
    await rig.until(() => asking.length === 4, 'the calls are judged');
    if (what === 'the intent') {
      made.judged();
      made.slowly();
      await rig.until(() => asking.length === 8, 'the intents are judged');
    }
    await rig.clock.advance(1);
    made.tell('own stops');
    await rig.until(() => made.told.length > 0, 'it stopped');
    await rig.clock.advance(1);
    made.judged();
    made.tell('other stops');
    await rig.until(() => answers.length === 4, 'they are answered');
    const left = () =>
      rig.cell.runs({}).flatMap(({ app, run: { parent_run_id: parent, status } }) => {
        const isOver = parent === undefined || status === 'cancelled';
        return isOver ? [] : `${app} of ${rig.cell.run(parent).app}`;
      });
    await rig.until(() => left().length > 0, 'one is there');
    // That of the run that stopped the robot is not opened, and no child that moves is, whose ever it is.
    expect(left()).toEqual(['reader of other']);
  });
});
