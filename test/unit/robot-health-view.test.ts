import { describe, expect, it } from 'vitest';
import type { Sample } from '../../contract/index.ts';
import {
  BATTERY_STATE,
  DIAGNOSTIC_ARRAY,
  RobotHealthView,
} from '../../daemon/execution/robot-health-view.ts';
import { encodeJointState, JOINT_STATE } from '../../formats/cdr/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const HEADER = { stamp: { sec: 1, nanosec: 0 }, frame_id: '' };
const sample = (topic: string, type: string, bytes: Uint8Array): Sample => ({
  topic,
  type,
  stamp: 0n,
  received: 0n,
  bytes,
});
const battery = (percentage: number, voltage = 12) =>
  sample(
    '/battery_state',
    BATTERY_STATE,
    encodeAny(BATTERY_STATE, {
      header: HEADER,
      percentage,
      voltage,
      current: Number.NaN,
      power_supply_status: 2,
    }),
  );
const diagnostics = (...status: { name: string; level: number; message?: string }[]) =>
  sample('/diagnostics', DIAGNOSTIC_ARRAY, encodeAny(DIAGNOSTIC_ARRAY, { header: HEADER, status }));
const joints = (topic: string, name: string[], position: number[]) => {
  const none = new Float64Array(0);
  const header = { stamp: 1n, frame_id: '' };
  const message = { header, name, position: Float64Array.from(position), velocity: none, effort: none };
  return sample(topic, JOINT_STATE, encodeJointState(message));
};

function made() {
  const clock = new ManualClock();
  return { clock, health: new RobotHealthView(clock) };
}

describe('the health of a robot', () => {
  it('tells the battery as a share, and nothing that was not measured', () => {
    const { health } = made();
    expect(health.snapshot().battery).toBeUndefined();
    health.observe(battery(0.5));
    expect(health.snapshot().battery).toEqual({
      charge: 0.5,
      voltage: 12,
      current: undefined,
      status: 'discharging',
    });
    health.observe(battery(87));
    expect(health.charge).toBeCloseTo(0.87, 6);
    health.observe(battery(Number.NaN));
    expect(health.charge).toBeUndefined();
  });

  it('keeps the newest word of every part, worst first, and calls who fell silent stale', async () => {
    const { clock, health } = made();
    health.observe(diagnostics({ name: 'a', level: 0 }, { name: 'b', level: 1 }));
    health.observe(diagnostics({ name: 'c', level: 2, message: 'broken' }, { name: 'b', level: 0 }));
    const levels = () => health.snapshot().diagnostics.map(({ name, level }) => `${name} ${level}`);
    expect(levels()).toEqual(['c error', 'a ok', 'b ok']);
    expect(health.faults(8)).toEqual(['diagnostics: c: broken']);
    await clock.advance(9_000);
    health.observe(diagnostics({ name: 'b', level: 0 }));
    await clock.advance(2_000);
    expect(levels()).toEqual(['a stale', 'c stale', 'b ok']);
  });

  it('gathers joints of several publishers, and is not moved by what is malformed or endless', () => {
    const { health } = made();
    health.observe(joints('/joint_states', ['wheel'], [1]));
    health.observe(joints('/joint_states', ['arm'], [2]));
    health.observe(joints('/gripper/joint_states', ['finger'], [Number.NaN]));
    for (const type of [JOINT_STATE, BATTERY_STATE, DIAGNOSTIC_ARRAY])
      health.observe(sample('/x', type, Uint8Array.of(0, 1, 0, 0, 255)));
    const { joints: told } = health.snapshot();
    expect(told).toEqual({
      wheel: { position: 1, velocity: undefined, effort: undefined },
      arm: { position: 2, velocity: undefined, effort: undefined },
    });
    for (let i = 0; i < 2_000; i++) {
      health.observe(joints('/many', [`j${i}`], [0]));
      health.observe(diagnostics({ name: `d${i}`, level: 0 }));
      if (i % 4 === 3) health.snapshot();
    }
    const { joints: most, diagnostics: parts } = health.snapshot();
    expect(Object.keys(most).length).toBeLessThanOrEqual(256);
    expect(parts.length).toBeLessThanOrEqual(512);
  });
});
