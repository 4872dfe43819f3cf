import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import type {
  Application,
  LanguageModel,
  LoopDefinition,
  ModelRequest,
  PolicyHook,
  Tool,
} from '../../contract/index.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, type Work } from '../support/agent-app.ts';
import { tool } from '../support/agent-apps.ts';
import { packageApp, packageFaults } from '../support/package-app.ts';
import { replayParts } from '../support/replay-rig.ts';
import { type Cut, PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';

const MANIFEST = `name = "lab"
version = "1.0.0"
description = "Paints"
harness = "flow"
tools = ["lab.*"]
[[intents]]
type = "lab/go"
description = "Go"
[loop]
threshold = 0.8
rounds = 3
[[loop.check]]
name = "even"
tool = "lab.check"
args = { n = "{/result/summary/steps/paint/n}" }
weight = 3
[[loop.check]]
name = "shape"
at = "/summary/steps/paint/n"
[loop.check.schema]
type = "integer"
minimum = 2
`;
const FLOW = `steps:
  - id: paint
    tool: lab.paint
    args: { round: "{/loop/round}", findings: "{/loop/findings}" }
  - id: done
    end: succeeded
    reason: "painted {/steps/paint/n}"
`;

const appOf = (manifest = MANIFEST): Application => packageApp({ 'app.toml': manifest, 'flow.yaml': FLOW });

/** Paints as many strokes as the round; `enough` is what the check wants. */
function studio(enough: number): { readonly tools: readonly Tool[]; readonly told: unknown[] } {
  const told: unknown[] = [];
  const free = Type.Object({}, { additionalProperties: true });
  const paint = tool('lab.paint', { input: free, effect: 'write' }, async ({ round, findings }) => {
    told.push(findings);
    return { result: { n: round } };
  });
  const check = tool('lab.check', { input: free }, async ({ n }) => {
    const score = Math.min(1, (n as number) / enough);
    return { result: { score, findings: score < 1 ? [`${n} strokes, ${enough} are needed`] : [] } };
  });
  return { tools: [paint, check], told };
}

async function runOf(app: Application, enough: number, more: Partial<RigOptions> = {}) {
  const { tools, told } = studio(enough);
  const { options, ...rest } = more;
  const robot = new FakeRobot({ cells: 2 });
  const rig = new RuntimeRig({ apps: [app], robot, ...rest, options: { tools: () => tools, ...options } });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: app.intents[0]!.type }, PERSON);
  await ended(rig, run.run_id);
  return { rig, told, root: run.run_id, state: rig.cell.run(run.run_id) };
}

async function ended(rig: RuntimeRig, root: string): Promise<void> {
  const isOver = () => rig.of('run.finished').some(({ run_id }) => run_id === root);
  await rig.until(() => isOver() && rig.cell.status().runs.length === 0, 'the end of the loop');
}

const LOOP: LoopDefinition = { threshold: 1, roundsMax: 3, otherwise: 'fail', checks: [] };

describe('an outer loop', () => {
  it('does the run again with what was wrong, until its score is enough', async () => {
    const { rig, told, state } = await runOf(appOf(), 2);
    expect(told).toEqual([
      '',
      '1 strokes, 2 are needed\nshape: /summary/steps/paint/n does not fit: /: must be >= 2, found 1',
    ]);
    expect(state).toMatchObject({
      run: { status: 'succeeded', score: 1 },
      reason: 'painted 2',
      summary: { loop: { rounds: [{ score: 0.375 }, { score: 1 }] } },
    });
    // Each round is a run below it; the score of the loop is what the lake has.
    const rounds = rig.of('run.queued').map(({ payload }) => payload.round?.number);
    expect(rounds).toEqual([undefined, 1, 2]);
    expect(rig.of('run.finished').at(-1)!.payload.score).toBe(1);
    expect(rig.of('run.phase').map(({ payload }) => payload.reason)).toContain(
      'checked: even 0.50: 1 strokes, 2 are needed',
    );
  });

  it('fails with its best score after the last round, or takes the best where it may', async () => {
    const spent = await runOf(appOf(), 100);
    expect(spent.state).toMatchObject({
      run: { status: 'failed', score: expect.closeTo(0.2725) },
      reason: expect.stringContaining('is below 0.8 after 3 rounds: 3 strokes, 100 are needed'),
    });
    const taken = await runOf(appOf(MANIFEST.replace('rounds = 3', 'rounds = 2\notherwise = "accept"')), 100);
    expect(taken.state).toMatchObject({
      run: { status: 'succeeded', score: expect.closeTo(0.265) },
      reason: expect.stringContaining('the best counts'),
      summary: { steps: { paint: { n: 2 } } },
    });
  });

  it('comes at any kill to one end, with each round once, and is replayed byte for byte', async () => {
    const whole = await runOf(appOf(), 2);
    const appends = whole.rig.appends.length;
    expect(appends).toBeGreaterThan(20);
    for (let append = 1; append <= appends; append++) {
      const rig = await cutAt(appOf(), { append, when: append % 2 === 0 ? 'before' : 'after' });
      const told = `cut at append ${append}`;
      expect(rig.of('run.queued'), told).toHaveLength(3);
      expect(rig.of('run.finished').at(-1)!.payload, told).toMatchObject({ status: 'succeeded', score: 1 });
    }
    const { disk } = whole.rig;
    for (const { run_id } of whole.rig.of('run.queued')) {
      const outcome = await replayRun(replayParts(disk, appOf(), studio(2)), run_id!);
      expect([outcome.divergence, outcome.verdict]).toEqual([undefined, 'identical']);
    }
  });

  it('lets an agent go on with the session of the round before, and tells it what was wrong', async () => {
    const heard: string[] = [];
    const work: Work = async (context) => {
      const { round, session, inherited } = context;
      context.onMessage(
        async (message) => void heard.push(`${message.kind}: ${'text' in message ? message.text : ''}`),
      );
      await context.emit([
        {
          kind: 'session.entry',
          run_id: context.runId,
          payload: {
            session_id: context.runId,
            entry_id: `e${round?.number}`,
            entry: { round: round?.number },
          },
        },
      ]);
      return { reason: `round ${round?.number} after ${session.length} entries, ${inherited} inherited` };
    };
    const checks = [
      {
        kind: 'schema',
        name: 'long',
        weight: 1,
        deadlineMs: 1_000,
        at: ['reason'],
        schema: { const: 'round 2 after 1 entries, 1 inherited' },
      },
    ] as const;
    const app = agentApp('boss', { loop: { ...LOOP, checks } });
    const { state } = await runOf(app, 1, { options: agents({ boss: work }) });
    expect(state).toMatchObject({
      run: { status: 'succeeded', score: 1 },
      reason: 'round 2 after 1 entries, 1 inherited',
    });
    expect(heard).toEqual([expect.stringMatching(/^steer: [\s\S]*- long: \/reason does not fit/)]);
  });

  it('refuses words and forks that no round would hear, and names the round that hears them', async () => {
    const heard: string[] = [];
    let end = () => {};
    const work: Work = async (context) => {
      context.onMessage(async (message) => void heard.push('text' in message ? `${message.text}` : ''));
      const payload = { session_id: context.runId, entry_id: 'e1', entry: {} };
      await context.emit([{ kind: 'session.entry', run_id: context.runId, payload }]);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      return {};
    };
    const checks = [
      { kind: 'schema', name: 'any', weight: 1, deadlineMs: 1_000, at: [], schema: {} },
    ] as const;
    const rig = new RuntimeRig({
      apps: [agentApp('boss', { loop: { ...LOOP, checks } })],
      robot: new FakeRobot({ cells: 2 }),
      options: agents({ boss: work }),
    });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'boss/go' }, PERSON);
    const said = (runId: string) => rig.cell.control.message(runId, { kind: 'steer', text: 'left' }, PERSON);
    await expect(said(run.run_id)).rejects.toMatchObject({ code: 'run.not_supported' });
    await rig.until(() => rig.of('session.entry').length > 0, 'the first round');
    const round = rig.of('run.queued').find(({ payload }) => payload.round)!.run_id!;
    await expect(said(run.run_id)).rejects.toMatchObject({
      code: 'run.not_supported',
      hint: `send the message to run ${round}`,
    });
    expect(rig.of('run.message')).toEqual([]);
    await said(round);
    expect(heard).toEqual(['left']);
    await expect(rig.cell.control.fork(round, 'e1', PERSON, { text: 'right' })).rejects.toMatchObject({
      code: 'run.not_supported',
    });
    end();
    await ended(rig, run.run_id);
    expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(['succeeded', 'succeeded']);
  });

  it('has a model as judge, and policies; a check that could not be done fails the run', async () => {
    const asked: ModelRequest[] = [];
    const model = {
      complete: async (request: ModelRequest) => {
        asked.push(request);
        return { json: { score: 0.5, findings: ['it is crooked'] } };
      },
    } as unknown as LanguageModel;
    const app = appOf(
      MANIFEST.replace(/\[\[loop\.check\]\][\s\S]*/, '')
        .replace('rounds = 3', 'rounds = 1')
        .concat(
          '[[loop.check]]\nname = "eye"\njudge = "The line is straight"\n[[loop.check]]\nname = "rule"\npolicy = true\n',
        ),
    );
    const forbids: PolicyHook = {
      name: 'rules',
      decide: async ({ point, subject }) =>
        point === 'tool' && subject === 'loop.accept'
          ? { decision: 'deny', reason: 'red is not allowed' }
          : { decision: 'allow', reason: '' },
    };
    const judged = await runOf(app, 1, { hooks: [forbids], options: { models: () => model } });
    expect(judged.state).toMatchObject({
      run: { status: 'failed', score: 0.25 },
      reason: expect.stringContaining('it is crooked'),
    });
    expect(judged.state.summary).toMatchObject({
      loop: { rounds: [{ findings: ['it is crooked', expect.stringContaining('red is not allowed')] }] },
    });
    expect(asked[0]!.purpose).toBe('judge');
    expect(JSON.stringify(asked[0]!.messages)).toContain('The line is straight');
    const none = await runOf(app, 1);
    expect(none.state).toMatchObject({ run: { status: 'failed' }, error: { code: 'model.unavailable' } });
    expect(none.state.run.score).toBeUndefined();
  });

  it('is cancelled with the round under way', async () => {
    const checks = [{ kind: 'policy', name: 'rule', weight: 1, deadlineMs: 1_000 }] as const;
    const app = agentApp('boss', { loop: { ...LOOP, checks } });
    const forever: Work = ({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
    const robot = new FakeRobot({ cells: 2 });
    const rig = new RuntimeRig({ apps: [app], robot, options: agents({ boss: forever }) });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'boss/go' }, PERSON);
    await rig.until(() => rig.of('run.started').length === 2, 'the round');
    void rig.cell.cancel(run.run_id, 'enough');
    await ended(rig, run.run_id);
    expect(rig.of('run.finished').map(({ payload }) => payload.status)).toEqual(['cancelled', 'cancelled']);
  });
});

/** Runs once, dies there, and goes on. */
async function cutAt(app: Application, cut: Cut): Promise<RuntimeRig> {
  const { tools } = studio(2);
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
    const root = () => now.of('run.queued').find(({ payload }) => !payload.round)?.run_id;
    const isOver = () => now.of('run.finished').some(({ run_id }) => run_id === root());
    await now.until(() => isOver() && now.cell.status().runs.length === 0, 'the end');
  }
  return rig!;
}

it.each([
  ['nothing to check', 'name = "a"', /loop\.check\[1\]: has nothing to check/],
  ['two checks in one', 'name = "a"\npolicy = true\njudge = "x"', /has judge and policy/],
  ['a tool that is not named', 'name = "a"\ntool = "other.tool"', /"other\.tool" is not among tools/],
  [
    'a schema with a word that may take long',
    'name = "a"\nschema = { pattern = "(a+)+" }',
    /no word of these schemas/,
  ],
  [
    'a reference nowhere',
    'name = "a"\ntool = "lab.x"\nargs = { n = "{/steps/a}" }',
    /\{\/steps\} leads nowhere/,
  ],
])('a loop with %s is refused where it is read', (_what, check, words) => {
  const manifest = MANIFEST.replace(/\[\[loop\.check\]\][\s\S]*/, `[[loop.check]]\n${check}\n`);
  expect(packageFaults({ 'app.toml': manifest, 'flow.yaml': FLOW })).toMatch(words);
});
