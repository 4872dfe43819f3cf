import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, type LoadedSkill, type Question, type SkillShelf } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';
import { uuid } from '../support/tiny-log.ts';

const QUESTION: Question = {
  question_id: uuid(7),
  run_id: uuid(8),
  text: 'Which door?',
  choices: ['left', 'right'],
  fallback: undefined,
  tenant: 'local',
  principal: 'ada',
  asked_ts: '1',
  expires_ts: '2',
  state: 'waiting',
  answer: undefined,
  by: undefined,
};

const LOADED = {
  name: 'open-doors',
  sha256: 'ab'.repeat(32),
  instructions: 'secret plan',
  skill: { version: '1.0.0', description: 'Opens doors', instructions_ref: 'skills/open-doors/SKILL.md' },
} as unknown as LoadedSkill;

describe('questions and skills by the API', () => {
  let rig: Rig;
  const answers: unknown[] = [];
  beforeEach(async () => {
    const shelf: SkillShelf = {
      skills: () => [LOADED],
      faults: () => [{ path: 'skills/bad', problems: ['name: missing'] }],
      files: async () => ['doors.md'],
      read: async () => Promise.reject(new Error('nobody reads here')),
    };
    rig = await startRig(
      {},
      {
        questions: {
          questions: () => [QUESTION, { ...QUESTION, question_id: uuid(9), tenant: 'other' }],
          answerQuestion: async (id, answer, who) => {
            answers.push([id, answer, who.origin]);
            if (id !== QUESTION.question_id)
              throw new EdgeError('question.not_found', { operation: 'answer', subject: id });
            return { ...QUESTION, state: 'answered', answer, by: who.principal };
          },
        },
        skills: new Map([['doors', shelf]]),
      },
    );
  });
  afterEach(() => rig.stop());

  it('shows the questions of this tenant and takes answers', async () => {
    const { questions } = (await (await rig.get('/v1/questions')).json()) as { questions: Question[] };
    expect(questions.map(({ question_id }) => question_id)).toEqual([QUESTION.question_id]);
    const path = `/v1/questions/${QUESTION.question_id}/answer`;
    const told = await rig.post(path, { answer: 'left' });
    expect([told.status, await told.json()]).toMatchObject([
      200,
      { state: 'answered', answer: 'left', by: 'operator' },
    ]);
    expect(answers.at(-1)).toEqual([QUESTION.question_id, 'left', 'api']);
    expect((await rig.post(`/v1/questions/${uuid(99)}/answer`, { answer: 'x' })).status).toBe(404);
    for (const body of [
      {},
      { answer: '' },
      { answer: 1 },
      { answer: null },
      { answer: 'x', more: 1 },
      { answer: 'x'.repeat(3_000) },
    ])
      expect((await rig.post(path, body)).status).toBe(400);
    expect((await rig.post('/v1/questions/..%2f/answer', { answer: 'x' })).status).toBe(400);
  });

  it('lists skills and what is wrong with the rest, without their instructions', async () => {
    const text = await (await rig.get('/v1/skills')).text();
    expect(JSON.parse(text)).toEqual({
      skills: [
        {
          app: 'doors',
          name: 'open-doors',
          version: '1.0.0',
          description: 'Opens doors',
          path: 'skills/open-doors/SKILL.md',
          sha256: 'ab'.repeat(32),
          files: ['doors.md'],
        },
      ],
      faults: [{ app: 'doors', path: 'skills/bad', problems: ['name: missing'] }],
    });
    expect(text).not.toContain('secret');
  });
});
