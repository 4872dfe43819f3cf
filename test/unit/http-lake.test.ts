import { afterEach, beforeEach, expect, it } from 'vitest';
import { EdgeError, METHODS } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

it('says whether a rebuilt lake is there already, and why it cannot be', async () => {
  const fails = (code: 'deadline.exceeded' | 'lake.unavailable') => async () => {
    throw new EdgeError(code, { operation: 'lake.rebuild', subject: 'lake', message: code });
  };
  const rebuild = async () => {
    const answer = await rig.post('/v1/lake/rebuild', {});
    return [answer.status, await answer.json()];
  };
  rig.answers.set(METHODS.memory.rebuild, async () => ({ projected: {} }));
  expect(await rebuild()).toEqual([200, { done: true }]);
  rig.answers.set(METHODS.memory.rebuild, fails('deadline.exceeded'));
  expect(await rebuild()).toEqual([200, { done: false }]);
  rig.answers.set(METHODS.memory.rebuild, fails('lake.unavailable'));
  expect(await rebuild()).toEqual([503, expect.objectContaining({ code: 'lake.unavailable' })]);
});
