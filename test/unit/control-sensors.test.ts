import { describe, expect, it } from 'vitest';
import type { Sample } from '../../contract/index.ts';
import { CORE_DEFAULTS, ControlCore } from '../../daemon/execution/control/control-core.ts';
import { CONTROL_DEFAULTS } from '../../daemon/execution/control/control-loop.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import {
  decodeLaserScan,
  encodeLaserScan,
  encodeTf,
  type LaserScan,
  ODOMETRY,
  TF_MESSAGE,
} from '../../formats/cdr/index.ts';
import { Random } from '../../sim/random.ts';
import { FlatWorld, type Wall } from '../fakes/flat-world.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A long hall: there is room to be driving when the sensors fail. */
const HALL: Wall[] = [
  [0, 0, 8, 0],
  [0, 0, 0, 2],
  [8, 0, 8, 2],
  [0, 2, 8, 2],
];
const STEPS_PER_SECOND = 20;

class Rig {
  readonly world = new FlatWorld({ walls: HALL, start: { x: 0.6, y: 1, yaw: 0 }, seed: 3 });
  readonly core = new ControlCore(new PursuitPolicy(), new ManualClock(), {
    ...CORE_DEFAULTS,
    control: { ...CONTROL_DEFAULTS, lockstep: true },
  });
  readonly stopped: string[] = [];
  /** What becomes of each sample on its way; undefined never arrives. */
  spoil: (sample: Sample) => Sample | undefined = (sample) => sample;

  async run(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * STEPS_PER_SECOND; i++) {
      for (const sample of this.world.advance()) {
        const arrived = this.spoil(sample);
        if (arrived) this.core.onSample(arrived);
      }
      const { command, receipts } = await this.core.tick(this.world.time);
      if (command) this.world.command = command;
      for (const receipt of receipts)
        if (receipt.kind === 'safety.stopped') this.stopped.push(receipt.reason);
    }
  }
}

async function driving(): Promise<Rig> {
  const rig = new Rig();
  await rig.run(1);
  void rig.core.navigate('m', { pose: { x: 6, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 });
  await rig.run(2);
  expect(rig.world.twist.linear).toBeGreaterThan(0.2);
  return rig;
}

function scan(sample: Sample, change: (scan: LaserScan) => Partial<LaserScan>): Sample {
  if (sample.topic !== '/scan') return sample;
  const read = decodeLaserScan(sample.bytes);
  return { ...sample, bytes: encodeLaserScan({ ...read, ...change(read) }) };
}

describe('a robot whose sensors fail while it drives', () => {
  it.each<[string, (scan: LaserScan) => Partial<LaserScan>]>([
    ['every range is NaN', ({ ranges }) => ({ ranges: ranges.map(() => Number.NaN) })],
    ['every range is 0', ({ ranges }) => ({ ranges: ranges.map(() => 0) })],
    ['there is no range', () => ({ ranges: new Float32Array(0) })],
    ['its angles are NaN', () => ({ angle_min: Number.NaN })],
    ['its limits are NaN', () => ({ range_min: Number.NaN, range_max: Number.NaN })],
  ])('stands when the lidar is blind: %s', async (_, change) => {
    const rig = await driving();
    rig.spoil = (sample) => scan(sample, change);
    await rig.run(1.5);
    expect(rig.world.twist).toEqual({ linear: 0, angular: 0 });
    expect(rig.stopped).toHaveLength(1);
  });

  it('stands when a lidar that once spoke from the future falls silent', async () => {
    const rig = await driving();
    let once = true;
    rig.spoil = (sample) => {
      if (sample.topic !== '/scan') return sample;
      const first = once;
      once = false;
      const ahead = ({ header }: LaserScan) => ({
        header: { ...header, stamp: header.stamp + 3_600_000_000_000n },
      });
      return first ? scan(sample, ahead) : undefined;
    };
    await rig.run(1.5);
    expect(rig.world.twist).toEqual({ linear: 0, angular: 0 });
    expect(rig.stopped).toHaveLength(1);
  });

  it('goes on seeing after one scan from the future', async () => {
    const rig = await driving();
    let once = true;
    rig.spoil = (sample) => {
      if (sample.topic !== '/scan' || !once) return sample;
      once = false;
      return scan(sample, ({ header }) => ({
        header: { ...header, stamp: header.stamp + 3_600_000_000_000n },
      }));
    };
    await rig.run(0.5);
    rig.world.setWalls([...HALL, [rig.world.pose.x + 0.8, 0, rig.world.pose.x + 0.8, 2]]);
    await rig.run(4);
    expect(rig.world.contacts).toBe(0);
  });

  it('stands when odometry falls silent although the lidar speaks', async () => {
    const rig = await driving();
    rig.spoil = (sample) => (sample.type === ODOMETRY ? undefined : sample);
    await rig.run(1.5);
    expect(rig.world.twist).toEqual({ linear: 0, angular: 0 });
    expect(rig.stopped).toHaveLength(1);
  });

  it('does not believe a place of the lidar that is no number', async () => {
    const rig = await driving();
    const header = { stamp: 0n, frame_id: 'base_link' };
    const transform = {
      translation: { x: Number.NaN, y: 0, z: 0 },
      rotation: { x: 0, y: 0, z: 0, w: 1 },
    };
    const bytes = encodeTf([{ header, child_frame_id: 'laser', transform }]);
    rig.core.onSample({ topic: '/tf_static', type: TF_MESSAGE, stamp: 0n, received: 0n, bytes });
    rig.world.setWalls([...HALL, [rig.world.pose.x + 0.9, 0, rig.world.pose.x + 0.9, 2]]);
    await rig.run(4);
    expect(rig.world.contacts).toBe(0);
    expect(Number.isFinite(rig.core.state().pose?.x)).toBe(true);
  });
});

/** Keeps the ranges of the rays for which `keeps` holds, by their angle from straight ahead in degrees; the others say nothing. */
function rays(keeps: (degrees: number, i: number) => boolean, nothing = Number.NaN) {
  return (sample: Sample) =>
    scan(sample, ({ ranges, angle_min, angle_increment }) => ({
      ranges: ranges.map((range, i) => {
        const angle = angle_min + i * angle_increment;
        const degrees = (Math.atan2(Math.sin(angle), Math.cos(angle)) * 180) / Math.PI;
        return keeps(degrees, i) ? range : nothing;
      }),
    }));
}

const ahead = (half: number) => (degrees: number) => Math.abs(degrees) <= half;

describe('a stop', () => {
  it('is answered when the base stands, not before', async () => {
    const rig = await driving();
    let answer = '';
    rig.core.stop('enough').then(
      () => (answer = 'stands'),
      () => (answer = 'not confirmed'),
    );
    for (let i = 0; i < 40 && answer === ''; i++) {
      await rig.run(0.05);
      if (Math.abs(rig.world.twist.linear) > 0.01) expect(answer).toBe('');
    }
    expect(answer).toBe('stands');
    expect(rig.world.twist).toEqual({ linear: 0, angular: 0 });
  });

  it.each([
    ['has fallen silent', (sample: Sample) => (sample.type === ODOMETRY ? undefined : sample)],
    ['says the same as a moment ago', undefined],
  ])('is not confirmed by odometry that %s', async (_, spoil) => {
    const rig = await driving();
    let last: Sample | undefined;
    rig.spoil =
      spoil ??
      ((sample) => {
        if (sample.type !== ODOMETRY) return sample;
        last ??= sample;
        return last;
      });
    const refused = expect(rig.core.stop('enough')).rejects.toMatchObject({
      code: 'robot.unreachable',
      message: 'standing still was not confirmed within 3000 ms',
    });
    await rig.run(4);
    await refused;
    expect(rig.world.twist).toEqual({ linear: 0, angular: 0 });
  });

  it('is not confirmed by one old measurement of a base that had not begun to move', async () => {
    const rig = new Rig();
    await rig.run(1);
    rig.spoil = (sample) => (sample.type === ODOMETRY ? undefined : sample);
    void rig.core.navigate('m', { pose: { x: 6, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 });
    await rig.run(0.2);
    let answer = '';
    rig.core.stop('enough').then(
      () => (answer = 'stands'),
      () => (answer = 'not confirmed'),
    );
    await rig.run(1);
    expect(answer).toBe('');
    await rig.run(3);
    expect(answer).toBe('not confirmed');
  });
});

describe('a lidar that does not see all around', () => {
  it.each([Number.NaN, 0, -Infinity])('stands where rays ahead say %d, and says why', async (nothing) => {
    const rig = await driving();
    rig.spoil = rays((degrees) => Math.abs(degrees) > 30, nothing);
    await rig.run(1.5);
    expect(rig.world.twist.linear).toBe(0);
    expect(rig.stopped).toHaveLength(1);
    expect(rig.stopped[0]).toMatch(/lidar has no valid range in the direction of travel/);
  });

  it('drives where rays ahead say that nothing is within range', async () => {
    const rig = await driving();
    rig.spoil = rays((degrees) => Math.abs(degrees) > 30, Infinity);
    await rig.run(1.5);
    expect(rig.world.twist.linear).toBeGreaterThan(0.2);
    expect(rig.stopped).toEqual([]);
  });

  it.each([270, 180, 140])('reaches a place ahead with a lidar of %i degrees', async (field) => {
    const rig = new Rig();
    rig.spoil = rays(ahead(field / 2));
    await rig.run(1);
    const goal = { pose: { x: 4, y: 0.3, yaw: 0 }, tolerance: 0.2, timeoutMs: 40_000 };
    let outcome = '';
    void rig.core.navigate('m', goal).then((result) => {
      outcome = result.outcome;
    });
    for (let i = 0; i < 40 && outcome === ''; i++) await rig.run(1);
    expect(outcome).toBe('reached');
    expect(rig.world.contacts).toBe(0);
  });

  it('does not drive backwards with a lidar that looks forwards only, and says why', async () => {
    const rig = new Rig();
    rig.spoil = rays(ahead(90));
    await rig.run(1);
    const end = rig.core.maneuver('m', { kind: 'drive', distance: -0.5 });
    await rig.run(8);
    expect(await end).toMatchObject({
      outcome: 'stuck',
      message: expect.stringMatching(/lidar has no valid range/),
    });
    expect(Math.abs((await end).distance)).toBeLessThan(0.01);
  });

  it('drives on when single rays are lost', async () => {
    const rig = await driving();
    const random = new Random(1, 'lost rays');
    rig.spoil = rays(() => random.float() > 0.1);
    await rig.run(4);
    expect(rig.world.twist.linear).toBeGreaterThan(0.2);
    expect(rig.stopped).toEqual([]);
  });
});
