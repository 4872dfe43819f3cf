import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type ArmState,
  type CellContext,
  EdgeError,
  type JointTarget,
  METHODS,
} from '../../contract/index.ts';
import { jointGateSpec } from '../../daemon/compose/safety.ts';
import { readConfig } from '../../daemon/config.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { ArmService } from '../../daemon/execution/arm-service.ts';
import { type BoxRow, type GateWishes, gateSpec } from '../../daemon/execution/safety/index.ts';
import { checkTrajectory } from '../../daemon/execution/safety/trajectory-check.ts';
import { readUrdf } from '../../formats/urdf/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { motionResult } from '../support/bodies.ts';
import { BACK_S, START } from '../support/shipped-apps.ts';

/** Two joints that turn about the same axis, each half a metre long: straight out, the tool is at x = 1. */
const TWO = readUrdf(`<robot name="two">
  <link name="base_link"/><link name="a"/><link name="b"/><link name="tool0"/>
  <joint name="j1" type="revolute"><parent link="base_link"/><child link="a"/><axis xyz="0 0 1"/>
    <limit lower="-3" upper="3" velocity="1.5" effort="20"/></joint>
  <joint name="j2" type="revolute"><origin xyz="0.5 0 0"/><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>
    <limit lower="-3" upper="3" velocity="1.5" effort="20"/></joint>
  <joint name="end" type="fixed"><origin xyz="0.5 0 0"/><parent link="b"/><child link="tool0"/></joint>
</robot>`);
const WISHES: GateWishes = {
  ...{ joints: ['j1', 'j2'], base: 'base_link', tool: 'tool0', mode: 'clamp', rateMax: 1_000 },
  ...{ gapSeconds: 0.5, rows: [], boxes: [] },
};
const plain = gateSpec(TWO, WISHES);
const boxed = (...boxes: readonly BoxRow[]) => gateSpec(TWO, { ...WISHES, boxes });
const keepOut = (min: BoxRow['min'], max: BoxRow['max']): BoxRow => ({ kind: 'keep_out', min, max });
/** Across the way of the tool where the arm is straight out. */
const wall = boxed(keepOut([0.5, -0.03, -1], [1.2, 0.03, 1]));

const is = (positions: Readonly<Record<string, number>>): ArmState['joints'] =>
  Object.fromEntries(
    Object.entries(positions).map(([name, position]) => [
      name,
      { position, velocity: undefined, effort: undefined },
    ]),
  );
const at = (timeFromStartMs: number, positions: JointTarget['positions']): JointTarget => ({
  positions,
  timeFromStartMs,
});
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'command.refused', message: expect.stringMatching(message) });

describe('a trajectory passes', () => {
  it('within limits, whatever joints of others it names', () => {
    const points = [at(0, { j1: -2, wrist: 99 }), at(1_400, { j1: 0, wrist: 99 }), at(2_800, { j1: 2 })];
    checkTrajectory(plain, points, is({ j1: -2 }));
    checkTrajectory(plain, [], is({}));
  });

  it('that begins at once where the arm is, as near as planners tell it', () => {
    const way = [at(0, { j1: 0.509, j2: -0.991 }), at(1_000, { j1: 1, j2: 0 })];
    checkTrajectory(plain, way, is({ j1: 0.5, j2: -1 }));
  });

  it('with joints left out that are beyond their limits: they stay', () => {
    checkTrajectory(plain, [at(1_000, { j1: 1 })], is({ j1: 0, j2: 3.002 }));
  });

  it('out of a box, for a tool that is in it already', () => {
    const inside = is({ j1: 0.02, j2: 0 });
    checkTrajectory(wall, [at(2_000, { j1: 1 })], inside);
    expect(() => checkTrajectory(wall, [at(2_000, { j1: -1 })], inside)).toThrow(refused(/tool would be at/));
  });

  it('back to the start of the AR4, from wherever its joints end', () => {
    const joints = ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'joint_6'];
    const urdf = readUrdf(readFileSync(new URL('../../sim/arm/ar4.urdf', import.meta.url), 'utf8'));
    const spec = gateSpec(urdf, { ...WISHES, joints });
    for (const end of ['lower', 'upper'] as const) {
      const from = is(Object.fromEntries(spec.joints.map((limits) => [limits.name, limits[end]])));
      checkTrajectory(spec, [at(BACK_S * 1_000, START.joints)], from);
    }
  });
});

describe('a trajectory is refused', () => {
  it.each([
    ['too far', [at(0, { j1: 0 }), at(9_000, { j1: 3.1 })], /point 2: position 3.1 of j1/],
    ['too fast', [at(0, { j1: 0 }), at(500, { j1: 1 })], /point 2: velocity of j1/],
    ['in no time', [at(100, { j1: 0 }), at(100, { j1: 1 })], /velocity/],
    ['nowhere', [at(0, { j1: Number.NaN })], /point 1: position/],
    ['too fast to its first point', [at(50, { j1: 1.5 })], /point 1: velocity of j1/],
    ['at once somewhere else', [at(0, { j1: 0.02 })], /point 1: the path of j1 starts at 0.02/],
    [
      'too fast in a joint that the point between leaves out',
      [at(1_000, { j1: -1, j2: 0 }), at(1_001, { j2: 0 }), at(1_002, { j1: 1 })],
      /point 3: velocity of j1/,
    ],
  ])('%s', (_, points, message) => {
    expect(() => checkTrajectory(plain, points, is({ j1: 0, j2: 0 }))).toThrow(refused(message));
  });

  it('where a joint that it moves, or that carries the tool, is not measured', () => {
    const way = [at(1_000, { j1: 0.1 })];
    expect(() => checkTrajectory(plain, way, is({ j2: 0 }))).toThrow(refused(/position of j1 is unknown/));
    expect(() => checkTrajectory(wall, way, is({ j1: 1.5 }))).toThrow(refused(/position of j2 is unknown/));
    // Without a workspace it makes no difference where the others are.
    checkTrajectory(plain, way, is({ j1: 0 }));
  });

  const swing = is({ j1: -1.5, j2: 0 });
  it.each([
    ['on the way to its first point', [at(4_000, { j1: 1.5, j2: 0 })]],
    ['with a joint of the tool left out', [at(5_000, { j1: 0 })]],
    ['between two points', [at(1_000, { j1: -1.5, j2: 0 }), at(5_000, { j1: 1.5, j2: 0 })]],
  ])('where the tool would leave its workspace %s', (_, points) => {
    expect(() => checkTrajectory(wall, points, swing)).toThrow(refused(/the tool would be at/));
    checkTrajectory(wall, [at(1_000, { j1: -0.5 })], swing);
  });

  it.each([0.06, 0.01, 0.001])('where a box of %d m is on a way of metres', (thick) => {
    for (let turn = 0; turn < 40; turn++) {
      const y = -0.2 + turn * 0.01;
      const spec = boxed(keepOut([0.5, y, -1], [1.2, y + thick, 1]));
      expect(() => checkTrajectory(spec, [at(9_000, { j1: 1.5 })], swing)).toThrow(
        refused(/the tool would be at/),
      );
    }
  });

  it('where it is too long to be looked at, and not where it only takes long', () => {
    const spec = boxed({ kind: 'inside', min: [-2, -2, -2], max: [2, 2, 2] });
    const often = (count: number) =>
      Array.from({ length: count }, (_, i) => at((i + 1) * 4_000, { j1: i % 2 === 0 ? 2.5 : -2.5 }));
    expect(() => checkTrajectory(spec, often(1_000), swing)).toThrow(refused(/into parts/));
    expect(() => checkTrajectory(spec, [at(3_600_000, { j1: 0 })], is({ j1: 1e300, j2: 0 }))).toThrow(
      refused(/velocity|into parts/),
    );
    checkTrajectory(spec, often(50), swing);
    checkTrajectory(
      spec,
      Array.from({ length: 10_000 }, (_, i) => at(i * 100 + 1, { j1: -1.5 })),
      swing,
    );
  });
});

describe('the start of a trajectory', () => {
  const sagged = is({ j1: -0.06, j2: 0 });
  const way = [at(0, { j1: 0, j2: 0 }), at(1_000, { j1: 1 })];
  const thrown = (look: () => void) => {
    try {
      look();
    } catch (error) {
      return error as EdgeError;
    }
    throw new Error('it passed');
  };

  it('may be beside the arm by as much as gate.start_tolerance says', () => {
    const { message, hint } = thrown(() => checkTrajectory(plain, way, sagged));
    expect(message).toMatch(/point 1: the path of j1 starts at 0, which is 0.060 away/);
    expect(hint).toContain('gate.start_tolerance (0.01)');
    const loose = gateSpec(TWO, { ...WISHES, startTolerance: 0.1 });
    checkTrajectory(loose, way, sagged);
    // Of the start only: on the way a joint is as fast as it may be.
    expect(() => checkTrajectory(loose, [way[0]!, at(600, { j1: 0.95 })], sagged)).toThrow(
      refused(/point 2: velocity of j1/),
    );
    expect(() =>
      checkTrajectory(gateSpec(TWO, { ...WISHES, startTolerance: 0 }), way, is({ j1: 1e-5, j2: 0 })),
    ).toThrow(refused(/starts at 0/));
  });

  it('is no matter of tolerance where it is somewhere else, or where the way to it is too fast', () => {
    expect(thrown(() => checkTrajectory(plain, [at(0, { j1: 1 })], sagged)).hint).not.toContain('tolerance');
    expect(thrown(() => checkTrajectory(plain, [at(50, { j1: 0.2 })], sagged)).hint).not.toContain(
      'tolerance',
    );
  });

  it('is looked at for the workspace all the same', () => {
    const loose = gateSpec(TWO, {
      ...{ ...WISHES, startTolerance: 0.5 },
      boxes: [keepOut([0.5, -0.03, -1], [1.2, 0.03, 1])],
    });
    const across = [at(0, { j1: 0.1 }), at(1_000, { j1: 0.2 })];
    expect(() => checkTrajectory(loose, across, is({ j1: -0.1, j2: 0 }))).toThrow(
      refused(/tool would be at/),
    );
  });

  it('of a joint that turns without end may be told by another turn', () => {
    const endless = readUrdf(`<robot name="endless"><link name="base_link"/><link name="tool0"/>
      <joint name="j1" type="continuous"><origin xyz="1 0 0"/><parent link="base_link"/><child link="tool0"/>
        <axis xyz="0 0 1"/><limit velocity="1.5" effort="20"/></joint></robot>`);
    const spec = gateSpec(endless, { ...WISHES, joints: ['j1'] });
    const on = at(1_000, { j1: -2 });
    checkTrajectory(spec, [at(0, { j1: -3.15 }), on], is({ j1: 3.13 }));
    checkTrajectory(spec, [at(0, { j1: -3.15 }), on], is({ j1: 3.13 + 40 * Math.PI }));
    expect(() => checkTrajectory(spec, [at(0, { j1: -3.1 }), on], is({ j1: 3.13 }))).toThrow(
      refused(/starts at -3.1, which is 0.053 away/),
    );
    expect(() =>
      checkTrajectory(spec, [at(0, { j1: 3.13 }), at(100, { j1: -3.15 })], is({ j1: 3.13 })),
    ).toThrow(refused(/point 2: velocity of j1/));
    expect(() => checkTrajectory(spec, [at(0, { j1: Infinity })], is({ j1: 3.13 }))).toThrow(refused(/j1/));
    // With an end to it, tightened by the configuration, a turn is a turn.
    for (const ends of [{ lower: -4, upper: 4 }, { upper: 4 }, { lower: -4 }]) {
      const ended = gateSpec(endless, { ...WISHES, joints: ['j1'], rows: [{ name: 'j1', ...ends }] });
      expect(() => checkTrajectory(ended, [at(0, { j1: -3.15 }), on], is({ j1: 3.13 }))).toThrow(
        refused(/6.280 away/),
      );
    }
  });

  it('is a key of the configuration', () => {
    const read = (value: string) => readConfig(`[gate]\nstart_tolerance = ${value}\n`, 'robot.toml', {});
    expect(readConfig('', 'robot.toml', {}).config.gate.start_tolerance).toBe(0.01);
    expect(read('0.5').config.gate.start_tolerance).toBe(0.5);
    expect(read('0').faults).toEqual([]);
    for (const wrong of ['0.51', '-0.01', '"0.1"'])
      expect(read(wrong).faults).toMatchObject([{ key: 'gate.start_tolerance' }]);
    const limits = '[[gate.limits]]\nname = "j1"\nlower = -1\nupper = 1\nvelocity = 1\n';
    const { config } = readConfig(`[gate]\nstart_tolerance = 0.2\n${limits}`, 'robot.toml', {});
    checkTrajectory(jointGateSpec(config, ['j1'])!, [at(0, { j1: 0.15 })], is({ j1: 0 }));
  });
});

describe('the arm of the robot', () => {
  /** An arm that was on the way somewhere and rests at `rests` when the next trajectory begins. */
  function rig(now: number, rests = now, connected = true, measured?: ArmState['joints']) {
    const clock = new ManualClock();
    const bus = new FakeBus(clock);
    const context = {
      ...{ name: 'execution', clock, bus, report: () => {}, emit: async () => {} },
    } as unknown as CellContext;
    const began: (readonly JointTarget[])[] = [];
    const asked: string[] = [];
    const arm = {
      state: async () => ({ time: 1n, joints: is({ j1: now, j2: 0 }), motion: 'moving', connected }),
      ...(measured ? { measured: () => measured } : {}),
      followTrajectory: async (
        points: readonly JointTarget[],
        _signal: unknown,
        check?: (joints: ArmState['joints']) => void,
      ) => {
        asked.push('follow');
        if (!connected) throw new EdgeError('robot.unreachable', { operation: 'follow', subject: 'arm' });
        check?.(is({ j1: rests, j2: 0 }));
        began.push(points);
        return motionResult();
      },
    };
    const check = (points: readonly JointTarget[], joints: ArmState['joints']) =>
      checkTrajectory(wall, points, joints);
    new ArmService(context, arm as never, new Actuation(context, []), check).register();
    const follow = (...points: readonly JointTarget[]) =>
      bus.request('execution', METHODS.execution.armFollow, { motionId: 'm', goal: { points } });
    return { follow, began, asked };
  }

  it('ends no motion for a trajectory that cannot be from where it is', async () => {
    const { follow, asked } = rig(-1.5);
    await expect(follow(at(50, { j1: 1.5 }))).rejects.toMatchObject({ code: 'command.refused' });
    expect(asked).toEqual([]);
  });

  it('does not begin one that cannot be from where the motion before it came to rest', async () => {
    const { follow, began } = rig(-1.5, 1.5);
    await expect(follow(at(4_000, { j1: -1 }))).rejects.toMatchObject({ code: 'command.refused' });
    expect(began).toEqual([]);
    const other = rig(-1.5, -1.2);
    await other.follow(at(4_000, { j1: -1 }));
    expect(other.began).toHaveLength(1);
  });

  it('is looked at with what carries it, before it is asked', async () => {
    const clear = rig(-1.5, -1.5, true, is({ j1: -1.5, j2: 0 }));
    await clear.follow(at(4_000, { j2: 0 }));
    expect(clear.asked).toEqual(['follow']);
    const { follow, asked } = rig(-1.5, -1.5, true, is({ j2: 0 }));
    await expect(follow(at(4_000, { j2: 0 }))).rejects.toThrow(/the position of j1 is unknown/);
    expect(asked).toEqual([]);
  });

  it('that is not there says so itself', async () => {
    await expect(rig(0, 0, false).follow(at(4_000, { j1: 1 }))).rejects.toMatchObject({
      code: 'robot.unreachable',
    });
  });
});
