import { expect, it } from 'vitest';
import type { Question, QuestionApi } from '../../contract/index.ts';
import { EdgeError } from '../../contract/index.ts';
import { saysStop } from '../../daemon/http/says-stop.ts';
import { stoppingAnswers } from '../../daemon/runtime/tools/stopping-answers.ts';
import { PERSON } from '../support/runtime-rig.ts';

const question = (choices: string[]) =>
  ({ question_id: 'q', tenant: PERSON.tenant, choices, state: 'waiting' }) as unknown as Question;

/** What reached the desk, and what stopped the robot. */
function rig(choices: string[]) {
  const answered: string[] = [];
  const stopped: string[] = [];
  const desk: QuestionApi = {
    questions: () => [question(choices)],
    answerQuestion: async (_id, answer) => {
      answered.push(answer);
      return question(choices);
    },
  };
  const answers = stoppingAnswers(desk, async (operation, words) => {
    if (!saysStop('/v1/ask', { words })) return;
    stopped.push(words);
    throw new EdgeError('robot.preempted', { operation, subject: words });
  });
  return { answers, answered, stopped };
}

it('"stop" as the answer to a question of a run stops the robot, also where no such question is known', async () => {
  for (const id of ['q', 'unknown']) {
    const { answers, answered, stopped } = rig([]);
    await expect(answers.answerQuestion(id, 'STOP!', PERSON)).rejects.toMatchObject({
      code: 'robot.preempted',
    });
    expect({ answered, stopped }).toEqual({ answered: [], stopped: ['STOP!'] });
  }
});

it('any other answer is one, and so are words that the question offered', async () => {
  const open = rig([]);
  await open.answers.answerQuestion('q', 'the left door', PERSON);
  expect(open).toMatchObject({ answered: ['the left door'], stopped: [] });
  const offered = rig(['go on', 'stop']);
  await offered.answers.answerQuestion('q', 'stop', PERSON);
  expect(offered).toMatchObject({ answered: ['stop'], stopped: [] });
  await expect(
    offered.answers.answerQuestion('q', 'stop', { ...PERSON, tenant: 'somebody' }),
  ).rejects.toThrow();
});

it('is never too late, and has a place where all are taken', () => {
  expect(saysStop('/v1/questions/:questionId/answer', { answer: 'please stop' })).toBe(true);
  expect(saysStop('/v1/questions/:questionId/answer', { answer: 'stop at the door' })).toBe(false);
});
