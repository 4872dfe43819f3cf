import { describe, expect, it } from 'vitest';
import { type ActionChunk, type Observation, type Policy, pause } from '../../contract/index.ts';
import { CONTROL_DEFAULTS, ControlLoop, type Sensing } from '../../daemon/execution/control/control-loop.ts';
import { DRIVE_LIMITS } from '../../daemon/execution/control/drive-limits.ts';
import { LocalObstacles } from '../../daemon/execution/control/local-obstacles.ts';
import type { Drive } from '../../daemon/execution/navigation/motion.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

class ScriptedPolicy implements Policy {
  answer: () => Promise<Float32Array> = async () => new Float32Array(16).fill(0.2);
  describe() {
    return { name: 'scripted', hash: 'h', inputs: {}, output: [8, 2], stepMs: 50 } as const;
  }
  async infer({ stamp }: Observation): Promise<ActionChunk> {
    const data = await this.answer();
    return { actions: { shape: [8, 2], data }, stepMs: 50, stamp, policyHash: 'h' };
  }
  async close(): Promise<void> {}
}

const AHEAD: Drive = { kind: 'goal', goal: { bearing: 0, distance: 1 } };
const CLEAR: Sensing = {
  ...{ obstacles: new LocalObstacles(), scanAgeMs: 50, odometryAgeMs: 20, lateMs: 0 },
  ...{ twist: { linear: 0, angular: 0 }, bumped: false },
};
const at = (step: number) => BigInt(step) * 50_000_000n;

function loop(policy: Policy, lockstep: boolean, clock = new ManualClock()): ControlLoop {
  return new ControlLoop(policy, clock, DRIVE_LIMITS, { ...CONTROL_DEFAULTS, lockstep });
}

describe('a control loop', () => {
  it('in lockstep takes an answer that a busy host made late for what it is: the world waited too', async () => {
    const policy = new ScriptedPolicy();
    const clock = new ManualClock();
    const slow = new ScriptedPolicy();
    // Each answer takes 3 s of the wall clock and no time of the robot.
    slow.answer = async () => {
      await pause(clock, 3_000);
      return new Float32Array(16).fill(0.2);
    };
    const [prompt, late] = [loop(policy, true), loop(slow, true, clock)];
    for (let i = 1; i <= 12; i++) {
      const step = late.step(at(i), AHEAD, CLEAR);
      await clock.advance(3_000);
      expect(await step).toEqual(await prompt.step(at(i), AHEAD, CLEAR));
    }
    expect(late.counts).toEqual(prompt.counts);
  });

  it('in lockstep waits for a policy that hangs until a stop comes, and not for ever', async () => {
    const policy = new ScriptedPolicy();
    policy.answer = () => new Promise(() => {});
    const clock = new ManualClock();
    const control = loop(policy, true, clock);
    const stopped = control.step(at(1), AHEAD, CLEAR);
    control.abandon();
    expect((await stopped).command).toEqual({ linear: 0, angular: 0 });
    await clock.advance(10_000);
    const given = control.step(at(2), AHEAD, CLEAR);
    await clock.advance(10_000);
    expect((await given).command).toEqual({ linear: 0, angular: 0 });
    expect(control.counts.failures).toBe(2);
  });

  it('in lockstep asks the policy again after a stop: the motion that follows does not starve', async () => {
    const policy = new ScriptedPolicy();
    const late = Promise.withResolvers<Float32Array>();
    policy.answer = () => late.promise;
    const control = loop(policy, true);
    const stopped = control.step(at(1), AHEAD, CLEAR);
    control.abandon();
    await stopped;
    await control.step(at(2), { kind: 'halt' }, CLEAR);
    policy.answer = async () => new Float32Array(16).fill(0.2);
    expect((await control.step(at(3), AHEAD, CLEAR)).command.linear).toBeGreaterThan(0);
    // Its answer to the motion that was stopped changes nothing.
    late.resolve(new Float32Array(16).fill(-0.2));
    await Promise.resolve();
    expect((await control.step(at(4), AHEAD, CLEAR)).command.linear).toBeGreaterThan(0);
  });
});
