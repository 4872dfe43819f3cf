import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { faultText } from '../../adapters/packages/index.ts';
import { templateFiles } from '../../cli/app/templates.ts';
import type { Application, PackageFile, Tool } from '../../contract/index.ts';
import { judgeWhole } from '../../daemon/compose/package-reader.ts';
import { lesserBudget } from '../../daemon/runtime/runs/run-budget.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { tool } from '../support/agent-apps.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const closed = { additionalProperties: false } as const;
const MANIFEST = `name = "scale"
version = "1.0.0"
description = "Weighs"
harness = "flow"
tools = ["lab.*"]
[[intents]]
type = "scale/weigh"
description = "Weigh some things"
[intents.params.properties.grams]
type = "number"
default = 3
[intents.params.properties.times]
type = "integer"
default = 2
`;

/** The application of these files, as the daemon would have it. */
function appOf(flow: string, manifest = MANIFEST): Application {
  const files: PackageFile[] = Object.entries({ 'app.toml': manifest, 'flow.yaml': flow }).map(
    ([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }),
  );
  const read = judgeWhole(
    { ok: true, files, signature: undefined },
    { keys: new Map(), requireSigned: false },
  );
  if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
  return read.make('/nowhere');
}

function faultsOf(flow: string): readonly string[] {
  try {
    appOf(flow);
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n');
  }
}

type Scales = { readonly tools: readonly Tool[]; readonly weighed: unknown[] };

function scales(): Scales {
  const weighed: unknown[] = [];
  const input = Type.Object({ grams: Type.Number(), note: Type.Optional(Type.String()) }, closed);
  const weigh = tool('lab.weigh', { input, effect: 'write', replay: 'safe' }, async (given) => {
    weighed.push(given);
    return { result: { grams: given['grams'], heavy: (given['grams'] as number) > 10, at: [1, 2] } };
  });
  const fail = tool(
    'lab.fail',
    { input: Type.Object({}, closed), effect: 'write', replay: 'safe' },
    async () => {
      throw new Error('the pan is missing');
    },
  );
  return { tools: [weigh, fail], weighed };
}

async function runOf(app: Application, params: Record<string, unknown> = {}, type = 'scale/weigh') {
  const { tools, weighed } = scales();
  const rig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot({ cells: 2 }),
    options: { tools: () => tools },
  });
  await rig.cell.start();
  await rig.cell.submit({ type, params }, PERSON);
  await rig.finished();
  return { rig, weighed, end: rig.of('run.finished')[0]!.payload };
}

const WEIGH = `steps:
  - id: first
    tool: lab.weigh
    args: { grams: "{/params/grams}", note: "of {/params/grams} g" }
    next:
      - { value: "{/steps/first/heavy}", is: true, to: heavy }
  - id: rest
    wait: 2 s
  - id: again
    repeat: first
    times: "{/params/times}"
  - id: light
    end: succeeded
    reason: "{/params/times} times {/steps/first/grams} g"
  - id: heavy
    end: failed
    reason: too heavy
`;

describe('a flow of a package', () => {
  it('fills in parameters with their types, repeats, branches and sums up', async () => {
    const light = await runOf(appOf(WEIGH), { times: 3 });
    expect(light.weighed).toEqual(Array.from({ length: 3 }, () => ({ grams: 3, note: 'of 3 g' })));
    expect(light.end).toMatchObject({
      status: 'succeeded',
      reason: '3 times 3 g',
      score: 1,
      summary: { steps: { first: { grams: 3, heavy: false } } },
    });
    const heavy = await runOf(appOf(WEIGH), { grams: 11 });
    expect(heavy.weighed).toHaveLength(1);
    expect(heavy.end).toMatchObject({ status: 'failed', reason: 'too heavy', score: 0 });
  });

  it('keeps of results only what is referred to', async () => {
    const { rig } = await runOf(appOf(WEIGH));
    expect(JSON.stringify(rig.of('run.phase').map(({ payload }) => payload.facts))).not.toContain('"at"');
  });

  it('goes where on_error leads, which knows the error, and fails with it where nothing is said', async () => {
    const told = await runOf(
      appOf(
        'steps:\n  - id: a\n    tool: lab.fail\n    on_error: b\n  - id: b\n    end: failed\n    reason: "{/error/step}: {/error/message}"\n',
      ),
    );
    expect(told.end).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('a: the pan is missing'),
    });
    const plain = await runOf(
      appOf('steps:\n  - id: a\n    tool: lab.fail\n  - id: b\n    end: succeeded\n'),
    );
    expect(plain.end).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('the pan is missing') },
    });
  });

  it('does not go on as if nothing were when the robot did not arrive', async () => {
    const drive = tool(
      'lab.drive',
      { input: Type.Object({}, closed), effect: 'write', replay: 'safe' },
      async () => ({
        result: { outcome: 'stuck', message: 'a wall' },
      }),
    );
    const app = appOf('steps:\n  - id: a\n    tool: lab.drive\n  - id: b\n    end: succeeded\n');
    const rig = new RuntimeRig({
      apps: [app],
      robot: new FakeRobot({ cells: 2 }),
      options: { tools: () => [drive] },
    });
    await rig.cell.start();
    await rig.cell.submit({ type: 'scale/weigh' }, PERSON);
    await rig.finished();
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('stuck: a wall'),
    });
  });

  it('goes on in its last step after a cut at any place, and does not wait anew', async () => {
    const app = appOf(WEIGH);
    const whole = await runOf(app);
    const appends = whole.rig.appends.length;
    const places = Array.from({ length: appends }, (_, i) => i + 1);
    for (const append of places) {
      for (const when of ['before', 'after'] as const) {
        const end = await cutAt(app, { append, when });
        expect({ append, when, ...end }).toMatchObject({ status: 'succeeded', reason: '2 times 3 g' });
      }
    }
    expect(appends).toBeGreaterThan(10);
  });

  it.each([
    ['nothing to do', 'steps:\n  - id: a\n', /steps\[1\]\.id: "a" has nothing to do/],
    ['two things', 'steps:\n  - id: a\n    wait: 1 s\n    end: failed\n', /has wait and end/],
    ['no end', 'steps:\n  - id: a\n    wait: 1 s\n', /the last step has end or next/],
    [
      'a step that nobody reaches',
      'steps:\n  - id: a\n    end: failed\n  - id: b\n    end: failed\n',
      /cannot be reached/,
    ],
    [
      'a key that does nothing',
      'steps:\n  - id: a\n    end: failed\n    retries: 2\n',
      /steps\[1\]\.retries: does nothing/,
    ],
    ['a circle', 'steps:\n  - id: a\n    wait: 1 s\n    next: a\n', /no state ends the run|no way leads/],
    [
      'a reference nowhere',
      'steps:\n  - id: a\n    end: failed\n    reason: "{/steps/b/c}"\n',
      /\{\/steps\/b\} is no step/,
    ],
    [
      'a test of nothing',
      'steps:\n  - id: a\n    branch: true\n    next:\n      - { is: 1, to: b }\n  - id: b\n    end: failed\n',
      /value is missing/,
    ],
  ])('with %s is refused where it is read', (_name, flow, words) => {
    expect(faultsOf(flow).join('\n')).toMatch(words);
  });
});

/** Runs once, dies there, and goes on. */
async function cutAt(app: Application, cut: Cut) {
  const { tools } = scales();
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
    if (rig.of('intent.accepted').length === 0 && !rig.dead)
      void rig.cell.submit({ type: 'scale/weigh' }, PERSON).catch(() => undefined);
    await rig.finished();
  }
  return rig!.of('run.finished')[0]!.payload;
}

describe('a run of a package', () => {
  const version = (n: number) =>
    appOf(
      `steps:\n  - id: a\n    wait: 60 s\n  - id: b\n    end: succeeded\n    reason: version ${n}\n`,
      MANIFEST.replace('1.0.0', `1.0.${n}`),
    );

  it('keeps the version that it began with when another takes its place, also over a restart', async () => {
    const [one, two] = [version(1), version(2)];
    const robot = new FakeRobot({ cells: 2 });
    const kept = new Map([one, two].map((app) => [app.digest!, app]));
    const options = { versionOf: (_name: string, digest: string) => kept.get(digest) };
    const rig = new RuntimeRig({ apps: [one], robot, options });
    await rig.cell.start();
    const first = await rig.cell.submit({ type: 'scale/weigh' }, PERSON);
    await rig.until(() => rig.of('run.phase').length > 1, 'the wait');
    rig.cell.apps.take([two]);
    const second = await rig.cell.submit({ type: 'scale/weigh' }, PERSON);
    const again = new RuntimeRig({ apps: [two], robot, options, disk: rig.disk, clock: rig.clock });
    await again.cell.start();
    await again.finished();
    const details = [first, second].map(({ run }) => again.cell.run(run.run_id));
    expect(
      details.map(({ reason, app_version, app_digest }) => ({ reason, app_version, app_digest })),
    ).toEqual([
      { reason: 'version 1', app_version: '1.0.1', app_digest: one.digest },
      { reason: 'version 2', app_version: '1.0.2', app_digest: two.digest },
    ]);
  });

  it('goes on when its package was taken out, and new intents are refused', async () => {
    const rig = new RuntimeRig({ apps: [version(1)], robot: new FakeRobot({ cells: 2 }) });
    await rig.cell.start();
    await rig.cell.submit({ type: 'scale/weigh' }, PERSON);
    await rig.until(() => rig.of('run.phase').length > 1, 'the wait');
    rig.cell.apps.take([]);
    await expect(rig.cell.submit({ type: 'scale/weigh' }, PERSON)).rejects.toMatchObject({
      code: 'intent.unknown_type',
    });
    await rig.finished();
    expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', reason: 'version 1' });
  });

  it('whose version was not kept ends with a word about it', async () => {
    const rig = new RuntimeRig({ apps: [version(1)], robot: new FakeRobot({ cells: 2 }) });
    await rig.cell.start();
    await rig.cell.submit({ type: 'scale/weigh' }, PERSON);
    await rig.until(() => rig.of('run.phase').length > 1, 'the wait');
    const again = new RuntimeRig({
      apps: [version(2)],
      robot: new FakeRobot({ cells: 2 }),
      disk: rig.disk,
      clock: rig.clock,
    });
    await again.cell.start();
    expect(again.of('run.finished')[0]!.payload).toMatchObject({
      status: 'failed',
      error: { code: 'run.interrupted', message: expect.stringContaining('not here in the version') },
    });
  });
});

it('the agent that app new makes has its prompt from the parameters, and its budget', () => {
  const files = templateFiles('guide', 'pi');
  const read = judgeWhole(
    { ok: true, files, signature: undefined },
    { keys: new Map(), requireSigned: false },
  );
  if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
  const app = read.make('/nowhere');
  expect(app.agent!.prompt({ metres: 0.5 })).toBe('Drive 0.5 m forward, then finish.');
  expect(app.agent!.prompt({})).toBe('Drive 0.3 m forward, then finish.');
  expect(app).toMatchObject({
    budget: { turns: 20 },
    agent: { turnsMax: 20, tools: expect.arrayContaining(['skill.load']) },
  });
});

it('a run that another asks for spends no more than its application sets', () => {
  expect(lesserBudget({ turns: 5 }, { turns: 3, tokens: 100 })).toEqual({ turns: 3, tokens: 100 });
  expect(lesserBudget({ turns: 2, tokens: 500 }, { tokens: 100 })).toEqual({ turns: 2, tokens: 100 });
  expect(lesserBudget(undefined, { turns: 3 })).toEqual({ turns: 3 });
  expect(lesserBudget({ tokens: 7 }, undefined)).toEqual({ tokens: 7 });
});

it('an agent with several intents has the prompt of the one that was requested, also where all fit its parameters', () => {
  const files = templateFiles('guide', 'pi').map((file) =>
    file.path === 'app.toml'
      ? {
          ...file,
          bytes: new TextEncoder().encode(
            `${new TextDecoder().decode(file.bytes)}\n[[intents]]\ntype = "guide/look"\ndescription = "Look"\nprompt = "Stand still and look."\n`,
          ),
        }
      : file,
  );
  const read = judgeWhole(
    { ok: true, files, signature: undefined },
    { keys: new Map(), requireSigned: false },
  );
  if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
  const { agent } = read.make('/nowhere');
  expect(agent!.prompt({}, 'guide/look')).toBe('Stand still and look.');
  expect(agent!.prompt({}, 'guide/drive')).toBe('Drive 0.3 m forward, then finish.');
});

const TWO = `name = "scale"
version = "1.0.0"
description = "Weighs"
harness = "flow"
tools = ["lab.*"]
[[intents]]
type = "scale/weigh"
description = "Weigh"
phrases = ["weigh"]
[[intents]]
type = "scale/tare"
description = "Set to zero"
phrases = [
  "tare",
  { say = "set to {grams:number}" },
]
[intents.params.properties.grams]
type = "number"
default = 0
`;

it('a flow of several intents knows which one it carries out, also after a cut', async () => {
  const flow = `steps:
  - id: which
    branch: true
    next: [{ value: "{/intent/type}", is: scale/tare, to: tare }, { to: weigh }]
  - { id: weigh, tool: lab.weigh, args: { grams: 1 }, next: weighed }
  - { id: tare, tool: lab.weigh, args: { grams: "{/params/grams}" } }
  - { id: tared, end: succeeded, reason: "{/intent/type}: {/steps/tare/grams}" }
  - { id: weighed, end: succeeded, reason: "{/intent/type}: {/steps/weigh/grams}" }
`;
  const app = appOf(flow, TWO);
  expect((await runOf(app)).end.reason).toBe('scale/weigh: 1');
  const { end, rig } = await runOf(app, { grams: 5 }, 'scale/tare');
  expect(end.reason).toBe('scale/tare: 5');
  // It is in each phase, from which a run continues after a cut.
  expect(rig.of('run.phase').map(({ payload }) => payload.facts?.['intent'])).toEqual(
    expect.arrayContaining([{ type: 'scale/tare' }]),
  );
  expect(faultsOf('steps:\n  - { id: a, end: succeeded, reason: "{/intent/app}" }\n')[0]).toContain(
    '/intent/type',
  );
});

it('a phrase that cannot be right is refused with its file, line and key, and how it is fixed', () => {
  const broken = TWO.replace('"tare",', '"tare {gram:number}",').replace('"weigh"', '"weigh (it"');
  expect(() => appOf('steps:\n  - { id: a, end: succeeded }\n', broken)).toThrow(
    /app\.toml:\d+: intents.*phrases.*"weigh \(it": "\(" is not closed by "\)"\n.*gram:number}, which is no parameter of the intent; there are grams/s,
  );
});
