import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { expertChain, simWorld } from '../../daemon/compose/flywheel/sim-world.ts';
import {
  CdrWriter,
  decodeImage,
  decodeJointState,
  encodeFloat64MultiArray,
  writeHeader,
} from '../../formats/cdr/index.ts';
import { ALL_NAMES, ARM_JOINTS, CAMERAS, GRIPPER, HOME, JOINT_SPEED_MAX } from '../../sim/arm/arm-model.ts';
import { makeScene, sceneSeed } from '../../sim/arm/arm-scene.ts';
import { ArmServo } from '../../sim/arm/arm-servo.ts';
import { ArmSimulation } from '../../sim/arm/arm-simulation.ts';
import { ARM_COMMAND, ARM_TRAJECTORY } from '../../sim/arm/arm-topics.ts';
import { HostedArm } from '../../sim/arm/hosted-arm.ts';
import { viewOf } from '../../sim/arm/render/arm-cameras.ts';
import { optics, Rasterizer } from '../../sim/arm/render/rasterizer.ts';
import { EPOCH_NS } from '../../sim/robot-model.ts';
import { armUrdf } from '../support/arm-urdf.ts';
import { forward, inverseDown } from '../support/shipped-apps.ts';

const simulation = await ArmSimulation.create(7);
afterAll(() => simulation.close());

function hold(positions: readonly number[], windows: number): void {
  for (let i = 0; i < windows; i++) {
    simulation.command(positions);
    simulation.window();
  }
}

describe('the arm', () => {
  it('has one geometry: physics, kinematics of the expert, and the URDF beside it', () => {
    const path = join(import.meta.dirname, '..', '..', 'sim', 'arm', 'ar4.urdf');
    expect(readFileSync(path, 'utf8')).toBe(armUrdf());
    const chain = { joints: ARM_JOINTS, tip: GRIPPER.grasp };
    simulation.reset(1);
    for (const pose of [HOME, [0.5, 0.4, -0.3, 0.6, 0.8, -1, 0.03], [-0.8, 0.2, 0.3, -0.4, 1, 2, 0.07]]) {
      hold(pose, 400);
      const { position } = forward(chain, simulation.positions);
      simulation.grasp.forEach((value, i) => {
        expect(value).toBeCloseTo(position[i]!, 6);
      });
      // Geared steppers: no droop.
      simulation.positions.slice(0, 6).forEach((value, i) => {
        expect(value).toBeCloseTo(pose[i]!, 3);
      });
    }
  });

  it('stays where it is without commands, and takes none that is no number', () => {
    simulation.reset(1);
    const refused = simulation.refused;
    expect(simulation.command([...HOME.slice(0, 6), Number.NaN])).toContain('gripper');
    expect(simulation.command([0, 0])).toContain('2 positions');
    expect(simulation.refused).toBe(refused + 2);
    for (let i = 0; i < 100; i++) simulation.window();
    simulation.positions.forEach((value, i) => {
      expect(value).toBeCloseTo(HOME[i]!, 3);
    });
  });

  it("holds within its drives' braking way when commands end", () => {
    simulation.reset(1);
    const goal = [1.5, ...HOME.slice(1)];
    hold(goal, 50);
    const before = simulation.positions[0]!;
    expect(before).toBeGreaterThan(0.1);
    // 300 ms until the command is stale, then braking.
    for (let i = 0; i < 30; i++) simulation.window();
    const stale = simulation.positions[0]!;
    for (let i = 0; i < 200; i++) simulation.window();
    expect(simulation.atRest).toBe(true);
    expect(simulation.positions[0]!).toBeLessThan(stale + 0.2);
    expect(simulation.positions[0]!).toBeLessThan(1.2);
  });

  it('gives equal bits for equal seeds and commands', () => {
    const once = () => {
      simulation.reset(5);
      const world = simWorld(simulation, 'pick_place');
      for (let i = 0; i < 60; i++) {
        world.command(world.expert.next(world.view()).action);
        world.step();
      }
      return [...simulation.positions, ...simulation.cube.position];
    };
    expect(once()).toEqual(once());
  });
});

describe('its drives', () => {
  it('never move faster than they may, whatever is commanded (property)', () => {
    const position = fc.double({ min: -10, max: 10, noNaN: true });
    const commands = fc.array(
      fc.tuple(fc.array(position, { minLength: 7, maxLength: 7 }), fc.integer({ min: 1, max: 60 })),
    );
    // Joint 5 is fast just before its end.
    const wrist = (goal: number, steps: number): [number[], number] => [[0, 0, 0, 0, goal, 0, 0], steps];
    const swings = [wrist(1.5610584242991312, 44), wrist(0, 6), wrist(1.585624741147132, 4), wrist(0, 7)];
    const beyond = [...swings, wrist(1.8299713700706546, 40), wrist(0, 34)];
    fc.assert(
      fc.property(commands, (list) => {
        const servo = new ArmServo(HOME);
        let now = EPOCH_NS;
        let last = [...HOME];
        for (const [goal, steps] of list) {
          servo.command(goal, now);
          for (let i = 0; i < steps; i++) {
            const points = servo.step(now);
            now += 5_000_000n;
            points.forEach((value, j) => {
              const speed = j < 6 ? JOINT_SPEED_MAX : GRIPPER.speedMax;
              expect(Math.abs(value - last[j]!)).toBeLessThanOrEqual(speed * 0.005 + 1e-9);
              if (j < 6) {
                expect(value).toBeGreaterThanOrEqual(ARM_JOINTS[j]!.lower - 1e-9);
                expect(value).toBeLessThanOrEqual(ARM_JOINTS[j]!.upper + 1e-9);
              }
            });
            last = [...points];
          }
        }
      }),
      { examples: [[beyond]] },
    );
  });
});

describe('starts', () => {
  it('of training and those held out have no seed in common (property)', () => {
    const index = fc.integer({ min: 0, max: 2 ** 31 - 1 });
    const family = fc.integer({ min: 0, max: 65_535 });
    fc.assert(
      fc.property(family, index, family, index, (f, i, g, j) => {
        expect(sceneSeed('training', f, i)).not.toBe(sceneSeed('held_out', g, j));
      }),
    );
  });

  it('lie where the arm reaches, the target apart from the cube', () => {
    const chain = expertChain();
    for (let i = 0; i < 200; i++) {
      const { cube, target } = makeScene(sceneSeed('held_out', 3, i));
      expect(Math.hypot(cube.x - target.x, cube.y - target.y)).toBeGreaterThanOrEqual(0.12);
      for (const { x, y } of [cube, target]) {
        for (const z of [0.02, 0.12]) expect(inverseDown(chain, [x, y, z], Math.PI, HOME)).toBeDefined();
      }
    }
  });

  it('are solved by the expert, every one of 20', () => {
    const world = simWorld(simulation, 'pick_place');
    const failed = Array.from({ length: 20 }, (_, i) => sceneSeed('training', 9, i)).filter((seed) => {
      world.reset(seed);
      for (let i = 0; i < 200 && !world.success(); i++) {
        world.command(world.expert.next(world.view()).action);
        world.step();
      }
      return !world.success();
    });
    expect(failed).toEqual([]);
  });
});

/** Groups of bodies that are drawn: all but the ground below the floor, which has no end. */
const DRAWN = [1, 1, 1, 1, 1, 0];

describe('its cameras', () => {
  it('see what rays of the engine hit, as far away as they hit it', () => {
    simulation.reset(3);
    const { physics } = simulation;
    const { engine, model, data } = physics;
    const hits = new engine.IntBuffer(1);
    const distances = new engine.DoubleBuffer(1);
    let compared = 0;
    let same = 0;
    for (const camera of CAMERAS) {
      const view = viewOf(camera, physics);
      const { depth } = new Rasterizer(view.width, view.height).render(physics.shapes(), view);
      const { axes, focal } = optics(view);
      for (let y = 4; y < view.height; y += 12) {
        for (let x = 4; x < view.width; x += 12) {
          const [u, v] = [(x + 0.5 - view.width / 2) / focal, (y + 0.5 - view.height / 2) / focal];
          const ray = [0, 1, 2].map((k) => u * axes[k]! + v * axes[3 + k]! + axes[6 + k]!);
          const length = Math.hypot(...ray);
          const unit = ray.map((value) => value / length);
          engine.mj_multiRay(
            model,
            data,
            [...view.position],
            unit,
            DRAWN,
            true,
            -1,
            hits,
            distances,
            null,
            1,
            1e3,
          );
          const distance = (distances.GetView() as Float64Array)[0]!;
          const expected = distance < 0 ? 0 : distance / length;
          compared++;
          // Round bodies have flat sides here, and edges fall between pixels.
          if (Math.abs(depth[y * view.width + x]! - expected) < 0.004 + 0.01 * expected) same++;
        }
      }
    }
    hits.delete();
    distances.delete();
    expect(compared).toBeGreaterThan(900);
    expect(same / compared).toBeGreaterThan(0.97);
  });
});

describe('the arm as a host serves it', () => {
  it('tells joints at 100 Hz, pictures at 30 Hz, and obeys positions', async () => {
    const arm = await HostedArm.create({ seed: 1, cameraHz: 30 });
    const counts = new Map<string, number>();
    const goal = [0.3, ...HOME.slice(1)];
    const bytes = encodeFloat64MultiArray(Float64Array.from(goal));
    let last = arm.latched();
    for (let i = 0; i < 100; i++) {
      const { topic, type } = ARM_COMMAND;
      expect(arm.obey({ topic, type, bytes, stamp: arm.time, received: arm.time })).toBeUndefined();
      last = arm.window();
      for (const { topic } of last) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
    expect(counts.get('/joint_states')).toBe(100);
    expect(counts.get('/camera/front/image_raw')).toBe(30);
    expect(counts.get('/camera/wrist/image_raw')).toBe(30);
    const joints = decodeJointState(last.find(({ topic }) => topic === '/joint_states')!.bytes);
    expect(joints.name).toEqual(ALL_NAMES);
    expect(joints.position[0]).toBeCloseTo(0.3, 2);
    const picture = decodeImage(last.find(({ topic }) => topic === '/camera/wrist/image_raw')!.bytes);
    expect(picture).toMatchObject({ width: 320, height: 240, encoding: 'rgb8', step: 960 });
    expect(new Set(picture.data).size).toBeGreaterThan(10);
    const odd = { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', bytes, stamp: 0n, received: 0n };
    expect(() => arm.obey(odd)).toThrow(expect.objectContaining({ code: 'robot.not_supported' }));
    arm.close();
  });

  it('follows a JointTrajectory, refuses one beyond its limits, and drops one for a newer command', async () => {
    const arm = await HostedArm.create({ seed: 1, cameraHz: 0 });
    const send = (names: string[], points: { at: number[]; ms: number }[]) => {
      const writer = new CdrWriter(256);
      writeHeader(writer, { stamp: 0n, frame_id: '' });
      writer.uint32(names.length);
      for (const name of names) writer.string(name);
      writer.uint32(points.length);
      for (const { at, ms } of points) {
        for (const list of [at, [], [], []]) writer.sequence(Float64Array.from(list));
        writer.int32(Math.floor(ms / 1_000));
        writer.uint32((ms % 1_000) * 1e6);
      }
      const { topic, type } = ARM_TRAJECTORY;
      return arm.obey({ topic, type, bytes: writer.finish(), stamp: 0n, received: 0n });
    };
    const pass = (windows: number) => {
      for (let i = 0; i < windows; i++) arm.window();
    };
    expect(
      send(
        ['joint_1', 'gripper'],
        [
          { at: [0.2, 0.05], ms: 500 },
          { at: [0.4, 0.03], ms: 1_000 },
        ],
      ),
    ).toBeUndefined();
    pass(200);
    expect(arm.simulation.positions[0]).toBeCloseTo(0.4, 2);
    expect(arm.simulation.positions[6]).toBeCloseTo(0.03, 2);
    expect(send(['joint_3'], [{ at: [2], ms: 500 }])).toContain('joint_3');
    expect(send(['elbow'], [{ at: [0], ms: 500 }])).toContain('elbow');
    expect(send(['joint_1', 'joint_2'], [{ at: [0.1], ms: 500 }])).toContain('joint_2');
    expect(send(['joint_1'], [{ at: [-1], ms: 20_000 }])).toBeUndefined();
    pass(50);
    const bytes = encodeFloat64MultiArray(Float64Array.from([0.4, ...HOME.slice(1)]));
    const { topic, type } = ARM_COMMAND;
    for (let i = 0; i < 100; i++) {
      arm.obey({ topic, type, bytes, stamp: 0n, received: 0n });
      arm.window();
    }
    expect(arm.simulation.positions[0]).toBeCloseTo(0.4, 2);
    arm.close();
  });
});
