import { describe, expect, it } from 'vitest';
import { EdgeError, type Harness, type Question } from '../../contract/index.ts';
import { personTool } from '../../daemon/runtime/tools/person-tool.ts';
import { QuestionDesk } from '../../daemon/runtime/tools/question-desk.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

type Life = { readonly rig: RuntimeRig; readonly desk: QuestionDesk; readonly heard: string[] };

/** A run that asks one question; `before` is the life of the process that died. */
async function life(ask: Record<string, unknown>, before?: Life, cut?: Cut): Promise<Life> {
  const heard: string[] = [];
  let desk!: QuestionDesk;
  const harness: Harness = {
    kind: 'pi',
    execute: async ({ toolBox }) => {
      const answer = await toolBox.call('person.ask', ask, { originId: 'q' }).then(
        ({ result }) => JSON.stringify(result),
        (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
      );
      heard.push(answer);
      return { status: 'succeeded', reason: answer.slice(0, 100), summary: {} };
    },
  };
  const app = {
    ...flowApp(
      'ask',
      oneState(async () => ({ event: 'ok', reason: '' })),
    ),
    harness: 'pi' as const,
    agent: { instructions: '', prompt: () => '', tools: ['person.ask'], turnsMax: 1 },
  };
  const rig: RuntimeRig = new RuntimeRig({
    apps: [app],
    robot: new FakeRobot({ cells: 2 }),
    ...(before ? { disk: before.rig.disk, clock: before.rig.clock } : {}),
    ...(cut ? { cut } : {}),
    options: { harnesses: { pi: () => harness }, tools: () => [personTool(desk)] },
  });
  const { context } = rig;
  desk = new QuestionDesk({ clock: rig.clock, reader: context.log.reader(), emit: context.emit });
  await desk.load();
  await rig.cell.start();
  if (!before) void rig.cell.submit({ type: 'ask/go' }, PERSON).catch(() => {});
  return { rig, desk, heard };
}

const waiting = async ({ rig, desk }: Life): Promise<Question> => {
  await rig.until(() => desk.questions().length > 0, 'a question');
  return desk.questions()[0]!;
};

describe('a question to a person', () => {
  it('is durable before it is shown, and its answer before the run hears it', async () => {
    const one = await life({ question: 'Which door?', choices: ['left', 'right'] });
    const question = await waiting(one);
    expect(one.rig.of('question.asked')[0]!.payload).toMatchObject({
      question_id: question.question_id,
      text: 'Which door?',
    });
    await expect(one.desk.answerQuestion(question.question_id, 'up', PERSON)).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    const other = { ...PERSON, tenant: 'other' };
    await expect(one.desk.answerQuestion(question.question_id, 'left', other)).rejects.toMatchObject({
      code: 'question.not_found',
    });
    const answers = await Promise.allSettled(
      ['left', 'right', 'left'].map((a) => one.desk.answerQuestion(question.question_id, a, PERSON)),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await one.rig.finished();
    expect(one.heard).toEqual(['{"answer":"left","answered":true,"by":"ada"}']);
    expect(one.rig.of('question.answered')).toHaveLength(1);
    await expect(one.desk.answerQuestion(question.question_id, 'right', PERSON)).rejects.toMatchObject({
      code: 'question.answered',
    });
    expect((await one.desk.answerQuestion(question.question_id, 'left', PERSON)).state).toBe('answered');
  });

  it('falls back when its time is over, and a late answer is told so', async () => {
    const one = await life({ question: 'Go on?', otherwise: 'no', timeout_s: 30 });
    const { question_id } = await waiting(one);
    await one.rig.finished();
    expect(JSON.parse(one.heard[0]!)).toMatchObject({ answered: false, answer: 'no' });
    await expect(one.desk.answerQuestion(question_id, 'yes', PERSON)).rejects.toMatchObject({
      code: 'question.answered',
    });
    expect(one.rig.of('question.answered')[0]!.payload).toMatchObject({ outcome: 'expired', by: '' });
  });

  it('is asked once, whenever the process dies, and what was answered meanwhile counts', async () => {
    const whole = await life({ question: 'Go on?' });
    await whole.desk.answerQuestion((await waiting(whole)).question_id, 'yes', PERSON);
    await whole.rig.finished();
    let cuts = 0;
    for (let append = 3; append < whole.rig.appends.length; append++) {
      for (const when of ['before', 'after'] as const) {
        const first = await life({ question: 'Go on?' }, undefined, { append, when });
        const open = async (one: Life) => {
          await one.rig.until(
            () => one.desk.questions().length > 0 || one.rig.of('run.finished').length > 0,
            'a question',
          );
          const question = one.desk.questions()[0];
          if (question && !one.rig.dead)
            void one.desk.answerQuestion(question.question_id, 'yes', PERSON).catch(() => {});
        };
        await open(first);
        await first.rig.finished();
        if (!first.rig.dead || first.rig.of('run.started').length === 0) continue;
        const second = await life({ question: 'Go on?' }, first);
        await open(second);
        await second.rig.finished();
        cuts += 1;
        expect(second.rig.of('question.asked'), `${when} ${append}`).toHaveLength(1);
        expect(second.rig.of('question.answered'), `${when} ${append}`).toHaveLength(1);
        expect(second.rig.of('run.finished')[0]!.payload.reason).toContain('"answer":"yes"');
      }
    }
    expect(cuts).toBeGreaterThan(4);
  });

  it('waits after a restart for the time that was left, no longer', async () => {
    const first = await life({ question: 'Go on?', timeout_s: 100 });
    const asked = await waiting(first);
    await first.rig.cell.stop();
    await first.rig.clock.advance(70_000);
    const second = await life({ question: 'Go on?', timeout_s: 100 }, first);
    expect(second.desk.questions()[0]).toMatchObject({
      question_id: asked.question_id,
      expires_ts: asked.expires_ts,
    });
    await second.rig.finished();
    const late = Number(second.rig.clock.now() - BigInt(asked.expires_ts)) / 1e6;
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(20_000);
    expect(JSON.parse(second.heard[0]!)).toMatchObject({ answered: false, answer: null });
  });

  it('is gone with its run', async () => {
    const one = await life({ question: 'Go on?' });
    const { question_id, run_id } = await waiting(one);
    await one.rig.cell.cancel(run_id, 'enough');
    expect(one.desk.questions()).toEqual([]);
    await expect(one.desk.answerQuestion(question_id, 'yes', PERSON)).rejects.toMatchObject({
      code: 'question.answered',
    });
    expect(one.rig.events.at(-1)!.kind).toBe('run.finished');
    const second = await life({ question: 'Go on?' }, one);
    expect(second.desk.questions()).toEqual([]);
    expect(second.desk.questions({ all: true })[0]).toMatchObject({ question_id, state: 'withdrawn' });
  });
});
