import { describe, expect, it } from 'vitest';
import { LIMITS, type NewEvent, type Sample } from '../../contract/index.ts';
import { readConfig } from '../../daemon/config.ts';
import { ArmJog } from '../../daemon/execution/safety/arm-jog.ts';
import { GateReceipts } from '../../daemon/execution/safety/gate-receipts.ts';
import { type GateWishes, gateSpec } from '../../daemon/execution/safety/index.ts';
import { decodeFloat64MultiArray, encodeJointState, JOINT_STATE } from '../../formats/cdr/index.ts';
import { readUrdf } from '../../formats/urdf/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const URDF = readUrdf(`<robot name="two">
  <link name="base_link"/><link name="a"/><link name="tool0"/><link name="f"/>
  <joint name="joint_1" type="revolute"><parent link="base_link"/><child link="a"/><axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" velocity="1.5" effort="20"/></joint>
  <joint name="joint_2" type="continuous"><parent link="a"/><child link="tool0"/></joint>
  <joint name="joint_3" type="revolute"><parent link="tool0"/><child link="f"/>
    <limit lower="0" upper="1" velocity="1" effort="0"/><mimic joint="joint_1"/></joint>
</robot>`);
const WISHES: GateWishes = {
  ...{
    joints: ['joint_1'],
    base: 'base_link',
    tool: 'tool0',
    mode: 'clamp',
    rateMax: 1_000,
    gapSeconds: 0.5,
  },
  ...{ rows: [], boxes: [] },
};

describe('limits of joints', () => {
  it('are those of the URDF, and only tightened by the configuration', () => {
    expect(gateSpec(URDF, WISHES).joints).toEqual([
      { name: 'joint_1', lower: -2, upper: 2, velocity: 1.5, acceleration: 7.5, jerk: 150, effort: 20 },
    ]);
    const row = { name: 'joint_1', lower: -1, velocity: 1, acceleration: 3, jerk: 30, effort: 5 };
    expect(gateSpec(URDF, { ...WISHES, rows: [row] }).joints).toEqual([{ ...row, upper: 2 }]);
    const plain = { name: 'x', lower: 0, upper: 1, velocity: 2 };
    expect(gateSpec(undefined, { ...WISHES, joints: ['x'], rows: [plain] }).joints[0]).toMatchObject(plain);
  });

  it.each([
    ['looser', { rows: [{ name: 'joint_1', upper: 2.1 }] }, /upper 2.1 is looser than 2/],
    ['faster', { rows: [{ name: 'joint_1', velocity: 2 }] }, /velocity 2 is looser/],
    ['stronger', { rows: [{ name: 'joint_1', effort: 21 }] }, /effort 21 is looser/],
    ['of nobody', { rows: [{ name: 'joint_9', upper: 1 }] }, /unknown joint joint_9/],
    ['for nobody', { joints: ['joint_9'] }, /unknown joint joint_9/],
    [
      'of one that knows no velocity',
      { joints: ['joint_2'] },
      /joint_2 has no lower|joint_2 has no velocity/,
    ],
    ['of one that follows another', { joints: ['joint_3'] }, /mimics joint_1/],
    ['crossed', { rows: [{ name: 'joint_1', lower: 1, upper: 0 }] }, /lower is above upper/],
  ])('are refused when they are %s', (_, more, message) => {
    expect(() => gateSpec(URDF, { ...WISHES, ...more })).toThrow(
      expect.objectContaining({ code: 'config.invalid', message: expect.stringMatching(message) }),
    );
  });

  it('are told by line where the configuration is wrong', () => {
    const { config, faults } = readConfig(
      '[gate]\nmode = "clamp"\n[[gate.limits]]\nname = "joint_1"\njerk = 0\n[[gate.boxes]]\nkind = "inside"\nmin = [0, 0, 0]\nmax = [1, 1]\n',
      'robot.toml',
      {},
    );
    expect(faults.map(({ key, expected }) => `${key}: ${expected}`)).toEqual([
      'gate.limits: jerk = a positive number (entry 1)',
      'gate.boxes: min and max = [x, y, z] in metres (entry 1)',
    ]);
    expect(config.estop).toEqual({ ros_topic: '/emergency_stop', zenoh: true, release_role: 'operator' });
  });
});

describe('receipts of the gate', () => {
  it('are one event per reason and second, with the count and the last of them', () => {
    const clock = new ManualClock();
    const events: NewEvent[] = [];
    const receipts = new GateReceipts({
      clock,
      source: 'arm',
      periodMs: 1_000,
      note: (event) => void events.push(event),
    });
    for (let i = 0; i < 1_500; i++) {
      receipts.add([i, Number.NaN], {
        ...{
          applied: Float64Array.of(0.5, 0),
          verdict: 'limited',
          reason: i % 2 ? 'velocity of a' : 'jerk of b',
        },
        joint: 0,
      });
      receipts.add([0], { ...{ applied: Float64Array.of(0), verdict: 'passed', reason: '' }, joint: -1 });
      clock.skip(2);
    }
    receipts.flush();
    expect(events.length).toBeLessThanOrEqual(8);
    const counts = events.map(({ payload }) => (payload as { count: number }).count);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_500);
    const last = events.find(({ payload }) => (payload as { asked: number[] }).asked[0] === 1_499);
    expect(last).toMatchObject({
      kind: 'gate.limited',
      payload: { source: 'arm', verdict: 'limited', asked: [1_499, 0], applied: [0.5, 0] },
    });
  });
});

describe('joints under a person’s hand', () => {
  const spec = gateSpec(undefined, {
    ...WISHES,
    joints: ['joint_1', 'gripper'],
    rows: [
      { name: 'joint_1', lower: -2, upper: 2, velocity: 1, acceleration: 5, jerk: 50 },
      { name: 'gripper', lower: 0, upper: 0.07, velocity: 0.1 },
    ],
  });

  function rig() {
    const clock = new ManualClock();
    const sent: number[][] = [];
    /** For how long each of them counts, milliseconds. */
    const lasts: number[] = [];
    const state = { moves: true };
    const jog = new ArmJog({
      ...{ clock, spec, states: '/joint_states', commands: '/commands', note: () => {} },
      mayMove: () => state.moves,
      send: ({ bytes, expiresAtMs = Infinity }) => {
        sent.push([...decodeFloat64MultiArray(bytes)]);
        lasts.push(expiresAtMs - clock.monotonicMs());
        return true;
      },
    });
    const measure = (position: readonly number[]): void => {
      const bytes = encodeJointState({
        ...{ header: { stamp: 1n, frame_id: '' }, name: ['gripper', 'joint_1'] },
        ...{
          position: Float64Array.from(position),
          velocity: new Float64Array(0),
          effort: new Float64Array(0),
        },
      });
      const sample: Sample = { topic: '/joint_states', type: JOINT_STATE, stamp: 1n, received: 1n, bytes };
      jog.observe(sample);
    };
    /** The arm is measured where it was told to go. */
    const hold = async (joints: Readonly<Record<string, number>>, seconds: number) => {
      for (let t = 0; t < seconds; t += 0.1) {
        const [joint, gripper] = sent.at(-1) ?? [];
        if (joint !== undefined) measure([gripper!, joint]);
        jog.jog(joints, 3, clock.monotonicMs());
        await clock.advance(100);
      }
    };
    return { clock, sent, lasts, state, jog, measure, hold };
  }

  it('move from where they are, no faster than they may, and rest when nobody speaks', async () => {
    const { sent, jog, measure, hold, clock } = rig();
    measure([0.03, 0.5]);
    await hold({ joint_1: 9 }, 1);
    expect(sent[0]![0]).toBeCloseTo(0.5, 2);
    for (const [i, [joint, gripper]] of sent.entries()) {
      expect(gripper).toBeCloseTo(0.03, 9);
      if (i > 0) expect(joint! - sent[i - 1]![0]!).toBeLessThanOrEqual(1 * 0.02 + 1e-9);
    }
    expect(jog.isMoving()).toBe(true);
    await clock.advance(2_000);
    expect(jog.isMoving()).toBe(false);
    expect(sent.at(-1)![0]).toBeLessThan(2);
    const rests = sent.length;
    await clock.advance(1_000);
    expect(sent).toHaveLength(rests);
  });

  it('rest when nobody measures them any more, whatever the hand says', async () => {
    const { sent, jog, measure, hold, clock } = rig();
    measure([0.03, 0.5]);
    await hold({ joint_1: 9 }, 0.3);
    const blindMs = clock.monotonicMs();
    let lastMs = blindMs;
    for (let at = sent.at(-1)![0]!; clock.monotonicMs() < blindMs + 3_000; ) {
      jog.jog({ joint_1: 9 }, 3, clock.monotonicMs());
      await clock.advance(20);
      if (Math.abs(sent.at(-1)![0]! - at) > 1e-9) lastMs = clock.monotonicMs();
      at = sent.at(-1)![0]!;
    }
    // 500 ms that joint states count, and the way to rest.
    expect(lastMs - blindMs).toBeLessThan(1_000);
  });

  it.each([400, 1_500, 60_000])(
    'do not go on by the speed that they had before this cell was frozen for %i ms',
    async (ms) => {
      const { sent, jog, measure, hold, clock } = rig();
      measure([0.03, 0.5]);
      await hold({ joint_1: 9 }, 0.5);
      const before = sent.at(-1)!;
      clock.skip(ms);
      const from = sent.length;
      await clock.advance(1_000);
      for (const after of sent.slice(from)) expect(after).toEqual(before);
      expect(jog.isMoving()).toBe(false);
    },
  );

  it('are commanded for as long as a command counts', async () => {
    const { lasts, measure, hold } = rig();
    measure([0.03, 0.5]);
    await hold({ joint_1: 1 }, 0.3);
    expect(new Set(lasts)).toEqual(new Set([LIMITS.COMMAND_EXPIRY_MS]));
  });

  it('say of a stop that it was not confirmed where nobody measures the joints any more', async () => {
    const { jog, measure, hold, clock } = rig();
    measure([0.03, 0.5]);
    await hold({ joint_1: 1 }, 0.3);
    const refused = expect(jog.stop()).rejects.toMatchObject({
      code: 'robot.unreachable',
      message: 'standing still was not confirmed within 3000 ms',
    });
    await clock.advance(4_000);
    await refused;
  });

  it('come to rest when the lease is gone and at a stop, and do not move where nobody measures', async () => {
    const { sent, state, jog, measure, hold, clock } = rig();
    await hold({ joint_1: 1 }, 0.3);
    expect(sent).toEqual([]);
    measure([0.03, 0.5]);
    await clock.advance(1_000);
    measure([0.03, 0.5]);
    await hold({ joint_1: 1 }, 0.3);
    expect(sent.length).toBeGreaterThan(5);
    state.moves = false;
    let answer = '';
    jog.stop().then(
      () => (answer = 'stands'),
      () => (answer = 'not confirmed'),
    );
    const swing = async (ms: number, by: number) => {
      for (let i = 0; i < ms; i += 20) {
        measure([0.03, 0.5 + (i % 40 === 0 ? by : 0)]);
        await clock.advance(20);
      }
    };
    await swing(800, 0.02);
    expect(jog.isMoving()).toBe(false);
    expect(sent.at(-1)![0]).toBeLessThan(1);
    // The commands are at rest, the arm still swings.
    expect(answer).toBe('');
    await swing(500, 0);
    expect(answer).toBe('stands');
    expect(() => jog.jog({ elbow: 1 }, 3, clock.monotonicMs())).toThrow(
      expect.objectContaining({ code: 'command.refused' }),
    );
  });
});

describe('joints that are let go of one by one', () => {
  const joint = { lower: -3, upper: 3, velocity: 1, acceleration: 5, jerk: 50 };

  /** Two joints that are where the last command said, and how their commands went on. */
  function hands(mode: 'clamp' | 'refuse') {
    const clock = new ManualClock();
    const rows = [
      { name: 'j1', ...joint },
      { name: 'j2', ...joint },
    ];
    const sent: [number, number][] = [[0, 0]];
    const state = { moves: true };
    const jog = new ArmJog({
      ...{ clock, spec: gateSpec(undefined, { ...WISHES, mode, joints: ['j1', 'j2'], rows }) },
      ...{ states: '/joint_states', commands: '/commands', note: () => {} },
      mayMove: () => state.moves,
      send: ({ bytes }) => {
        const [first = 0, second = 0] = decodeFloat64MultiArray(bytes);
        return sent.push([first, second]) > 0;
      },
    });
    const none = new Float64Array(0);
    const measure = () => {
      const bytes = encodeJointState({
        ...{ header: { stamp: 1n, frame_id: '' }, name: ['j1', 'j2'] },
        ...{ position: Float64Array.from(sent.at(-1)!), velocity: none, effort: none },
      });
      jog.observe({ topic: '/joint_states', type: JOINT_STATE, stamp: 1n, received: 1n, bytes });
    };
    /** Commands so many steps of 20 ms long what `of` says of the joints where they are. */
    const push = async (steps: number, of: (at: [number, number]) => Readonly<Record<string, number>>) => {
      for (let i = 0; i < steps; i++) {
        measure();
        jog.jog(of(sent.at(-1)!), 1, clock.monotonicMs());
        await clock.advance(20);
      }
    };
    return { clock, sent, state, jog, measure, push };
  }

  it.each([
    ['clamp', 2.5],
    ['refuse', 0.15],
  ] as const)('rest while another one goes on as if nothing had happened: %s', async (mode, ahead) => {
    const { sent, push } = hands(mode);
    await push(40, ([j1, j2]) => ({ j1: j1 + ahead, j2: j2 - 0.15 }));
    const [letGo] = sent.at(-1)!;
    const from = sent.length;
    await push(60, ([, j2]) => ({ j2: j2 - 0.15 }));
    const [rests] = sent.at(-1)!;
    expect(rests - letGo).toBeGreaterThan(0);
    // The 300 ms that its last command counts, and the way that it takes to stop.
    expect(rests - letGo).toBeLessThan(0.3 + 0.2);
    for (let i = from; i < sent.length; i++) {
      expect(sent[i]![1] - sent[i - 1]![1]).toBeLessThan(-0.01);
      // The quickest way to rest does not turn back.
      if (mode === 'clamp') expect(sent[i]![0]).toBeGreaterThanOrEqual(sent[i - 1]![0]);
    }
    await push(10, ([, j2]) => ({ j2: j2 - 0.15 }));
    expect(sent.at(-1)![0]).toBe(rests);
  });

  it('do not go on to where they were sent before everything was let go of', async () => {
    const { sent, push, clock } = hands('clamp');
    await push(25, () => ({ j1: 2.5 }));
    // Long enough that a stop begins, too short for it to end.
    await clock.advance(340);
    const [stops] = sent.at(-1)!;
    await push(100, () => ({ j2: 0.1 }));
    expect(sent.at(-1)![0] - stops).toBeLessThan(0.2);
    expect(sent.at(-1)![1]).toBeCloseTo(0.1, 3);
  });

  it('nor where the lease was gone for a moment', async () => {
    const { sent, state, push } = hands('clamp');
    await push(25, () => ({ j1: 2.5 }));
    const [lost] = sent.at(-1)!;
    state.moves = false;
    await push(1, () => ({ j2: 0.1 }));
    state.moves = true;
    await push(100, () => ({ j2: 0.1 }));
    expect(sent.at(-1)![0] - lost).toBeLessThan(0.25);
    expect(sent.at(-1)![1]).toBeCloseTo(0.1, 3);
  });
});
