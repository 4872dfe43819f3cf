import type { Nanoseconds } from '../../contract/core.ts';
import { EPOCH_NS } from '../robot-model.ts';
import { ARM_STEP_NS, ARM_WINDOW_NS, GRIPPER, HOME } from './arm-model.ts';
import { ArmPhysics, type CubeState } from './arm-physics.ts';
import { CUBE_REST_Z, makeScene, type Scene } from './arm-scene.ts';
import { ArmServo } from './arm-servo.ts';
import type { Vec3 } from './geometry.ts';

const STEPS_PER_WINDOW = Number(ARM_WINDOW_NS / ARM_STEP_NS);
/** The cubes come to rest before an episode starts, windows. */
const SETTLE_WINDOWS = 10;
/** Joints slower than this are at rest, radians or metres per second. */
const AT_REST = 0.02;

/** Tolerances of success, metres: the cube's centre over the middle of its target, at rest, the jaws away from it. */
const TARGET_TOLERANCE = 0.03;
const LYING = 0.012;
const CUBE_AT_REST = 0.02;
const LET_GO = 0.05;
const JAWS_AWAY = 0.05;
/** Height of the point between the jaws that counts as over the cube, and how near to it, metres. */
const OVER_CUBE = 0.1;
const REACH_TOLERANCE = 0.03;
/** And how slowly the arm then goes, radians or metres per second. */
const REACH_SPEED = 0.15;

/**
 * An arm at its table, without any I/O: position commands in, the state of the world out, in windows of 10 ms.
 * Equal seed and commands (each in the same window) give equal bits.
 */
export class ArmSimulation {
  readonly physics: ArmPhysics;
  #servo = new ArmServo(HOME);
  #time: Nanoseconds = EPOCH_NS;
  #scene: Scene;
  #refused = 0;

  private constructor(physics: ArmPhysics, seed: number) {
    this.physics = physics;
    this.#scene = makeScene(seed);
    this.reset(seed);
  }

  /** Throws `sim.failed`. */
  static async create(seed: number): Promise<ArmSimulation> {
    return new ArmSimulation(await ArmPhysics.load(), seed);
  }

  /** A new episode: the scene of this seed, the arm at rest at home. Time continues. */
  reset(seed: number): void {
    this.#scene = makeScene(seed);
    this.physics.reset(this.#scene, HOME);
    this.#servo = new ArmServo(HOME);
    const points = this.#servo.step(this.#time);
    for (let i = 0; i < SETTLE_WINDOWS * STEPS_PER_WINDOW; i++) this.physics.step(points);
  }

  /** Simulation time: the end of the last window. */
  get time(): Nanoseconds {
    return this.#time;
  }
  get scene(): Scene {
    return this.#scene;
  }
  get refused(): number {
    return this.#refused;
  }
  /** Six angles and the opening of the gripper. */
  get positions(): Float64Array {
    return this.physics.positions();
  }
  get cube(): CubeState {
    return this.physics.cube(0);
  }
  get atRest(): boolean {
    return this.physics.velocities().every((speed) => Math.abs(speed) < AT_REST);
  }
  /** The middle of what the jaws would hold, in `base_link`. */
  get grasp(): Vec3 {
    const { position, axes } = this.physics.frame('tool0');
    const { grasp } = GRIPPER;
    return [position[0] + axes[2]! * grasp, position[1] + axes[5]! * grasp, position[2] + axes[8]! * grasp];
  }

  /** The cube lies on its target and is not held. */
  get success(): boolean {
    const { position, speed } = this.cube;
    const [x, y, z] = position;
    const { target } = this.#scene;
    const grasp = this.grasp;
    return (
      Math.hypot(x - target.x, y - target.y) < TARGET_TOLERANCE &&
      Math.abs(z - CUBE_REST_Z) < LYING &&
      speed < CUBE_AT_REST &&
      this.positions[6]! > LET_GO &&
      Math.hypot(grasp[0] - x, grasp[1] - y, grasp[2] - z) > JAWS_AWAY
    );
  }

  /** The open jaws are over the cube, ready to go down. */
  get reached(): boolean {
    const { position } = this.cube;
    const grasp = this.grasp;
    const off = Math.hypot(grasp[0] - position[0], grasp[1] - position[1], grasp[2] - OVER_CUBE);
    const slow = this.physics.velocities().every((speed) => Math.abs(speed) < REACH_SPEED);
    return off < REACH_TOLERANCE && this.positions[6]! > LET_GO && slow;
  }

  /** Positions in the order of `ALL_NAMES`, for now and until they expire. Returns why they were refused. */
  command(positions: ArrayLike<number>): string | undefined {
    const refusal = this.#servo.command(positions, this.#time);
    if (refusal !== undefined) this.#refused++;
    return refusal;
  }

  brake(): void {
    this.#servo.brake();
  }

  /** So many windows. Throws `sim.failed`. */
  windows(count: number): void {
    for (let i = 0; i < count; i++) this.window();
  }

  /** 10 ms of physics. Throws `sim.failed`. */
  window(): void {
    for (let i = 0; i < STEPS_PER_WINDOW; i++) {
      this.physics.step(this.#servo.step(this.#time));
      this.#time += ARM_STEP_NS;
    }
  }

  close(): void {
    this.physics.close();
  }
}
