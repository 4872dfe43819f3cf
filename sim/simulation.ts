import { EdgeError, type Nanoseconds, type Pose2d, type Sample, type Twist2d } from '../contract/core.ts';
import { decodeTwist } from '../formats/cdr/index.ts';
import { Arena } from './arena.ts';
import { Bumper } from './bumper.ts';
import { Drive } from './drive.ts';
import type { HostedWorld, Referee } from './hosted-world.ts';
import { generateMaze, type MazeSize } from './maze.ts';
import * as messages from './messages.ts';
import { Physics, type WorldState } from './physics.ts';
import { Random } from './random.ts';
import { EPOCH_NS, LIDAR, STEP_NS, STEPS_PER_WINDOW, WINDOW_NS } from './robot-model.ts';
import { CMD_VEL } from './topics.ts';
import { WheelOdometry } from './wheel-odometry.ts';

const SCAN_EVERY_NS = 100_000_000n;
const EXIT_EVERY_NS = 1_000_000_000n;
const WINDOW_S = Number(WINDOW_NS) / 1e9;
/**
 * Rays of the lidar that give no range: around `centre`, by `halfWidth` to each side, radians in the frame of the
 * sensor.
 */
export type BlindSector = { readonly centre: number; readonly halfWidth: number };

/** Slower than this is at rest, metres per second. */
const AT_REST = 0.002;

/**
 * A robot in a maze, without any I/O: commands in, samples out, in windows of one control period. Equal seed,
 * size and commands (each in the same window) give equal bytes.
 */
export class Simulation implements HostedWorld {
  readonly windowNs = WINDOW_NS;
  readonly arena: Arena;
  readonly #physics: Physics;
  readonly #drive = new Drive();
  readonly #bumper = new Bumper();
  readonly #odometry: WheelOdometry;
  readonly #lidarNoise: Random;
  #time: Nanoseconds = EPOCH_NS;
  #state: WorldState;
  #exitTold: boolean | undefined;
  #refused = 0;
  #blind: BlindSector | undefined;

  private constructor(arena: Arena, physics: Physics, seed: number) {
    this.arena = arena;
    this.#physics = physics;
    this.#odometry = new WheelOdometry(new Random(seed, 'wheels'));
    this.#lidarNoise = new Random(seed, 'lidar');
    this.#state = physics.state();
    this.#odometry.update(this.#state.leftWheel, this.#state.rightWheel, WINDOW_S);
  }

  /** Throws `sim.failed`. */
  static async create(seed: number, size: MazeSize): Promise<Simulation> {
    return Simulation.inArena(seed, new Arena(generateMaze(seed, size)));
  }

  static async inArena(seed: number, arena: Arena): Promise<Simulation> {
    return new Simulation(arena, await Physics.load(arena), seed);
  }

  /** Simulation time: the end of the last window. */
  get time(): Nanoseconds {
    return this.#time;
  }
  /** Where the robot truly is, in `maze`. */
  get truth(): { readonly pose: Pose2d; readonly twist: Twist2d } {
    return this.#state;
  }
  get atRest(): boolean {
    const { linear, angular } = this.#state.twist;
    return Math.abs(linear) < AT_REST && Math.abs(angular) < AT_REST * 10;
  }
  get referee(): Referee {
    const { x, y } = this.#state.pose;
    return {
      reachedExit: this.arena.isOutside(x, y),
      collisions: this.#bumper.contacts,
      hardestCollision: this.#bumper.hardest,
      refusedCommands: this.#refused,
    };
  }

  /** A velocity command for the next window. Returns why it was refused; undefined when it was taken. */
  command(twist: Twist2d): string | undefined {
    const refusal = this.#drive.command(twist, this.#time);
    if (refusal !== undefined) this.#refused++;
    return refusal;
  }

  /** From the next scan on these rays are NaN, as of a lidar that is covered there; undefined: none are. */
  blindLidar(sector: BlindSector | undefined): void {
    this.#blind = sector;
  }

  obey(sample: Sample): string | undefined {
    if (sample.topic !== CMD_VEL.topic || sample.type !== CMD_VEL.type) {
      const message = `the robot obeys ${CMD_VEL.type} on ${CMD_VEL.topic}, not ${sample.type}`;
      throw new EdgeError('robot.not_supported', { operation: 'obey', subject: sample.topic, message });
    }
    const { linear, angular } = decodeTwist(sample.bytes);
    return this.command({ linear: linear.x, angular: angular.z });
  }

  /** The commanding client is gone. */
  brake(): void {
    this.#drive.brake();
  }

  /** Latched samples for a new reader: the mount of the lidar, and whether the exit is reached. */
  latched(): Sample[] {
    return [messages.tfStaticSample(this.#time), messages.exitSample(this.#time, this.referee.reachedExit)];
  }

  /** One control period of physics, then what the sensors say at its end. Throws `sim.failed`. */
  window(): Sample[] {
    for (let i = 0; i < STEPS_PER_WINDOW; i++) {
      const { left, right } = this.#drive.step(this.#time);
      const speed = this.#physics.speed();
      this.#bumper.step(this.#physics.step(left, right), speed);
      this.#time += STEP_NS;
    }
    this.#state = this.#physics.state();
    this.#odometry.update(this.#state.leftWheel, this.#state.rightWheel, WINDOW_S);
    return this.#sense();
  }

  close(): void {
    this.#physics.close();
  }

  #sense(): Sample[] {
    const time = this.#time;
    const { pose, twist } = this.#state;
    const elapsed = time - EPOCH_NS;
    const samples = [
      messages.clockSample(time),
      messages.tfSample(time, this.#odometry.pose),
      messages.odomSample(time, this.#odometry.pose, this.#odometry.twist),
      messages.groundTruthSample(time, pose, twist),
      messages.bumperSample(time, this.#bumper.pressed),
    ];
    if (elapsed % SCAN_EVERY_NS === 0n) samples.push(messages.scanSample(time, this.#scan()));
    const { reachedExit } = this.referee;
    if (reachedExit !== this.#exitTold || elapsed % EXIT_EVERY_NS === 0n) {
      this.#exitTold = reachedExit;
      samples.push(messages.exitSample(time, reachedExit));
      samples.push(messages.hardestContactSample(time, this.referee.hardestCollision));
    }
    return samples;
  }

  #scan(): Float32Array {
    const distances = this.#physics.look(this.#state.pose);
    const ranges = new Float32Array(LIDAR.rays);
    for (let i = 0; i < LIDAR.rays; i++) {
      const distance = distances[i]!;
      // Drawn for each ray, hit or not: what one ray sees does not change the noise of the others.
      const noise = LIDAR.noise * this.#lidarNoise.gaussian();
      if (this.#isBlind((i * 2 * Math.PI) / LIDAR.rays)) ranges[i] = Number.NaN;
      else if (distance < 0 || distance > LIDAR.rangeMax) ranges[i] = Infinity;
      else ranges[i] = Math.min(LIDAR.rangeMax, Math.max(LIDAR.rangeMin, distance + noise));
    }
    return ranges;
  }

  #isBlind(angle: number): boolean {
    if (!this.#blind) return false;
    const { centre, halfWidth } = this.#blind;
    const off = angle - centre;
    return Math.abs(Math.atan2(Math.sin(off), Math.cos(off))) <= halfWidth;
  }
}
