import { afterEach, expect, it } from 'vitest';
import { EdgeError, METHODS } from '../../contract/index.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig;
afterEach(() => rig.stop());

it('a play is resumed, moved and sped up only as far as policies let it be played; a pause asks none', async () => {
  const judged: Record<string, unknown>[] = [];
  const given: unknown[] = [];
  rig = await startRig(
    {},
    {
      judgeAction: async ({ tool, facts }) => {
        judged.push({ tool, ...facts });
        if (facts['rate'] === 50)
          throw new EdgeError('policy.denied', { operation: 'play', subject: 'too fast' });
      },
    },
  );
  answerAll(rig);
  const { bagPlayState, bagPlayControl } = METHODS.execution;
  const view = { play_id: '1', path: '/bag', to: 'ros', state: 'paused', messages: 1, published: 0 };
  const rest = { position_s: 0, duration_s: 1, rate: 2, loops: 0, withheld: [], reason: '' };
  rig.answers.set(bagPlayState, async () => ({ ...view, ...rest }));
  rig.answers.set(bagPlayControl, async (body) => {
    given.push((body as { action: string }).action);
    return { ...view, ...rest };
  });
  const status = async (word: string, body: object) => (await rig.post(`/v1/plays/1/${word}`, body)).status;
  expect(await status('pause', {})).toBe(200);
  expect(judged).toEqual([]);
  expect(await status('resume', {})).toBe(200);
  expect(await status('seek', { position_s: 3 })).toBe(200);
  expect(await status('rate', { rate: 50 })).toBe(403);
  expect(given).toEqual(['pause', 'resume', 'seek']);
  expect(judged).toMatchObject([
    { tool: 'bag.play', path: '/bag', to: 'ros', rate: 2 },
    { tool: 'bag.play', path: '/bag', to: 'ros', position_s: 3 },
    { tool: 'bag.play', path: '/bag', to: 'ros', rate: 50 },
  ]);
});
