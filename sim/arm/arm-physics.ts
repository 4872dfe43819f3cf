import type { MainModule, MjData, MjModel } from '@mujoco/mujoco';
import { EdgeError } from '../../contract/core.ts';
import { loadEngine } from '../engine.ts';
import { ARM_JOINTS, CUBE, GRIPPER } from './arm-model.ts';
import { CUBE_REST_Z, type CubePose, OTHER_CUBES, type Scene } from './arm-scene.ts';
import { armWorldXml } from './arm-world.ts';
import type { Vec3 } from './geometry.ts';
import { readShapes, type Shape } from './render/shapes.ts';

/** qpos: six joints, two jaws, then seven numbers for each cube; qvel has six of those. */
const JOINTS = ARM_JOINTS.length;
const QPOS_JAWS = JOINTS;
const QPOS_CUBES = JOINTS + 2;
const QVEL_CUBES = JOINTS + 2;
/** No cube gets there by itself: the world has come apart. */
const FAR = 50;

export type CubeState = {
  readonly position: Vec3;
  /** w, x, y, z */
  readonly orientation: readonly [number, number, number, number];
  /** Metres per second. */
  readonly speed: number;
};

/** A frame in `base_link`: its origin and its axes (row-major). */
export type FramePose = { readonly position: Vec3; readonly axes: Float64Array };

/**
 * The physics of the arm: MuJoCo in this thread. Equal scenes and equal set points give equal bits. Views on the
 * engine's memory are taken anew for each call, since they detach when that memory grows.
 */
export class ArmPhysics {
  readonly engine: MainModule;
  readonly model: MjModel;
  readonly data: MjData;
  readonly #bodies = new Map<string, number>();
  readonly #target: number;

  private constructor(engine: MainModule, model: MjModel) {
    this.engine = engine;
    this.model = model;
    this.data = new engine.MjData(model);
    this.#target = engine.mj_name2id(model, engine.mjtObj.mjOBJ_GEOM.value, 'target');
    for (const name of ['base_link', 'tool0', ...ARM_JOINTS.map(({ link }) => link)]) {
      this.#bodies.set(name, engine.mj_name2id(model, engine.mjtObj.mjOBJ_BODY.value, name));
    }
  }

  /** Throws `sim.failed` where the engine does not take the world. */
  static async load(): Promise<ArmPhysics> {
    try {
      const engine = await loadEngine();
      return new ArmPhysics(engine, engine.MjModel.from_xml_string(armWorldXml()));
    } catch (cause) {
      throw EdgeError.from(cause, 'sim.failed', 'load-world', 'arm');
    }
  }

  /** The scene, with the arm at rest at `joints` (six angles and the opening). */
  reset(scene: Scene, joints: readonly number[]): void {
    const { engine, model, data } = this;
    engine.mj_resetData(model, data);
    const position = data.qpos as Float64Array;
    for (let i = 0; i < JOINTS; i++) position[i] = joints[i]!;
    position[QPOS_JAWS] = position[QPOS_JAWS + 1] = joints[JOINTS]! / 2;
    [scene.cube, ...scene.others].forEach((cube, i) => {
      placeCube(position, QPOS_CUBES + 7 * i, cube);
    });
    const at = model.geom_pos as Float64Array;
    at[3 * this.#target] = scene.target.x;
    at[3 * this.#target + 1] = scene.target.y;
    (data.ctrl as Float64Array).set(joints.slice(0, JOINTS + 1));
    engine.mj_forward(model, data);
  }

  /** One physics step with the servos aiming at these six angles and this opening. */
  step(setPoints: ArrayLike<number>): void {
    const control = this.data.ctrl as Float64Array;
    for (let i = 0; i <= JOINTS; i++) control[i] = setPoints[i]!;
    this.engine.mj_step(this.model, this.data);
  }

  /** Six angles and the opening. Throws `sim.failed` when the world has come apart. */
  positions(): Float64Array {
    const q = this.data.qpos as Float64Array;
    const values = Float64Array.from(q.subarray(0, JOINTS + 1));
    values[JOINTS] = Math.min(GRIPPER.openingMax, Math.max(0, q[QPOS_JAWS]! + q[QPOS_JAWS + 1]!));
    if (!values.every(Number.isFinite)) {
      const message = `the joints are at ${values.join(', ')}`;
      throw new EdgeError('sim.failed', { operation: 'step', subject: 'arm', message });
    }
    return values;
  }

  velocities(): Float64Array {
    const v = this.data.qvel as Float64Array;
    const values = Float64Array.from(v.subarray(0, JOINTS + 1));
    values[JOINTS] = v[QPOS_JAWS]! + v[QPOS_JAWS + 1]!;
    return values;
  }

  /** Torques of the servos, newton metres; of the gripper newtons. */
  efforts(): Float64Array {
    return Float64Array.from((this.data.actuator_force as Float64Array).subarray(0, JOINTS + 1));
  }

  /** Cube 0 is the one that is asked for. Throws `sim.failed` where one is not in this world any more. */
  cube(index: number): CubeState {
    const q = this.data.qpos as Float64Array;
    const v = this.data.qvel as Float64Array;
    const at = QPOS_CUBES + 7 * index;
    const moving = QVEL_CUBES + 6 * index;
    const position: Vec3 = [q[at]!, q[at + 1]!, q[at + 2]!];
    if (!position.every((value) => Math.abs(value) < FAR)) {
      const message = `cube ${index} is at ${position.join(', ')}`;
      throw new EdgeError('sim.failed', { operation: 'step', subject: `cube_${index}`, message });
    }
    const speed = Math.hypot(v[moving]!, v[moving + 1]!, v[moving + 2]!);
    return { position, orientation: [q[at + 3]!, q[at + 4]!, q[at + 5]!, q[at + 6]!], speed };
  }

  get cubes(): number {
    return 1 + OTHER_CUBES;
  }

  /** A link by its name in `base_link`, as of the last step. */
  frame(link: string): FramePose {
    const body = this.#bodies.get(link);
    if (body === undefined) throw new EdgeError('internal.fault', { operation: 'frame', subject: link });
    const p = this.data.xpos as Float64Array;
    const position: Vec3 = [p[3 * body]!, p[3 * body + 1]!, p[3 * body + 2]!];
    return { position, axes: (this.data.xmat as Float64Array).slice(9 * body, 9 * body + 9) };
  }

  /** Everything that can be seen, where it is now. */
  shapes(): Shape[] {
    return readShapes(this.model, this.data);
  }

  close(): void {
    this.data.delete();
    this.model.delete();
  }
}

function placeCube(position: Float64Array, at: number, { x, y, yaw }: CubePose): void {
  position[at] = x;
  position[at + 1] = y;
  // A little above the table: resting contact comes with the first steps.
  position[at + 2] = CUBE_REST_Z + CUBE.side * 0.005;
  position[at + 3] = Math.cos(yaw / 2);
  position[at + 4] = position[at + 5] = 0;
  position[at + 6] = Math.sin(yaw / 2);
}
