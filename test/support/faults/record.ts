/** What one simulated robot wrote down itself: what it was told, and how fast it truly was. Times are of its host. */
export type CommandEntry = {
  readonly kind: 'command';
  /** Monotonic clock of the host when the robot had it, milliseconds. */
  readonly atMs: number;
  /** Of the world, milliseconds. */
  readonly worldMs: number;
  /** m/s and rad/s of a base; set points of joints, radians and metres. */
  readonly values: readonly number[];
  /** Why the robot did not obey it; empty: it did. */
  readonly refused: string;
};
export type StateEntry = {
  readonly kind: 'state';
  readonly atMs: number;
  readonly worldMs: number;
  /** Measured: m/s and rad/s of a base, rad/s and m/s of each joint. */
  readonly speeds: readonly number[];
  /** Contacts of the bumper since the start. */
  readonly collisions: number;
};
export type Entry = CommandEntry | StateEntry;

/** What a robot of this kind may do at most, and what counts as standing. */
export type RobotFacts = {
  /** `speeds`: zeros stand. `positions`: set points that do not change stand. */
  readonly commands: 'speeds' | 'positions';
  /** Of commands of speeds, and of measured speeds, in their order. */
  readonly speedMax: readonly number[];
  /** Slower than this is at rest. */
  readonly restSpeed: readonly number[];
};

/** Set points nearer than this to those before are the same, radians or metres. */
const SAME = 1e-6;
const ZERO = 1e-9;

/** Whether this command moves the robot, given the set points that it had before. */
export function moves(
  facts: RobotFacts,
  { values }: CommandEntry,
  before: CommandEntry | undefined,
): boolean {
  if (facts.commands === 'speeds') return values.some((value) => !(Math.abs(value) <= ZERO));
  if (!before) return true;
  return values.some((value, i) => !(Math.abs(value - (before.values[i] ?? Number.NaN)) <= SAME));
}

export function isAtRest(facts: RobotFacts, { speeds }: StateEntry): boolean {
  return speeds.every((speed, i) => Math.abs(speed) < facts.restSpeed[i]!);
}
