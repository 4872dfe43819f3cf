import type { MainModule, MjData, MjModel } from '@mujoco/mujoco';
import { EdgeError, type Pose2d, type Twist2d } from '../contract/core.ts';
import type { Arena } from './arena.ts';
import { loadEngine } from './engine.ts';
import { LIDAR, ROBOT } from './robot-model.ts';
import { GROUP_SEEN, worldXml } from './world.ts';

/** qpos and qvel: the free joint of the base, then the wheels. */
const QPOS_LEFT = 7;
const QPOS_RIGHT = 8;
const NO_BODY = -1;

/** What can be read off the world after a step. Wheel angles in radians, force in newtons. */
export type WorldState = {
  /** `base_link` in `maze`. */
  readonly pose: Pose2d;
  /** In `base_link`. */
  readonly twist: Twist2d;
  readonly leftWheel: number;
  readonly rightWheel: number;
};

/**
 * The physics: MuJoCo in this thread. Equal worlds and equal wheel speeds give equal bits. Views on the
 * engine's memory are taken anew for each call, since they detach when that memory grows.
 */
export class Physics {
  readonly #engine: MainModule;
  readonly #model: MjModel;
  readonly #data: MjData;
  readonly #hits;
  readonly #distances;
  readonly #rays: number[] = new Array<number>(LIDAR.rays * 3).fill(0);
  readonly #groups: number[];

  private constructor(engine: MainModule, model: MjModel) {
    this.#engine = engine;
    this.#model = model;
    this.#data = new engine.MjData(model);
    this.#hits = new engine.IntBuffer(LIDAR.rays);
    this.#distances = new engine.DoubleBuffer(LIDAR.rays);
    this.#groups = Array.from({ length: 6 }, (_, group) => (group === GROUP_SEEN ? 1 : 0));
    engine.mj_forward(model, this.#data);
  }

  /** Throws `sim.failed` where the engine does not take the world. */
  static async load(arena: Arena): Promise<Physics> {
    try {
      const engine = await loadEngine();
      return new Physics(engine, engine.MjModel.from_xml_string(worldXml(arena)));
    } catch (cause) {
      throw EdgeError.from(
        cause,
        'sim.failed',
        'load-world',
        `${arena.maze.width} x ${arena.maze.height} maze`,
      );
    }
  }

  /** One physics step with the wheels aiming at these speeds, radians per second. Returns the bumper's force. */
  step(left: number, right: number): number {
    const data = this.#data;
    const control = data.ctrl as Float64Array;
    control[0] = left;
    control[1] = right;
    this.#engine.mj_step(this.#model, data);
    return (data.sensordata as Float64Array)[0]!;
  }

  /** Speed of the base over the floor, metres per second. */
  speed(): number {
    const velocity = this.#data.qvel as Float64Array;
    return Math.hypot(velocity[0]!, velocity[1]!);
  }

  /** Throws `sim.failed` when the world has come apart (not finite, or the robot left the floor). */
  state(): WorldState {
    const position = this.#data.qpos as Float64Array;
    const velocity = this.#data.qvel as Float64Array;
    const [x, y, z, qw, qx, qy, qz] = position as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    if (!Number.isFinite(x + y + z) || Math.abs(z) > ROBOT.radius) {
      throw new EdgeError('sim.failed', {
        operation: 'step',
        subject: 'base_link',
        message: `the robot is at ${x}, ${y}, ${z}`,
      });
    }
    const yaw = Math.atan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz));
    return {
      pose: { x, y, yaw },
      twist: {
        linear: velocity[0]! * Math.cos(yaw) + velocity[1]! * Math.sin(yaw),
        // The base stays upright, so the turn about its own z axis is the turn in the plane.
        angular: velocity[5]!,
      },
      leftWheel: position[QPOS_LEFT]!,
      rightWheel: position[QPOS_RIGHT]!,
    };
  }

  /**
   * True distances of the lidar's rays in metres, -1 where nothing is within `LIDAR.rangeMax`; ray 0 looks along the
   * sensor's x axis, then counter-clockwise. The sensor is taken as level: a robot that nods when it brakes
   * would else see the floor.
   */
  look(pose: Pose2d): Float64Array {
    const { laser } = ROBOT;
    const [cos, sin] = [Math.cos(pose.yaw), Math.sin(pose.yaw)];
    const eye = [pose.x + laser.x * cos - laser.y * sin, pose.y + laser.x * sin + laser.y * cos, laser.z];
    const rays = this.#rays;
    for (let i = 0; i < LIDAR.rays; i++) {
      const angle = pose.yaw + laser.yaw + (i * 2 * Math.PI) / LIDAR.rays;
      rays[3 * i] = Math.cos(angle);
      rays[3 * i + 1] = Math.sin(angle);
    }
    const [hits, distances] = [this.#hits, this.#distances];
    const { rangeMax } = LIDAR;
    this.#engine.mj_multiRay(
      this.#model,
      this.#data,
      eye,
      rays,
      this.#groups,
      true,
      NO_BODY,
      hits,
      distances,
      null,
      LIDAR.rays,
      rangeMax,
    );
    return distances.GetView() as Float64Array;
  }

  close(): void {
    this.#hits.delete();
    this.#distances.delete();
    this.#data.delete();
    this.#model.delete();
  }
}
