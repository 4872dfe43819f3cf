import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import type { HookDecision, HookQuestion, PolicyContext, PolicyHook } from '../../contract/index.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { swapRun } from '../../daemon/runtime/replay/swap-run.ts';
import { personTool } from '../../daemon/runtime/tools/person-tool.ts';
import { QuestionDesk } from '../../daemon/runtime/tools/question-desk.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { tool } from '../support/agent-apps.ts';
import { replayParts } from '../support/replay-rig.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const LEAD: PolicyContext = { tenant: 'lab', principal: 'lena', roles: ['operator', 'lead'], origin: 'api' };
const GUEST: PolicyContext = { ...LEAD, principal: 'gus', roles: [] };

/** Wants a person for these subjects; operators answer what others asked. */
class AskFirst implements PolicyHook {
  readonly name = 'ask-first';
  readonly #subjects: readonly string[];
  constructor(...subjects: string[]) {
    this.#subjects = subjects;
  }
  async decide({ point, subject, context, about }: HookQuestion): Promise<HookDecision> {
    if (point === 'approval') {
      const may = context.roles.includes('operator') && about?.['requester'] !== context.principal;
      return { decision: may ? 'allow' : 'deny', reason: may ? 'an operator' : 'not this one' };
    }
    if (!this.#subjects.includes(subject)) return { decision: 'allow', reason: 'nothing to ask' };
    const approval = { timeoutMs: 60_000, roles: [] };
    return { decision: 'needs_approval', reason: 'people are near', approval };
  }
}

let opened = 0;
const input = Type.Object({ n: Type.Integer() }, { additionalProperties: false });
const gate = tool(
  'gate.open',
  { input, effect: 'actuate', replay: 'never', origin: 'house' },
  async ({ n }) => {
    opened++;
    return { result: { n } };
  },
);
const note = tool('note.write', { input, effect: 'write' }, async ({ n }) => ({ result: { n } }));

const app = {
  ...flowApp(
    'door',
    oneState(async () => ({ event: 'ok', reason: '' })),
  ),
  harness: 'pi' as const,
  deadlineMs: 600_000,
  agent: { instructions: 'x', tools: ['gate.open', 'note.write', 'person.ask'], skills: [] } as never,
  tools: [gate, note],
};

/** Calls the box as an agent does; twice the gate at the same time. */
const harness = {
  kind: 'pi' as const,
  execute: async ({ toolBox }: Parameters<import('../../contract/index.ts').Harness['execute']>[0]) => {
    const open = (n: number) =>
      toolBox
        .call('gate.open', { n }, { originId: `gate ${n}` })
        .then(({ result }) => `opened ${result['n']}`)
        .catch((error: Error) => `refused: ${error.message}`);
    await toolBox.call('note.write', { n: 1 }, { originId: 'a' });
    const first = await open(2);
    const both = await Promise.all([open(3), open(4)]);
    await toolBox.call('note.write', { n: 5 }, { originId: 'b' });
    return { status: 'succeeded' as const, reason: [first, ...both].join(', '), summary: {} };
  },
};

function rigOf(hook: PolicyHook, more: Partial<ConstructorParameters<typeof RuntimeRig>[0]> = {}) {
  return new RuntimeRig({
    apps: [app],
    robot: new FakeRobot(),
    hooks: [hook],
    options: { harnesses: { pi: () => harness } },
    ...more,
  });
}

const waits = (rig: RuntimeRig) => rig.cell.approvals.approvals();

/** Answers each question as `say` has it, some time later, until the run is over. */
async function answerAll(rig: RuntimeRig, say: (n: number) => 'allow' | 'deny' | 'nothing'): Promise<void> {
  let n = 0;
  const asked = new Set<string>();
  while (rig.of('run.finished').length === 0 && !rig.dead) {
    await rig.until(
      () => rig.of('run.finished').length > 0 || waits(rig).some((one) => !asked.has(one.approval_id)),
      'a question or the end',
    );
    for (const { approval_id } of waits(rig)) {
      if (asked.has(approval_id)) continue;
      asked.add(approval_id);
      const word = say(++n);
      if (word === 'nothing') continue;
      await rig.clock.advance(3_000);
      let done = false;
      const told = rig.cell.approvals.answer(approval_id, 'allow', GUEST, '').catch(() => undefined);
      void told
        .then(() => rig.cell.approvals.answer(approval_id, word, LEAD, 'I am there'))
        .then(() => {
          done = true;
        });
      await rig.until(() => done, 'the answer');
    }
  }
  await rig.finished();
}

const parts = (rig: RuntimeRig) => replayParts(rig.disk, app, { harness });

describe('a run that waited for people, done again', () => {
  it.each([
    ['all agree', () => 'allow' as const],
    ['one says no', (n: number) => (n === 2 ? ('deny' as const) : ('allow' as const))],
    ['nobody answers one', (n: number) => (n === 1 ? ('nothing' as const) : ('allow' as const))],
  ])('gets the same answers: %s', async (_what, say) => {
    const rig = rigOf(new AskFirst('gate.open'));
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
    await answerAll(rig, say);
    expect(rig.of('approval.requested')).toHaveLength(3);
    // Somebody who may not answer tried: that is a decision in the log of the run too.
    expect(rig.of('policy.decided').some(({ payload }) => payload.point === 'approval')).toBe(true);
    const before = opened;
    const outcome = await replayRun(parts(rig), run.run_id);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
    expect(outcome.replayed_sha256).toBe(outcome.recorded_sha256);
    expect(opened).toBe(before);
  });

  it('also before its first step', async () => {
    const rig = rigOf(new AskFirst('door/go'));
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
    await answerAll(rig, () => 'allow');
    expect(rig.of('approval.requested')[0]!.payload.point).toBe('intent');
    expect(await replayRun(parts(rig), run.run_id)).toMatchObject({ verdict: 'identical' });
  });

  it.each(Array.from({ length: 14 }, (_, i) => i + 3))(
    'also where it was killed at append %i',
    async (append) => {
      const cut: Cut = { append, when: append % 2 ? 'after' : 'before' };
      const hook = new AskFirst('gate.open');
      let rig = rigOf(hook, { cut });
      await rig.cell.start();
      const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
      await answerAll(rig, () => 'allow');
      expect(rig.dead).toBe(true);
      rig = rigOf(hook, { disk: rig.disk, clock: rig.clock });
      await rig.cell.start();
      await answerAll(rig, () => 'allow');
      const outcome = await replayRun(parts(rig), run.run_id);
      expect(outcome.divergence).toBeUndefined();
      expect(outcome).toMatchObject({ verdict: 'identical', attempts: 2 });
    },
  );

  it('from any event, also between a question and its answer', async () => {
    const rig = rigOf(new AskFirst('gate.open'));
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
    await answerAll(rig, () => 'allow');
    const events = rig.events.filter((event) => event.run_id === run.run_id);
    for (let n = 1; n < events.length - 1; n++) {
      const outcome = await replayRun(parts(rig), run.run_id, String(n));
      expect({ n, ...outcome }).toMatchObject({ n, verdict: 'identical' });
    }
  }, 60_000);

  it('that was cancelled while it waited is cancelled again', async () => {
    const rig = rigOf(new AskFirst('gate.open'));
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
    await rig.until(() => waits(rig).length > 0, 'a question');
    void rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.finished();
    const outcome = await replayRun(parts(rig), run.run_id);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
  });

  it('ends under a policy that wants a person where nobody was asked', async () => {
    const rig = rigOf(new AskFirst('gate.open'));
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
    await answerAll(rig, () => 'allow');
    const same = await swapRun(parts(rig), run.run_id, undefined, { hooks: [new AskFirst('gate.open')] });
    expect(same.message).toBe('it came to its end');
    const strict = new AskFirst('gate.open', 'note.write');
    const outcome = await swapRun(parts(rig), run.run_id, undefined, { hooks: [strict] });
    expect(outcome.verdict).toBe('changed');
    expect(outcome.message).toContain('the record has no answer for note.write');
  });
});

describe('a run that asked a person, done again', () => {
  it('hears the same words, and nobody is asked', async () => {
    const asker = {
      kind: 'pi' as const,
      execute: async ({ toolBox }: Parameters<import('../../contract/index.ts').Harness['execute']>[0]) => {
        const ask = (question: string) => toolBox.call('person.ask', { question, timeout_s: 60 });
        const words = [await ask('Left?'), await ask('Anybody there?')].map(({ result }) => result['answer']);
        return { status: 'succeeded' as const, reason: words.join(', '), summary: {} };
      },
    };
    let desk: QuestionDesk | undefined;
    const person = personTool(
      new Proxy({} as QuestionDesk, { get: (_, name) => Reflect.get(desk!, name).bind(desk) }),
    );
    const rig = rigOf(new AskFirst(), {
      options: { harnesses: { pi: () => asker }, tools: () => [person, gate, note] },
    });
    const { context } = rig;
    desk = new QuestionDesk({ clock: rig.clock, reader: context.log.reader(), emit: context.emit });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'door/go' }, PERSON);
    await rig.until(() => desk!.questions().length > 0, 'the first question');
    let answered = false;
    void desk.answerQuestion(desk.questions()[0]!.question_id, 'yes, left', LEAD).then(() => {
      answered = true;
    });
    await rig.until(() => answered, 'the answer');
    await rig.finished();
    expect(rig.of('run.finished')[0]!.payload.reason).toBe('yes, left, ');
    const asked = desk.questions({ all: true }).length;
    const again = { ...parts(rig), load: () => ({ app, harness: asker }), tools: [person] };
    const outcome = await replayRun(again, run.run_id);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
    expect(desk.questions({ all: true })).toHaveLength(asked);
  });
});
