import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig;
afterEach(() => rig?.stop());

async function start(): Promise<ManualClock> {
  const clock = new ManualClock();
  rig = await startRig({}, { clock, control: {} as never, approvals: {} as never });
  answerAll(rig);
  return clock;
}

const RUN = '01a1fd99-664f-7001-b10f-4ffe24a4f881';
const TELEOP = { lease_id: 1, twist: { linear: 0.1, angular: 0 } };
const code = async (path: string, body: object) => {
  const response = await rig.post(path, body);
  const { code } = (await response.json()) as { code?: string };
  return `${response.status} ${code ?? ''}`.trim();
};

describe('the API after its process was frozen', () => {
  it('refuses what begins a motion, by whatever route it comes, for a moment', async () => {
    const clock = await start();
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
    clock.skip(400);
    const orders: [string, object][] = [
      ['/v1/teleop', TELEOP],
      ['/v1/robot/navigate', { x: 1, y: 1 }],
      ['/v1/robot/maneuver', { kind: 'wait', duration_ms: 100 }],
      ['/v1/arm/trajectory', { joints: ['a'], points: [{ positions: [0], time_s: 1 }] }],
      ['/v1/arm/gripper', { position: 0.01 }],
      ['/v1/controllers/pick/start', {}],
      ['/v1/ros/actions/goals', { action: '/a', type: 'a_msgs/action/A' }],
      ['/v1/plays', { path: '/bag' }],
      ['/v1/plays/1/seek', { position_s: 1 }],
      ['/v1/plays/1/rate', { rate: 1 }],
    ];
    for (const [path, body] of orders)
      expect(`${path}: ${await code(path, body)}`).toBe(`${path}: 409 command.expired`);
    clock.skip(99);
    expect(await code('/v1/teleop', TELEOP)).toBe('409 command.expired');
    clock.skip(1);
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
  });

  it('refuses what opens or continues a run behind a freeze of more than 5 s, and takes it behind a shorter one', async () => {
    const clock = await start();
    const orders: [string, object][] = [
      ['/v1/intents', { type: 'maze/find_exit' }],
      [`/v1/runs/${RUN}/resume`, {}],
      [`/v1/runs/${RUN}/messages`, { kind: 'steer', text: 'go on' }],
      [`/v1/approvals/${RUN}/answer`, { decision: 'allow' }],
    ];
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
    clock.skip(4_000);
    expect(await code('/v1/teleop', TELEOP)).toBe('409 command.expired');
    for (const [path, body] of orders) expect(await code(path, body)).not.toContain('command.expired');
    clock.skip(6_000);
    for (const [path, body] of orders)
      expect(`${path}: ${await code(path, body)}`).toBe(`${path}: 409 command.expired`);
    clock.skip(100);
    for (const [path, body] of orders) expect(await code(path, body)).not.toContain('command.expired');
  });

  it('takes every stop, and what comes behind a short hang', async () => {
    const clock = await start();
    clock.skip(6_000);
    expect(await code('/v1/estop', {})).toBe('200');
    expect(await code('/v1/robot/stop', {})).toBe('200');
    for (const [path, body] of [
      [`/v1/runs/${RUN}/cancel`, {}],
      [`/v1/runs/${RUN}/messages`, { kind: 'stop' }],
      [`/v1/approvals/${RUN}/answer`, { decision: 'deny' }],
    ] as const)
      expect(await code(path, body)).not.toContain('command.expired');
    expect(await code('/v1/lease/return', { lease_id: 1 })).toBe('200');
    clock.skip(1_000);
    await clock.advance(200);
    clock.skip(200);
    expect(await code('/v1/teleop', TELEOP)).toBe('200');
  });
});
