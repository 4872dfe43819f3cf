import { EdgeError, type JointTarget } from '../../contract/core.ts';
import { ALL_NAMES, ARM_JOINTS, GRIPPER } from './arm-model.ts';

/** A trajectory longer than this is a mistake. */
const POINTS_MAX = 10_000;

const BOUNDS = [
  ...ARM_JOINTS.map(({ lower, upper }) => ({ lower, upper })),
  { lower: 0, upper: GRIPPER.openingMax },
];
/** Positions at a limit may have been rounded on the way. */
const TOLERANCE = 1e-6;

/** A path of all joints over time: on straight lines between its points. */
export type JointPath = {
  /** Milliseconds from its start to its last point. */
  readonly lengthMs: number;
  readonly end: Float64Array;
  /** All joints in the order of `ALL_NAMES` at a time from its start; before and after it, its ends. */
  at(ms: number): Float64Array;
};

/**
 * The path from where the joints are through these points; a joint that a point leaves out stays. Throws
 * `schema.invalid` for joints that this arm does not have, positions out of their limits, and times that do not grow.
 */
export function jointPath(points: readonly JointTarget[], from: ArrayLike<number>): JointPath {
  if (points.length === 0 || points.length > POINTS_MAX) throw bad('points', `1 to ${POINTS_MAX} points`);
  const times = [0];
  const places = [Float64Array.from(from)];
  points.forEach(({ positions, timeFromStartMs }, i) => {
    const before = i === 0 ? -1 : times.at(-1)!;
    if (!(timeFromStartMs > before)) throw bad(`points/${i}/timeFromStartMs`, 'times have to grow');
    const place = places.at(-1)!.slice();
    for (const [joint, position] of Object.entries(positions)) {
      const at = ALL_NAMES.indexOf(joint);
      const path = `points/${i}/positions/${joint}`;
      if (at < 0) throw bad(path, `this arm has ${ALL_NAMES.join(', ')}`);
      const { lower, upper } = BOUNDS[at]!;
      if (!(position >= lower - TOLERANCE && position <= upper + TOLERANCE)) {
        throw bad(path, `${lower} to ${upper} expected, found ${position}`);
      }
      place[at] = position;
    }
    times.push(timeFromStartMs);
    places.push(place);
  });
  return {
    lengthMs: times.at(-1)!,
    end: places.at(-1)!,
    at: (ms) => between(times, places, ms),
  };
}

function between(times: readonly number[], places: readonly Float64Array[], ms: number): Float64Array {
  const next = times.findIndex((time) => time > ms);
  if (next < 0) return places.at(-1)!.slice();
  if (next === 0) return places[0]!.slice();
  const [t0, t1] = [times[next - 1]!, times[next]!];
  const share = (ms - t0) / (t1 - t0);
  const [a, b] = [places[next - 1]!, places[next]!];
  return a.map((value, i) => value + share * (b[i]! - value));
}

function bad(path: string, expected: string): EdgeError {
  const message = `/${path}: ${expected}`;
  return new EdgeError('schema.invalid', { operation: 'follow trajectory', subject: path, message });
}
