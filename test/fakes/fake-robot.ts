import type {
  Maneuver,
  MapSnapshot,
  MotionResult,
  NavigateGoal,
  Pose2d,
  Robot,
  RobotState,
} from '../../contract/index.ts';
import { GridWorld, RESOLUTION, seeded } from './grid-world.ts';

export type FakeRobotOptions = {
  readonly seed: number;
  /** Maze cells along each side. */
  readonly cells: number;
  /** Share of drives that end as `stuck` on the way, drawn from the seed. */
  readonly stuckShare: number;
  /** Gives others a turn between two ticks; microtasks where it is not given. */
  readonly turn: () => Promise<void>;
};

type Outcome = MotionResult['outcome'];
type Running = { ends: Outcome | undefined; readonly done: Promise<void> };

const RADIUS = 0.2;
const RANGE = 3.5;
const RAYS = 180;
const TICK_NS = 250_000_000n;
/** Metres and radians per tick. */
const STEP = 0.1;
const TURN = 0.4;
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/**
 * A robot in a grid maze with its own time: a tick of motion is a quarter of a second. It sees what a lidar
 * would see, plans over what it has seen, and keeps the promises of the `Robot` port (`test/conformance/robot.ts`).
 */
export class FakeRobot implements Robot {
  readonly world: GridWorld;
  readonly #options: FakeRobotOptions;
  readonly #random: () => number;
  readonly #known: Int8Array;
  #pose: Pose2d;
  #time = 1_000_000_000n;
  #distance = 0;
  #running: Running | undefined;
  #stops = 0;
  #moving = false;
  /** Every order the robot was given, in order, for assertions. */
  readonly orders: string[] = [];

  constructor(options: Partial<FakeRobotOptions> = {}) {
    this.#options = { seed: 1, cells: 10, stuckShare: 0, turn: () => Promise.resolve(), ...options };
    this.world = new GridWorld(this.#options.seed, this.#options.cells);
    this.#random = seeded(this.#options.seed + 77);
    this.#pose = { ...this.world.start, yaw: 0 };
    this.#known = new Int8Array(this.world.width * this.world.height).fill(-1);
    this.#scan();
  }

  async state(): Promise<RobotState> {
    return {
      time: this.#time,
      pose: this.#pose,
      twist: { linear: this.#moving ? STEP / 0.25 : 0, angular: 0 },
      battery: 1,
      distance: this.#distance,
      bumps: 0,
      motion: this.#moving ? 'moving' : 'stopped',
      connected: true,
      signals: { '/maze/exit_reached': this.world.isOutside(this.#pose.x, this.#pose.y), '/bumper': false },
    };
  }

  async map(): Promise<MapSnapshot> {
    const { width, height } = this.world;
    return {
      time: this.#time,
      width,
      height,
      resolution: RESOLUTION,
      origin: { x: 0, y: 0 },
      cells: this.#known.slice(),
    };
  }

  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    this.orders.push(`navigate ${goal.pose.x} ${goal.pose.y}`);
    return this.#motion(signal, (running) => this.#drive(goal, running));
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    this.orders.push(`maneuver ${JSON.stringify(step)}`);
    return this.#motion(signal, (running) => this.#perform(step, running));
  }

  async stop(reason: string): Promise<void> {
    this.orders.push(`stop ${reason}`);
    this.#stops++;
    await this.#end('stopped');
  }

  async #end(outcome: Outcome): Promise<void> {
    const running = this.#running;
    if (!running) return;
    running.ends ??= outcome;
    await running.done;
  }

  async #motion(
    signal: AbortSignal | undefined,
    perform: (running: Running) => Promise<[Outcome, string]>,
  ): Promise<MotionResult> {
    const stops = this.#stops;
    while (this.#running) await this.#end('preempted');
    const from = { time: this.#time, distance: this.#distance };
    let finish = () => {};
    const running: Running = {
      ends: signal?.aborted || this.#stops !== stops ? 'stopped' : undefined,
      done: new Promise((resolve) => {
        finish = resolve;
      }),
    };
    const onAbort = () => {
      running.ends ??= 'stopped';
    };
    signal?.addEventListener('abort', onAbort);
    this.#running = running;
    this.#moving = running.ends === undefined;
    const [outcome, message] = await perform(running);
    this.#moving = false;
    this.#running = undefined;
    signal?.removeEventListener('abort', onAbort);
    // Whoever pre-empts waits on `done`, one turn later than the promise of this motion.
    queueMicrotask(finish);
    const durationMs = Number((this.#time - from.time) / 1_000_000n);
    const distance = this.#distance - from.distance;
    return { outcome, pose: this.#pose, distance, durationMs, time: this.#time, message };
  }

  async #drive(goal: NavigateGoal, running: Running): Promise<[Outcome, string]> {
    const until = this.#time + BigInt(Math.round(goal.timeoutMs * 1e6));
    const stuckAfter =
      this.#random() < this.#options.stuckShare ? 1 + Math.floor(this.#random() * 8) : Infinity;
    let path: { x: number; y: number }[] = [];
    for (let ticks = 0; ; ticks++) {
      if (running.ends) return [running.ends, 'ended from outside'];
      if (Math.hypot(goal.pose.x - this.#pose.x, goal.pose.y - this.#pose.y) <= goal.tolerance) break;
      if (this.#time >= until) return ['timeout', 'the time is over'];
      if (ticks >= stuckAfter) return ['stuck', 'the wheels slip'];
      if (path.length === 0 || path.some((place) => this.#blocked(this.#cell(place)))) {
        const found = this.#path(goal);
        if (!found) return ['no_path', 'no free way'];
        path = found.slice(1);
      }
      await this.#step(path.shift()!);
    }
    if (goal.alignYaw) {
      if (!(await this.#turnTo(goal.pose.yaw, running)))
        return [running.ends ?? 'stopped', 'ended from outside'];
    }
    return ['reached', 'there'];
  }

  async #perform(step: Maneuver, running: Running): Promise<[Outcome, string]> {
    if (step.kind === 'spin') {
      const turned = await this.#turnTo(this.#pose.yaw + step.angle, running);
      return turned ? ['reached', 'turned'] : [running.ends ?? 'stopped', 'ended from outside'];
    }
    let left = step.kind === 'drive' ? Math.abs(step.distance) : step.durationMs / 250;
    while (left > 1e-9) {
      if (running.ends) return [running.ends, 'ended from outside'];
      const part = Math.min(left, step.kind === 'drive' ? STEP : 1);
      left -= part;
      if (step.kind === 'wait') await this.#tick();
      else if (!(await this.#straight(part * Math.sign(step.distance)))) return ['stuck', 'a wall'];
    }
    return ['reached', 'done'];
  }

  async #straight(by: number): Promise<boolean> {
    const x = this.#pose.x + Math.cos(this.#pose.yaw) * by;
    const y = this.#pose.y + Math.sin(this.#pose.yaw) * by;
    if (this.world.wallAt(x, y)) return false;
    await this.#step({ x, y }, this.#pose.yaw);
    return true;
  }

  async #turnTo(yaw: number, running: Running): Promise<boolean> {
    while (Math.abs(yaw - this.#pose.yaw) > 1e-9) {
      if (running.ends) return false;
      const by = Math.max(-TURN, Math.min(TURN, yaw - this.#pose.yaw));
      this.#pose = { ...this.#pose, yaw: this.#pose.yaw + by };
      await this.#tick();
    }
    return true;
  }

  async #step(to: { x: number; y: number }, yaw?: number): Promise<void> {
    const dx = to.x - this.#pose.x;
    const dy = to.y - this.#pose.y;
    this.#distance += Math.hypot(dx, dy);
    this.#pose = { x: to.x, y: to.y, yaw: yaw ?? Math.atan2(dy, dx) };
    this.#scan();
    await this.#tick();
  }

  async #tick(): Promise<void> {
    this.#time += TICK_NS;
    await this.#options.turn();
  }

  #scan(): void {
    for (let ray = 0; ray < RAYS; ray++) {
      const dx = Math.cos((2 * Math.PI * ray) / RAYS) * RESOLUTION * 0.5;
      const dy = Math.sin((2 * Math.PI * ray) / RAYS) * RESOLUTION * 0.5;
      for (let i = 0; i < (RANGE / RESOLUTION) * 2; i++) {
        const x = this.#pose.x + dx * i;
        const y = this.#pose.y + dy * i;
        const cell = Math.floor(y / RESOLUTION) * this.world.width + Math.floor(x / RESOLUTION);
        const wall = this.world.wallAt(x, y);
        this.#known[cell] = wall ? 100 : 0;
        if (wall) break;
      }
    }
  }

  /** Breadth first over cells not known to be near a wall; centres from here to the goal's tolerance. */
  #path(goal: NavigateGoal): { x: number; y: number }[] | undefined {
    const { width, height } = this.world;
    const centre = (at: number) => ({
      x: ((at % width) + 0.5) * RESOLUTION,
      y: (Math.floor(at / width) + 0.5) * RESOLUTION,
    });
    const start = this.#cell(this.#pose);
    const from = new Int32Array(width * height).fill(-1);
    from[start] = start;
    const queue = [start];
    const reach = Math.max(0.08, goal.tolerance - 0.1);
    for (const here of queue) {
      const at = centre(here);
      if (here !== start && Math.hypot(at.x - goal.pose.x, at.y - goal.pose.y) <= reach) {
        const path = [at];
        for (let back = here; back !== start; path.push(centre(back))) back = from[back]!;
        return path.reverse();
      }
      for (const [dx, dy] of STEPS) {
        const next = here + dy * width + dx;
        if (from[next] !== -1 || this.#blocked(next)) continue;
        from[next] = here;
        queue.push(next);
      }
    }
    return undefined;
  }

  #cell(place: { x: number; y: number }): number {
    return Math.floor(place.y / RESOLUTION) * this.world.width + Math.floor(place.x / RESOLUTION);
  }

  #blocked(cell: number): boolean {
    const { width, height } = this.world;
    const reach = Math.round(RADIUS / RESOLUTION) - 1;
    const column = cell % width;
    const row = Math.floor(cell / width);
    for (let y = row - reach; y <= row + reach; y++) {
      for (let x = column - reach; x <= column + reach; x++) {
        if (x < 0 || y < 0 || x >= width || y >= height || this.#known[y * width + x] === 100) return true;
      }
    }
    return false;
  }
}
