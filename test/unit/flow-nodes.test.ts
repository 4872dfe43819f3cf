import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import type { Application, EdgeError } from '../../contract/index.ts';
import { mayAnswerQuestion } from '../../daemon/runtime/governance/may-answer.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { MotionTurns } from '../../daemon/runtime/robot/motion-turns.ts';
import { personTool } from '../../daemon/runtime/tools/person-tool.ts';
import { QuestionDesk } from '../../daemon/runtime/tools/question-desk.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { agentApp, agents, type Work } from '../support/agent-app.ts';
import { tool } from '../support/agent-apps.ts';
import { packageApp, packageFaults } from '../support/package-app.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const manifest = (tools: string, name = 'lab') => `name = "${name}"
version = "1.0.0"
description = "Does something"
harness = "flow"
tools = [${tools}]
[[intents]]
type = "${name}/go"
description = "Go"
[intents.params.properties.rest]
type = "string"
default = "2 s"
`;

const appOf = (flow: string, tools: string, name = 'lab'): Application =>
  packageApp({ 'app.toml': manifest(tools, name), 'flow.yaml': flow });

/** The policies in force where none is configured. */
const builtIn = () =>
  PolicyBook.open({
    ...{ robot: 'robot', clock: new ManualClock() },
    read: () => ({ policies: [], entities: { file: 'entities.json', text: '' } }),
    standing: ({ roles }) => ({ ok: true, roles }),
  });
/** May answer what `PERSON` asked for. */
const LENA = { ...PERSON, principal: 'lena' };

async function rigOf(apps: readonly Application[], works: Readonly<Record<string, Work>> = {}) {
  let desk: QuestionDesk | undefined;
  const rig: RuntimeRig = new RuntimeRig({
    apps,
    robot: new FakeRobot({ cells: 2 }),
    options: {
      ...agents(works),
      tools: () => [
        personTool(desk!),
        tool('lab.count', { input: Type.Object({}), effect: 'write' }, async () => ({ result: { n: 1 } })),
      ],
    },
  });
  const { clock, log, emit } = rig.context;
  const policies = await builtIn();
  desk = new QuestionDesk({
    ...{ clock, reader: log.reader(), emit },
    mayAnswer: mayAnswerQuestion({
      ...{ hooks: new PolicyGate([policies], clock), append: emit },
      rolesOf: ({ roles }) => roles,
    }),
  });
  await rig.cell.start();
  return { rig, desk };
}

async function endOf(rig: RuntimeRig, params: Record<string, unknown> = {}) {
  const { run } = await rig.cell.submit({ type: 'lab/go', params }, PERSON);
  return () => rig.of('run.finished').find(({ run_id }) => run_id === run.run_id)?.payload;
}

describe('a step that asks for another run', () => {
  const FLOW = `steps:
  - id: helper
    run: boss/go
    params: { n: "{/params/rest}" }
    turns: 5
    deadline: 30 s
    on_error: broken
  - id: done
    end: succeeded
    reason: "{/steps/helper/summary/found} of {/steps/helper/score}"
  - id: broken
    end: failed
    reason: "{/error/message}"
`;

  it('has its result, its score and what it found, and gives it a part of its time and turns', async () => {
    const seen: unknown[] = [];
    const boss: Work = async ({ intent }) => {
      seen.push(intent.params);
      return { score: 0.5, summary: { found: 'a cup' } };
    };
    const { rig } = await rigOf([appOf(FLOW, '"run.delegate"'), agentApp('boss')], { boss });
    const end = await endOf(rig);
    await rig.until(() => end() !== undefined, 'the end');
    expect(seen).toEqual([{ n: '2 s' }]);
    expect(end()).toMatchObject({ status: 'succeeded', reason: 'a cup of 0.5' });
    expect(rig.of('run.queued')[1]!.payload).toMatchObject({ budget: { turns: 5 } });
  });

  it('goes where on_error leads when that run does not succeed', async () => {
    const boss: Work = async () => ({ status: 'failed', reason: 'nothing found' });
    const { rig } = await rigOf([appOf(FLOW, '"run.delegate"'), agentApp('boss')], { boss });
    const end = await endOf(rig);
    await rig.until(() => end() !== undefined, 'the end');
    expect(end()).toMatchObject({ status: 'failed', reason: 'run boss/go ended with failed: nothing found' });
  });

  it('may ask for another flow', async () => {
    const other = appOf('steps:\n  - id: end\n    end: succeeded\n    reason: by a flow\n', '', 'other');
    const flow = `steps:\n  - id: sub\n    run: other/go\n  - id: done\n    end: succeeded\n    reason: "{/steps/sub/reason}"\n`;
    const { rig } = await rigOf([appOf(flow, '"run.*"'), other]);
    const end = await endOf(rig);
    await rig.until(() => end() !== undefined, 'the end');
    expect(end()).toMatchObject({ status: 'succeeded', reason: 'by a flow' });
  });

  it('is refused where app.toml does not name the tool for it', () => {
    expect(packageFaults({ 'app.toml': manifest('"lab.*"'), 'flow.yaml': FLOW })).toMatch(
      /flow\.yaml:3: steps\[1\]\.run: "run\.delegate" is not among tools/,
    );
  });
});

describe('a step that a person has to approve', () => {
  const FLOW = `steps:
  - id: may
    approve: Drive into the hall?
    deadline: 20 s
    on_denied: stay
  - id: done
    end: succeeded
    reason: approved
  - id: stay
    end: cancelled
    reason: not approved
`;
  const asked = async (flow: string, answer?: string) => {
    const { rig, desk } = await rigOf([appOf(flow, '"person.ask"')]);
    const end = await endOf(rig);
    await rig.until(() => rig.of('question.asked').length > 0, 'the question');
    const { question_id, text, choices } = rig.of('question.asked')[0]!.payload;
    if (answer !== undefined) await desk.answerQuestion(question_id, answer, LENA);
    await rig.until(() => end() !== undefined, 'the end');
    return { text, choices, end: end()! };
  };

  it('goes on when they do, and where on_denied leads when they do not or nobody answers', async () => {
    const yes = await asked(FLOW, 'approve');
    expect(yes).toMatchObject({ text: 'Drive into the hall?', choices: ['approve', 'deny'] });
    expect(yes.end).toMatchObject({ status: 'succeeded', reason: 'approved' });
    expect((await asked(FLOW, 'deny')).end.reason).toBe('not approved');
    expect((await asked(FLOW)).end.reason).toBe('not approved');
  });

  it('fails without an on_denied', async () => {
    const { end } = await asked(
      FLOW.replace('    on_denied: stay\n', '').replace(/ {2}- id: stay[\s\S]*/, ''),
      'deny',
    );
    expect(end).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('not approved (denied by lena)'),
    });
  });
});

describe('who answers what has to be approved', () => {
  const step = (words: string) => `steps:\n  - id: may\n    ${words}\n  - id: done\n    end: succeeded\n`;
  const open = async (words: string) => {
    const { rig, desk } = await rigOf([appOf(step(words), '"person.ask"')]);
    const end = await endOf(rig);
    await rig.until(() => desk.questions().length > 0, 'the question');
    const { question_id } = desk.questions()[0]!;
    return {
      rig,
      desk,
      end,
      answer: (text: string, who = LENA) => desk.answerQuestion(question_id, text, who),
    };
  };

  it('is judged as who answers an approval: not the requester, not without the role, no other tenant', async () => {
    const { rig, desk, end, answer } = await open('approve: May the arm move?');
    for (const text of ['approve', 'deny'])
      for (const who of [PERSON, { ...PERSON, origin: 'mcp' as const }, { ...LENA, roles: [] }])
        await expect(answer(text, who)).rejects.toMatchObject({ code: 'policy.denied' });
    await expect(answer('approve', { ...LENA, tenant: 'other' })).rejects.toMatchObject({
      code: 'question.not_found',
    });
    expect(desk.questions()).toMatchObject([{ state: 'waiting', approval: true }]);
    const refused = rig.of('policy.decided').map(({ payload }) => payload);
    expect(refused).toHaveLength(6);
    expect(refused[0]).toMatchObject({ point: 'approval', subject: 'tool/person.ask', decision: 'deny' });

    // A restart does not make it answerable by everybody.
    const { clock, log, emit } = rig.context;
    const after = new QuestionDesk({ clock, reader: log.reader(), emit });
    await after.load();
    const { question_id } = after.questions()[0]!;
    await expect(after.answerQuestion(question_id, 'approve', LENA)).rejects.toMatchObject({
      code: 'policy.denied',
    });

    const both = await Promise.allSettled([answer('approve'), answer('deny')]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(rig.of('question.answered')).toHaveLength(1);
    await rig.until(() => end() !== undefined, 'the end');
    expect(end()).toMatchObject({ status: 'succeeded' });
  });

  it('does not matter for a plain question', async () => {
    const { rig, end, answer } = await open('ask: Which door?');
    await answer('left', { ...PERSON, roles: [] });
    await rig.until(() => end() !== undefined, 'the end');
    expect(end()).toMatchObject({ status: 'succeeded' });
    expect(rig.of('policy.decided')).toEqual([]);
  });
});

describe('a wait by a parameter', () => {
  const FLOW = 'steps:\n  - id: rest\n    wait: "{/params/rest}"\n  - id: done\n    end: succeeded\n';

  it('lasts as long as the parameter says', async () => {
    const { rig } = await rigOf([appOf(FLOW, '"lab.*"')]);
    const end = await endOf(rig, { rest: '5 s' });
    const began = rig.clock.monotonicMs();
    await rig.until(() => end() !== undefined, 'the end');
    expect(rig.clock.monotonicMs() - began).toBeGreaterThanOrEqual(5_000);
    expect(end()).toMatchObject({ status: 'succeeded' });
  });

  it('fails with a word about it where that is no time', async () => {
    const { rig } = await rigOf([appOf(FLOW, '"lab.*"')]);
    const end = await endOf(rig, { rest: 'long' });
    await rig.until(() => end() !== undefined, 'the end');
    expect(end()).toMatchObject({ status: 'failed', reason: expect.stringContaining('wait is "long"') });
  });
});

describe('turns with the robot', () => {
  const free = new AbortController().signal;
  const level = (branch: string, group = 'g') => ({ group, branch });

  it('pass in the order of asking; what is below a branch shares its turn', async () => {
    const turns = new MotionTurns();
    const order: string[] = [];
    const first = await turns.take([level('a')], free);
    const second = turns.take([level('b')], free).then((pass) => {
      order.push('b');
      return pass;
    });
    const below = await turns.take([level('a'), level('x', 'inner')], free);
    first();
    await Promise.resolve();
    expect(order).toEqual([]);
    below();
    (await second)();
    expect(order).toEqual(['b']);
    (await turns.take([level('a')], free))();
  });

  it('are given up by a call that ends while it waits', async () => {
    const turns = new MotionTurns();
    const pass = await turns.take([level('a')], free);
    const gone = new AbortController();
    const waits = turns.take([level('b')], gone.signal).catch((error: EdgeError) => error.code);
    gone.abort();
    expect(await waits).toBe('run.cancelled');
    pass();
    (await turns.take([level('c')], free))();
  });
});
