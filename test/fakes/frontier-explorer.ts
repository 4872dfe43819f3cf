import type { MapSnapshot, MotionResult, Pose2d, Sample, Twist2d } from '../../contract/index.ts';
import type { ControlCore } from '../../daemon/execution/control/control-core.ts';

/** A world that the explorer can drive in: the flat one, or the simulation. */
export interface DriveWorld {
  readonly time: bigint;
  command: Twist2d;
  /** Metres driven, contacts, least distance to a wall (Infinity where not measured). */
  readonly driven: number;
  readonly contacts: number;
  readonly clearanceMin: number;
  /** The robot has done what it came for, wherever it is. */
  readonly finished?: boolean;
  /** Moves on by 50 ms and returns what the robot published meanwhile. */
  advance(): Sample[];
  /** True pose and odometry in the frame that odometry started in. */
  truth(): Pose2d;
  readonly odometry: Pose2d;
}

/** What a run of the explorer measured. */
export type Exploration = {
  readonly seconds: number;
  readonly driven: number;
  readonly contacts: number;
  readonly clearanceMin: number;
  /** Largest distance between estimated and true pose, metres, and heading, radians. */
  readonly errorMax: number;
  readonly errorYawMax: number;
  /** The same for odometry alone at the end: what drift correction had to correct. */
  readonly odometryError: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly known: number;
  readonly done: boolean;
  readonly tickMs: { readonly p50: number; readonly p99: number; readonly max: number };
};

/** Lets the robot step once: world, samples, tick, command. */
export async function step(world: DriveWorld, core: ControlCore): Promise<boolean> {
  for (const sample of world.advance()) core.onSample(sample);
  const result = await core.tick(world.time);
  if (result.command) world.command = result.command;
  return result.hold;
}

/** Ticks the robot until a motion settles. */
export async function until<T>(
  world: DriveWorld,
  core: ControlCore,
  motion: Promise<T>,
  each?: () => void,
): Promise<T> {
  let result: { value: T } | undefined;
  void motion.then((value) => {
    result = { value };
  });
  for (let i = 0; i < 100_000 && !result; i++) {
    await step(world, core);
    each?.();
    await Promise.resolve();
  }
  if (!result) throw new Error('the motion never settled');
  return result.value;
}

/** A plain nearest-frontier explorer on the `Robot` port's own terms: map, pose, navigate, back up when stuck. */
export async function explore(
  world: DriveWorld,
  core: ControlCore,
  options: { maxSeconds: number },
): Promise<Exploration> {
  const outcomes: Record<string, number> = {};
  const times: number[] = [];
  const banned = new Set<string>();
  let errorMax = 0;
  let errorYawMax = 0;
  let serial = 0;
  let done = false;
  let last = performance.now();
  const watch = () => {
    const now = performance.now();
    times.push(now - last);
    last = now;
    const pose = core.state().pose;
    if (!pose) return;
    const truth = world.truth();
    errorMax = Math.max(errorMax, Math.hypot(pose.x - truth.x, pose.y - truth.y));
    const yaw = pose.yaw - truth.yaw;
    errorYawMax = Math.max(errorYawMax, Math.abs(Math.atan2(Math.sin(yaw), Math.cos(yaw))));
  };
  while (!(await step(world, core)));
  const began = world.time;
  while (Number(world.time - began) / 1e9 < options.maxSeconds) {
    if (world.finished) {
      done = true;
      break;
    }
    const goal = nearestFrontier(core.map()!, core.state().pose!, banned);
    if (!goal) {
      done = true;
      break;
    }
    last = performance.now();
    const pose = { x: goal.x, y: goal.y, yaw: 0 };
    const request = core.navigate(`n${serial++}`, { pose, tolerance: 0.25, timeoutMs: 120_000 });
    const result: MotionResult = await until(world, core, request, watch);
    outcomes[result.outcome] = (outcomes[result.outcome] ?? 0) + 1;
    if (result.outcome !== 'reached') {
      if (process.env['TRACE'])
        console.log(JSON.stringify({ ...result, time: Number(result.time) / 1e9 }), goal);
      banned.add(goal.key);
      if (result.outcome === 'stuck')
        await until(world, core, core.maneuver(`m${serial++}`, { kind: 'drive', distance: -0.2 }));
    } else {
      // A frontier that is still there from near is the map's grain, not unknown floor.
      banned.add(goal.key);
    }
  }
  times.sort((a, b) => a - b);
  const truth = world.truth();
  const map = core.map()!;
  return {
    seconds: Number(world.time - began) / 1e9,
    driven: world.driven,
    contacts: world.contacts,
    clearanceMin: world.clearanceMin,
    errorMax,
    errorYawMax,
    odometryError: Math.hypot(world.odometry.x - truth.x, world.odometry.y - truth.y),
    outcomes,
    known: map.cells.reduce((sum, cell) => sum + (cell === 0 ? 1 : 0), 0) * map.resolution ** 2,
    done,
    tickMs: {
      p50: times[Math.floor(times.length * 0.5)] ?? 0,
      p99: times[Math.floor(times.length * 0.99)] ?? 0,
      max: times.at(-1) ?? 0,
    },
  };
}

/** The centre of the nearest (by walking) group of free cells that border the unknown. */
function nearestFrontier(
  map: MapSnapshot,
  pose: { x: number; y: number },
  banned: ReadonlySet<string>,
): { x: number; y: number; key: string } | undefined {
  const { width, height, resolution, origin, cells } = map;
  const start =
    Math.floor((pose.y - origin.y) / resolution) * width + Math.floor((pose.x - origin.x) / resolution);
  const seen = new Uint8Array(cells.length);
  const queue = [start];
  seen[start] = 1;
  const neighbours = [1, -1, width, -width];
  for (let head = 0; head < queue.length; head++) {
    const cell = queue[head]!;
    const isFrontier = cells[cell] === 0 && neighbours.some((n) => cells[cell + n] === -1);
    if (isFrontier) {
      const group = frontierGroup(map, cell);
      const column = group.reduce((sum, c) => sum + (c % width), 0) / group.length;
      const row = group.reduce((sum, c) => sum + Math.floor(c / width), 0) / group.length;
      const x = origin.x + (column + 0.5) * resolution;
      const y = origin.y + (row + 0.5) * resolution;
      const key = `${Math.round(x / 0.2)},${Math.round(y / 0.2)}`;
      if (group.length >= 5 && !banned.has(key)) return { x, y, key };
    }
    const column = cell % width;
    const row = Math.floor(cell / width);
    if (column < 1 || row < 1 || column >= width - 1 || row >= height - 1) continue;
    for (const n of neighbours) {
      if (seen[cell + n] || cells[cell + n] !== 0) continue;
      seen[cell + n] = 1;
      queue.push(cell + n);
    }
  }
  return undefined;
}

function frontierGroup(map: MapSnapshot, from: number): number[] {
  const { width, cells } = map;
  const around = [1, -1, width, -width, width + 1, width - 1, -width + 1, -width - 1];
  const group = [from];
  const seen = new Set(group);
  for (let head = 0; head < group.length; head++) {
    for (const n of around) {
      const cell = group[head]! + n;
      if (seen.has(cell) || cells[cell] !== 0) continue;
      if (![1, -1, width, -width].some((m) => cells[cell + m] === -1)) continue;
      seen.add(cell);
      group.push(cell);
    }
  }
  return group;
}
