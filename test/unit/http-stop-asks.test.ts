import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

describe('what was asked for in words before a stop', () => {
  let rig: Rig;
  let stops: number;
  beforeEach(async () => {
    stops = 0;
    const none = () => Promise.reject(new Error('not asked'));
    rig = await startRig({}, { ask: { plan: none, confirm: none, stopped: () => void stops++ } });
    rig.answers.set(METHODS.execution.robotStop, () => ({}));
  });
  afterEach(() => rig.stop());

  it.each([
    ['/v1/robot/stop', {}],
    ['/v1/robot/stop', { reason: 'enough' }],
    // Also where the cell that stops the robot does not answer: nobody confirms it later.
    ['/v1/estop', {}],
  ])('is taken back by POST %s %j', async (path, body) => {
    await (await rig.post(path, body)).text();
    expect(stops).toBe(1);
  });
});
