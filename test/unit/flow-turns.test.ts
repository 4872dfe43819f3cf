import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { type Application, pause, type Tool } from '../../contract/index.ts';
import { motionTools } from '../../daemon/runtime/tools/motion-tools.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { tool } from '../support/agent-apps.ts';
import { packageApp } from '../support/package-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

const MANIFEST = `name = "lab"
version = "1.0.0"
description = "Moves"
harness = "flow"
tools = ["lab.*", "robot.*"]
[[intents]]
type = "lab/go"
description = "Go"
`;

/** A flow with parts a and b, and a part c where it is given; each is the lines of its steps. */
function appOf(a: string, b: string, { until = 'all', c = '' } = {}): Application {
  const part = (name: string, steps: string) =>
    `      ${name}:\n${steps.replaceAll(/^/gm, '        ').trimEnd()}\n`;
  const parts = `${part('a', a)}${part('b', b)}${c === '' ? '' : part('c', c)}`;
  const flow = `steps:\n  - id: both\n    until: ${until}\n    parallel:\n${parts}  - id: done\n    end: succeeded\n`;
  return packageApp({ 'app.toml': MANIFEST, 'flow.yaml': flow });
}

const step = (id: string, name: string, more = '') =>
  `- id: ${id}\n  tool: lab.${name}\n  args: { name: ${id} }\n${more}`;

/** What the tools did, in order. A motion takes 2 s; that of `stuck` fails then. */
function laboratory(): { readonly tools: readonly Tool[]; readonly done: string[] } {
  const done: string[] = [];
  const input = Type.Object({ name: Type.String() }, { additionalProperties: false });
  const motion = (fails: boolean) =>
    tool(
      fails ? 'lab.stuck' : 'lab.move',
      { input, effect: 'actuate' },
      async ({ name }, { clock, signal }) => {
        done.push(`${name} starts`);
        await pause(clock, 2_000, signal);
        if (fails) throw new Error(`${name} is stuck`);
        done.push(`${name} ${signal.aborted ? 'is stopped' : 'ends'}`);
        return { result: { outcome: signal.aborted ? 'stopped' : 'reached' } };
      },
    );
  const note = tool('lab.note', { input, effect: 'write' }, async ({ name }) => {
    done.push(`note ${name}`);
    return { result: { name } };
  });
  return { tools: [motion(false), motion(true), note], done };
}

async function started(app: Application, more: Partial<RigOptions> = {}) {
  const { tools, done } = laboratory();
  const robot = new FakeRobot({ cells: 2 });
  const clock = new ManualClock();
  const all = [...tools, ...motionTools(robot, clock)];
  const rig = new RuntimeRig({ apps: [app], robot, clock, ...more, options: { tools: () => all } });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'lab/go' }, PERSON);
  const part = (name: string) =>
    rig.of('run.queued').find(({ payload }) => payload.branch?.name === name)!.run_id!;
  const status = (id: string) => rig.of('run.finished').find(({ run_id }) => run_id === id)?.payload.status;
  const ended = () =>
    rig.until(() => status(run.run_id) !== undefined && rig.cell.status().runs.length === 0, 'the end');
  return { rig, robot, done, root: run.run_id, part, status, ended };
}

describe('a part whose motion did not end well', () => {
  it('starts no motion of another part when it is cancelled', async () => {
    const { rig, done, part, status, ended } = await started(
      appOf(step('a', 'move'), step('b', 'move'), { c: step('c', 'move') }),
    );
    await rig.until(() => done.length > 0, 'the first motion');
    await rig.cell.cancel(part('a'), 'stop!');
    await ended();
    expect(done).toEqual(['a starts', 'a is stopped']);
    expect(['a', 'b', 'c'].map((name) => status(part(name)))).toEqual(Array(3).fill('cancelled'));
  });

  it('starts no motion of another part when it fails, and all have to succeed', async () => {
    const { done, part, status, ended } = await started(appOf(step('a', 'stuck'), step('b', 'move')));
    await ended();
    expect(done).toEqual(['a starts']);
    expect([status(part('a')), status(part('b'))]).toEqual(['failed', 'cancelled']);
  });

  it('starts none after a restart either', async () => {
    const app = appOf(step('a', 'stuck'), step('b', 'move'));
    const whole = await started(app);
    await whole.ended();
    const last = whole.rig.events.findIndex(
      ({ kind, run_id }) => kind === 'run.finished' && run_id === whole.part('a'),
    );
    const sizes = whole.rig.appends;
    const until = (at: number) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0);
    const append = sizes.findIndex((_, at) => until(at + 1) > last) + 1;
    const before = await started(app, { cut: { append, when: 'after' } });
    await before.rig.until(() => before.rig.dead, 'the cut');
    expect(before.done).toEqual(['a starts']);
    const { tools, done } = laboratory();
    const { disk, clock } = before.rig;
    const rig = new RuntimeRig({
      ...{ apps: [app], robot: new FakeRobot({ cells: 2 }), options: { tools: () => tools } },
      ...{ disk, clock },
    });
    void rig.cell.start();
    await rig.until(() => before.status(before.root) !== undefined, 'the end');
    expect(done).toEqual([]);
    expect(before.status(before.part('b'))).toBe('cancelled');
  });

  it('passes its turn on with its end, where one that succeeds is enough', async () => {
    const { rig, done, part, status, ended } = await started(
      appOf(step('a', 'stuck'), step('b', 'move'), { until: 'any' }),
    );
    await rig.until(() => done.includes('b starts'), 'the second motion');
    expect(status(part('a'))).toBe('failed');
    await ended();
    expect(done).toEqual(['a starts', 'b starts', 'b ends']);
  });

  it('passes its turn on with its next call, where it goes on', async () => {
    const a = `${step('a', 'stuck', '  on_error: noted\n')}${step('noted', 'note')}${step('again', 'move')}`;
    const { done, root, status, ended } = await started(appOf(a, step('b', 'move')));
    await ended();
    expect(done).toEqual(['a starts', 'note noted', 'b starts', 'b ends', 'again starts', 'again ends']);
    expect(status(root)).toBe('succeeded');
  });

  it('passes its turn on at once after a success', async () => {
    const { rig, done, part, status } = await started(
      appOf(`${step('a', 'move')}- id: rest\n  wait: 900 s\n`, step('b', 'move')),
    );
    await rig.until(() => done.includes('b starts'), 'the second motion');
    expect(done).toEqual(['a starts', 'a ends', 'b starts']);
    expect(status(part('a'))).toBeUndefined();
  });

  it.each(['flow', 'part'])('keeps its turn while its %s is paused', async (what) => {
    const drive = (id: string, x: number) =>
      `- id: ${id}\n  tool: robot.navigate\n  args: { x: ${x}, y: 0.5 }\n  on_error: ${id}_more\n${step(`${id}_more`, 'note')}`;
    const { rig, robot, root, part, ended } = await started(appOf(drive('a', 2.5), drive('b', 2.4)));
    const drives = () => robot.orders.filter((order) => order.startsWith('navigate'));
    await rig.until(() => drives().length > 0, 'the first drive');
    const run = what === 'flow' ? root : part('a');
    await rig.cell.control.pause(run, 'hold');
    for (let i = 0; i < 20; i++) {
      await rig.clock.advance(1_000);
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    }
    expect(drives()).toEqual(['navigate 2.5 0.5']);
    await rig.cell.control.resume(run);
    await ended();
    expect(drives()).toEqual(['navigate 2.5 0.5', 'navigate 2.4 0.5']);
  });

  it('makes no stop wait', async () => {
    const stop = '- id: rest\n  wait: 1 s\n- id: b\n  tool: robot.stop\n  args: { reason: enough }\n';
    const { rig, robot, done } = await started(appOf(step('a', 'move'), stop));
    await rig.until(() => robot.orders.some((order) => order.includes('enough')), 'the stop');
    expect(done).toEqual(['a starts']);
  });
});
