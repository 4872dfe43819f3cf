import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost } from '../../adapters/ros/index.ts';
import { ArmFacade } from '../../cli/sim/arm-facade.ts';
import { ALL_NAMES } from '../../sim/arm/arm-model.ts';
import { HostedArm } from '../../sim/arm/hosted-arm.ts';
import { PythonPeer, rosEnvironment } from '../peers/ros-peer.ts';

/** The simulated arm as a ROS 2 robot, for a stock rclpy client. */
const LONG_MS = 150_000;
const env = rosEnvironment();
const faults: string[] = [];
let arm: HostedArm;
let facade: ArmFacade;
let peer: PythonPeer;

beforeAll(async () => {
  const clock = new SystemClock();
  arm = await HostedArm.create({ seed: 1, cameraHz: 2 });
  const host = new RosHost({ node: 'ar4_sim', env, standby: false }, clock);
  facade = new ArmFacade({ arm, host, clock, onFault: (message) => faults.push(message) });
  await facade.start();
  peer = new PythonPeer(env, 'ros_arm_client.py', []);
});
afterAll(async () => {
  await peer?.close();
  await facade?.close();
  arm?.close();
});

describe('the simulated arm on ROS 2', () => {
  it('is heard, follows trajectories, grips, cancels, refuses and obeys positions', async () => {
    const line = <T>(key: string) => peer.line<Record<string, T>>((told) => key in told, LONG_MS);
    expect(await line('joints')).toMatchObject({ joints: ALL_NAMES });
    expect(await line('image')).toMatchObject({ image: 'rgb8', size: [320, 240] });
    const follow = await line<number>('follow');
    expect(follow).toMatchObject({ follow: 0 });
    expect(follow['joint_1']).toBeCloseTo(0.3, 1);
    const grip = await line<number>('grip');
    expect(grip['grip']).toBeCloseTo(0.02, 2);
    expect(grip).toMatchObject({ reached: true });
    expect(await line('canceled')).toEqual({ canceled: true });
    expect(await line('refused')).toEqual({ refused: true });
    expect((await line<number>('forward'))['forward']).toBeCloseTo(0.35, 1);
    expect(faults).toEqual([]);
  });
});
