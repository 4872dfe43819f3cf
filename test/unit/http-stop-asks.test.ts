import { afterEach, beforeEach, expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  rig.answers.set(METHODS.execution.robotStop, async () => ({}));
});
afterEach(() => rig.stop());

it.each([
  ['/v1/robot/stop', {}],
  ['/v1/robot/stop', { reason: 'enough' }],
  // Also where the cell that stops the robot does not answer: what was wanted before does not begin later.
  ['/v1/estop', {}],
])('POST %s %j is noted as a stop', async (path, body) => {
  await (await rig.post(path, body)).text();
  expect(rig.runtime.stops.count).toBe(1);
});
