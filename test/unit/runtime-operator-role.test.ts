import { describe, expect, it } from 'vitest';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { OperatorRole } from '../fakes/operator-role.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { effectsApp } from '../support/test-apps.ts';

describe('operator role', () => {
  it('opens no run for somebody else, and says who was refused', async () => {
    const rig = new RuntimeRig({
      apps: [effectsApp()],
      robot: new FakeRobot({ cells: 4 }),
      hooks: [new OperatorRole()],
    });
    await rig.cell.start();
    const guest = { ...PERSON, principal: 'guest', roles: ['viewer'] };
    await expect(rig.cell.submit({ type: 'effects/go' }, guest)).rejects.toMatchObject({
      code: 'policy.denied',
    });
    expect(rig.of('policy.decided')[0]!.payload).toMatchObject({
      hook: 'operator-role',
      decision: 'deny',
      reason: 'guest has not the role operator',
    });
    expect(rig.bus.asked).toEqual([]);
    await rig.cell.submit({ type: 'effects/go' }, PERSON);
    await rig.finished();
    // One for the intent of the operator, one for each call of its run.
    expect(rig.of('policy.decided')).toHaveLength(1 + 1 + rig.of('tool.called').length);
  });
});
