import { EdgeError, LIMITS, type Nanoseconds, type Sample } from '../../contract/core.ts';
import { CdrReader, decodeFloat64MultiArray, decodeJointTrajectory } from '../../formats/cdr/index.ts';
import type { HostedWorld, Referee } from '../hosted-world.ts';
import type { Pace, RobotDescription } from '../protocol.ts';
import { EPOCH_NS } from '../robot-model.ts';
import { armSamples, cameraSample, cubesSample, refereeSamples } from './arm-messages.ts';
import { ARM_WINDOW_NS, CAMERAS } from './arm-model.ts';
import { sceneSeed } from './arm-scene.ts';
import { ArmSimulation } from './arm-simulation.ts';
import { ARM_COMMAND, ARM_TOPICS, ARM_TRAJECTORY, CAMERA_TOPICS, TASK_RESET } from './arm-topics.ts';
import { type JointPath, jointPath } from './joint-path.ts';
import { ArmCameras } from './render/arm-cameras.ts';

const CUBES_EVERY_NS = 100_000_000n;
const REFEREE_EVERY_NS = 1_000_000_000n;

/** From the time of the last point of a trajectory to its being reached, milliseconds. */
const ARRIVE_MS = 1_000;
const OBEYED = [ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET];

type Following = { readonly joints: JointPath; readonly begun: Nanoseconds };

export type HostedArmOptions = {
  readonly seed: number;
  /** Images per second of simulation of each camera; 0: none. */
  readonly cameraHz: number;
};

/** The arm at its table as a world that the host process serves: commands and resets in, samples out. */
export class HostedArm implements HostedWorld {
  readonly windowNs = ARM_WINDOW_NS;
  readonly simulation: ArmSimulation;
  readonly #options: HostedArmOptions;
  readonly #cameras = new ArmCameras();
  #pictures = 0;
  #told = '';
  #episode = 0;
  /** The current trajectory. */
  #path: Following | undefined;

  private constructor(simulation: ArmSimulation, options: HostedArmOptions) {
    this.simulation = simulation;
    this.#options = options;
  }

  /** Starts with start 0 of the family `seed`. Throws `sim.failed`. */
  static async create(options: HostedArmOptions): Promise<HostedArm> {
    return new HostedArm(await ArmSimulation.create(sceneSeed('training', options.seed, 0)), options);
  }

  get time(): Nanoseconds {
    return this.simulation.time;
  }
  get atRest(): boolean {
    return this.simulation.atRest;
  }
  get referee(): Referee {
    const { success, refused } = this.simulation;
    return { reachedExit: success, collisions: 0, hardestCollision: 0, refusedCommands: refused };
  }

  obey(sample: Sample): string | undefined {
    const { topic, type, bytes } = sample;
    if (topic === ARM_TRAJECTORY.topic && type === ARM_TRAJECTORY.type) return this.#follow(bytes);
    if (topic === ARM_COMMAND.topic && type === ARM_COMMAND.type) {
      this.#path = undefined;
      return this.simulation.command(decodeFloat64MultiArray(bytes));
    }
    if (topic === TASK_RESET.topic && type === TASK_RESET.type) {
      const seed = new CdrReader(bytes, type).uint32();
      this.#episode++;
      this.#path = undefined;
      this.simulation.reset(seed === 0 ? sceneSeed('training', this.#options.seed, this.#episode) : seed);
      return undefined;
    }
    const message = `the arm obeys ${OBEYED.map((spec) => `${spec.type} on ${spec.topic}`).join(', ')}`;
    throw new EdgeError('robot.not_supported', { operation: 'obey', subject: topic, message });
  }

  brake(): void {
    this.#path = undefined;
    this.simulation.brake();
  }

  latched(): Sample[] {
    return refereeSamples(this.simulation);
  }

  window(): Sample[] {
    const { simulation } = this;
    if (this.#path) this.#advance(this.#path);
    simulation.window();
    const elapsed = simulation.time - EPOCH_NS;
    const samples = armSamples(simulation);
    if (elapsed % CUBES_EVERY_NS === 0n) samples.push(cubesSample(simulation));
    const word = `${simulation.success} ${simulation.reached}`;
    if (word !== this.#told || elapsed % REFEREE_EVERY_NS === 0n) {
      this.#told = word;
      samples.push(...refereeSamples(simulation));
    }
    // The image of a window is the first one at or after its time: 30 Hz on a grid of 10 ms, on average exact.
    const due = Math.floor((Number(elapsed) / 1e9) * this.#options.cameraHz + 1e-9);
    if (due > this.#pictures) samples.push(...this.#look());
    this.#pictures = due;
    return samples;
  }

  close(): void {
    this.simulation.close();
  }

  /** A trajectory that is refused pre-empts nothing. */
  #follow(bytes: Uint8Array): string | undefined {
    const { points } = decodeJointTrajectory(bytes);
    try {
      this.#path = { joints: jointPath(points, this.simulation.positions), begun: this.time };
      return undefined;
    } catch (error) {
      return EdgeError.from(error, 'schema.invalid', 'obey', ARM_TRAJECTORY.topic).message;
    }
  }

  /** After the end the last point is commanded a little longer, since drives lag. */
  #advance({ joints, begun }: Following): void {
    const elapsedMs = Number(this.time - begun) / 1e6;
    this.simulation.command(joints.at(elapsedMs));
    if (elapsedMs > joints.lengthMs + ARRIVE_MS) this.#path = undefined;
  }

  #look(): Sample[] {
    const { physics, time } = this.simulation;
    return this.#cameras.all(physics).map(({ camera, frame }) => cameraSample(camera, time, frame.rgb));
  }
}

/** What the arm says about itself when somebody connects. */
export function describeArm(
  instance: string,
  { seed, cameraHz }: HostedArmOptions,
  pace: Pace,
): RobotDescription {
  const cameras = cameraHz > 0 ? CAMERAS.map(({ name }) => CAMERA_TOPICS[name]!) : [];
  return {
    robot: 'ar4-sim',
    instance,
    seed,
    pace,
    commandExpiryMs: LIMITS.COMMAND_EXPIRY_MS,
    windowMs: Number(ARM_WINDOW_NS) / 1e6,
    publishes: Object.fromEntries(
      [...Object.values(ARM_TOPICS), ...cameras].map(({ topic, type }) => [topic, type]),
    ),
    obeys: Object.fromEntries(OBEYED.map(({ topic, type }) => [topic, type])),
  };
}
