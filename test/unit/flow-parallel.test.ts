import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { type Application, type PolicyHook, pause, type Tool } from '../../contract/index.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { tool } from '../support/agent-apps.ts';
import { packageApp, packageFaults } from '../support/package-app.ts';
import { replayParts } from '../support/replay-rig.ts';
import { type Cut, PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

const MANIFEST = `name = "lab"
version = "1.0.0"
description = "Does two things"
harness = "flow"
tools = ["lab.*", "run.delegate"]
[[intents]]
type = "lab/go"
description = "Go"
[intents.params.properties.n]
type = "integer"
default = 1
`;

const appOf = (flow: string): Application => packageApp({ 'app.toml': MANIFEST, 'flow.yaml': flow });
const faultsOf = (flow: string): string => packageFaults({ 'app.toml': MANIFEST, 'flow.yaml': flow });

/** What the tools of the laboratory did, in order. */
type Lab = { readonly tools: readonly Tool[]; readonly done: string[] };

function laboratory(): Lab {
  const done: string[] = [];
  const input = Type.Object({ name: Type.String() }, { additionalProperties: false });
  const note = tool('lab.note', { input, effect: 'write' }, async ({ name }) => {
    done.push(`note ${name}`);
    return { result: { name } };
  });
  const fail = tool('lab.fail', { input, effect: 'write' }, async ({ name }) => {
    throw new Error(`${name} is broken`);
  });
  const move = tool('lab.move', { input, effect: 'actuate' }, async ({ name }, { clock, signal }) => {
    done.push(`${name} starts`);
    await pause(clock, 2_000, signal);
    done.push(`${name} ${signal.aborted ? 'is stopped' : 'ends'}`);
    return { result: { outcome: signal.aborted ? 'stopped' : 'reached' } };
  });
  return { tools: [note, fail, move], done };
}

async function started(app: Application, more: Partial<RigOptions> = {}) {
  const { tools, done } = laboratory();
  const robot = new FakeRobot({ cells: 2 });
  const rig = new RuntimeRig({ apps: [app], robot, ...more, options: { tools: () => tools } });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'lab/go' }, PERSON);
  return { rig, done, root: run.run_id };
}

async function runOf(app: Application, more: Partial<RigOptions> = {}) {
  const { rig, done, root } = await started(app, more);
  await ended(rig, root);
  const end = rig.of('run.finished').find(({ run_id }) => run_id === root)!.payload;
  return { rig, done, end };
}

async function ended(rig: RuntimeRig, root: string): Promise<void> {
  const isOver = () => rig.of('run.finished').some(({ run_id }) => run_id === root);
  await rig.until(() => isOver() && rig.cell.status().runs.length === 0, 'the end of the flow');
}

/** How the parts of a flow ended, by name. */
function parts(rig: RuntimeRig): Record<string, string> {
  const ends = new Map(rig.of('run.finished').map(({ run_id, payload }) => [run_id, payload]));
  return Object.fromEntries(
    rig.of('run.queued').flatMap(({ run_id, payload: { branch } }) => {
      const end = ends.get(run_id);
      return branch ? [[branch.name, `${end?.status}: ${end?.reason}`]] : [];
    }),
  );
}

const BOTH = `steps:
  - id: first
    tool: lab.note
    args: { name: first }
  - id: both
    parallel:
      left:
        - id: rest
          wait: 3 s
        - id: left_note
          tool: lab.note
          args: { name: "left of {/steps/first/name}" }
      right:
        - id: right_note
          tool: lab.note
          args: { name: right }
  - id: done
    end: succeeded
    reason: "{/steps/left_note/name} and {/steps/right_note/name}: {/steps/both/left/status}"
`;

describe('parts that run at the same time', () => {
  it('are runs of their own; their results are known when all of them are over', async () => {
    const { rig, done, end } = await runOf(appOf(BOTH));
    expect(done).toEqual(['note first', 'note right', 'note left of first']);
    expect(end).toMatchObject({ status: 'succeeded', reason: 'left of first and right: succeeded' });
    const [root, ...branches] = rig.of('run.queued');
    expect(branches.map(({ payload }) => [payload.parent_run_id, payload.branch?.of])).toEqual([
      [root!.run_id, 'both'],
      [root!.run_id, 'both'],
    ]);
    expect(branches.map(({ payload }) => payload.package)).toEqual(
      [root, root].map((one) => one!.payload.package),
    );
  });

  it('end with the first that fails, before the flow goes on', async () => {
    const flow = BOTH.replace(
      'lab.note\n          args: { name: right }',
      'lab.fail\n          args: { name: right }',
    )
      .replace('3 s', '900 s')
      .replace('  - id: done', '    on_error: broken\n  - id: done')
      .concat('  - id: broken\n    end: failed\n    reason: "{/error/message}"\n');
    const { rig, done, end } = await runOf(appOf(flow));
    expect(done).toEqual(['note first']);
    expect(parts(rig)['left']).toMatch(/^cancelled: another branch/);
    expect(end).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('part right ended with failed'),
    });
    expect(end.reason).toContain('right is broken');
    const over = rig.of('run.finished').map(({ run_id }) => run_id);
    expect(over.at(-1)).toBe(rig.of('run.queued')[0]!.run_id);
  });

  it('end with the first that succeeds where any of them is enough', async () => {
    const flow = BOTH.replace('3 s', '900 s')
      .replace('  - id: done', '    until: any\n  - id: done')
      .replace('{/steps/left_note/name} and', '{/steps/both/first},')
      .replace('both/left', 'both/right');
    const { rig, end } = await runOf(appOf(flow));
    expect(end).toMatchObject({ status: 'succeeded', reason: 'right, right: succeeded' });
    expect(parts(rig)).toEqual({
      left: 'cancelled: another branch was first',
      right: 'succeeded: right is done',
    });
  });

  it('fail where any is enough and none succeeds', async () => {
    const failing = (name: string) =>
      `        - id: ${name}_fails\n          tool: lab.fail\n          args: { name: ${name} }\n`;
    const { end } = await runOf(
      appOf(
        `steps:\n  - id: both\n    until: any\n    parallel:\n      a:\n${failing('a')}      b:\n${failing('b')}  - id: done\n    end: succeeded\n`,
      ),
    );
    expect(end).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/part [ab] ended with failed/),
    });
  });

  it('move the robot one after the other, and a stop of the flow ends all of them', async () => {
    const moves = (name: string) =>
      `        - id: ${name}_one\n          tool: lab.move\n          args: { name: ${name} }\n        - id: ${name}_two\n          tool: lab.move\n          args: { name: ${name} }\n`;
    const app = appOf(
      `steps:\n  - id: both\n    parallel:\n      a:\n${moves('a')}      b:\n${moves('b')}  - id: done\n    end: succeeded\n`,
    );
    const { done, end } = await runOf(app);
    expect(end.status).toBe('succeeded');
    expect(done).toHaveLength(8);
    for (let at = 0; at < done.length; at += 2)
      expect(done[at + 1]).toBe(done[at]!.replace('starts', 'ends'));
    const second = await started(app);
    await second.rig.until(() => second.done.length > 0, 'the first motion');
    await second.rig.cell.cancel(second.root, 'enough');
    await ended(second.rig, second.root);
    expect(second.done).toEqual(['a starts', 'a is stopped']);
    expect(Object.values(parts(second.rig))).toEqual([
      expect.stringMatching(/^cancelled/),
      expect.stringMatching(/^cancelled/),
    ]);
  });

  it('wait for no slot of their application, and are judged once as an intent', async () => {
    const asked: string[] = [];
    const hook: PolicyHook = {
      name: 'counts',
      decide: async ({ point, subject }) => {
        if (point === 'intent') asked.push(subject);
        return { decision: 'allow', reason: '' };
      },
    };
    const { rig, root } = await started(appOf(BOTH), { hooks: [hook] });
    await rig.cell.submit({ type: 'lab/go' }, PERSON);
    await ended(rig, root);
    expect(asked).toEqual(['lab/go', 'lab/go']);
    expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(Array(6).fill('succeeded'));
  });

  it('come at any kill to one end each, and the flow goes on in its step', async () => {
    const app = appOf(BOTH);
    const whole = await runOf(app);
    const appends = whole.rig.appends.length;
    expect(appends).toBeGreaterThan(20);
    for (let append = 1; append <= appends; append++)
      for (const when of ['before', 'after'] as const) {
        const rig = await cutAt(app, { append, when });
        const told = `cut ${when} append ${append}`;
        expect(rig.of('run.queued'), told).toHaveLength(3);
        const over = rig.of('run.finished').map(({ run_id }) => run_id);
        expect([over.length, new Set(over).size, over.at(-1)], told).toEqual([
          3,
          3,
          rig.of('run.queued')[0]!.run_id,
        ]);
        expect(rig.of('run.finished').at(-1)!.payload.reason, told).toBe(
          'left of first and right: succeeded',
        );
      }
  });
});

/** Runs once, dies there, and goes on. */
async function cutAt(app: Application, cut: Cut): Promise<RuntimeRig> {
  const { tools } = laboratory();
  let rig: RuntimeRig | undefined;
  for (const one of [cut, undefined]) {
    rig = new RuntimeRig({
      ...{ apps: [app], robot: new FakeRobot({ cells: 2 }), options: { tools: () => tools } },
      ...(rig ? { disk: rig.disk, clock: rig.clock } : {}),
      ...(one ? { cut: one } : {}),
    });
    let up = false;
    void rig.cell.start().then(() => {
      up = true;
    });
    await rig.until(() => up, 'the start');
    const now = rig;
    if (now.of('intent.accepted').length === 0 && !now.dead)
      void now.cell.submit({ type: 'lab/go' }, PERSON).catch(() => undefined);
    const root = () => now.of('run.queued').find(({ payload }) => !payload.branch)?.run_id;
    const isOver = () => now.of('run.finished').some(({ run_id }) => run_id === root());
    await now.until(() => isOver() && now.cell.status().runs.length === 0, 'the end');
  }
  return rig!;
}

it('each part, and the flow itself, is replayed byte for byte', async () => {
  const { rig } = await runOf(appOf(BOTH));
  for (const { run_id } of rig.of('run.queued')) {
    const outcome = await replayRun(replayParts(rig.disk, appOf(BOTH), laboratory()), run_id!);
    expect([outcome.divergence, outcome.verdict]).toEqual([undefined, 'identical']);
  }
});

describe('a file whose parts do not fit', () => {
  const of = (left: string, more = '') =>
    `steps:\n  - id: both\n    parallel:\n      left:\n        - id: a\n${left}      right:\n        - id: b\n          tool: lab.note\n          args: { name: b }\n${more}  - id: done\n    end: succeeded\n`;
  it.each([
    [
      'a way out of its part',
      of('          wait: 1 s\n          next: done\n'),
      /flow\.yaml:7: steps\[1\]\.parallel\.left\[1\]\.next: "done" is not among the part left/,
    ],
    [
      'the result of a part beside it',
      of('          tool: lab.note\n          args: { name: "{/steps/b/name}" }\n'),
      /belongs to a part that runs at the same time/,
    ],
    [
      'a name that is there twice',
      of('          wait: 1 s\n').replace('id: b\n', 'id: a\n'),
      /"a" is there twice/,
    ],
    ['parts within parts', of('          parallel: {}\n'), /parallel is not known|parallel: is not known/],
    [
      'an unknown key in a part',
      of('          wait: 1 s\n          deadlin: 3 s\n'),
      /deadlin: is not known; did you mean deadline\?/,
    ],
    [
      'until without parts',
      'steps:\n  - id: a\n    wait: 1 s\n    until: any\n  - id: b\n    end: failed\n',
      /until: does nothing in a step with wait/,
    ],
    [
      'one part only',
      'steps:\n  - id: a\n    parallel:\n      x:\n        - id: b\n          wait: 1 s\n  - id: c\n    end: failed\n',
      /steps\[1\]\.parallel/,
    ],
  ])('because of %s is refused where it is read', (_what, flow, words) => {
    expect(faultsOf(flow)).toMatch(words);
  });
});
