import { afterEach, beforeEach, expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { DiskRobot } from '../support/disk-rig.ts';
import { CentralRig } from '../support/object-rig.ts';

let central: CentralRig;
let robot: DiskRobot;
beforeEach(async () => {
  central = await new CentralRig().start({ tls: {} });
  robot = new DiskRobot('r1');
  await robot.enrol(central);
  await robot.open();
});
afterEach(async () => {
  await robot.close();
  await central.stop();
});

it('an export whose logs another one closes under its step says that it ended', async () => {
  await robot.log('runtime', 5_000);
  const open = () => robot.ask<{ session: string }>(METHODS.link.diskOpen, { lanes: [], all: false });
  const { session } = await open();
  const steps = Array.from({ length: 4 }, () => robot.ask(METHODS.link.diskNext, { session }));
  const settled = Promise.allSettled(steps);
  await open();
  for (const step of await settled)
    if (step.status === 'rejected')
      expect(step.reason).toMatchObject({ code: 'api.not_found', hint: /run the same command again/ });
  expect((await settled).at(-1)!.status).toBe('rejected');
});
