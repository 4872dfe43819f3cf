import type { RobotState } from 'auraison-edge';

/** A place in `map`, metres, rounded to a millimetre. */
export type Place = { readonly x: number; readonly y: number };

/** What the maze flow knows; written into the log with every state it enters. */
export type MazeFacts = {
  /** Robot time of the first look, decimal nanoseconds; empty before it. */
  readonly began_ns: string;
  readonly now_ns: string;
  readonly bumps_before: number;
  readonly distance_before_m: number;
  readonly bumps: number;
  readonly distance_m: number;
  readonly exit: boolean;
  /** Floor seen so far, and floor that the open frontiers promise, square metres. */
  readonly known_m2: number;
  readonly open_m2: number;
  readonly frontiers: number;
  /** The current frontier, and the stretch towards it that is driven next. */
  readonly target: (Place & { readonly gain_m2: number; readonly cost_m: number }) | null;
  readonly leg: (Place & { readonly yaw: number; readonly length_m: number }) | null;
  /** Frontiers that could not be reached; forgotten when nothing else is left. */
  readonly avoid: readonly Place[];
  readonly plans: number;
  readonly legs: number;
  /** Failures in a row, and recoveries in total. */
  readonly failures: number;
  readonly recoveries: number;
  /** Times the robot could not be asked. */
  readonly lost: number;
  readonly problem: string;
  /** Robot time of the last clip that was asked for, decimal nanoseconds; only where the recorder is a ring. */
  readonly clipped_ns?: string;
};

/** Parameters of `maze/find_exit` after their check. */
export type MazeParams = { readonly max_duration_s?: number; readonly max_bumps?: number };

export const MAX_DURATION_S = 3_600;
export const MAX_BUMPS = 100;
/** Failures in a row after which the mission fails. */
export const FAILURES_MAX = 8;
/** Times the robot may be out of reach in one run. */
export const LOST_MAX = 40;
/** Places to avoid that are kept, limited by the size of facts. */
export const AVOID_MAX = 24;

export function beginFacts(): MazeFacts {
  return {
    began_ns: '',
    now_ns: '',
    bumps_before: 0,
    distance_before_m: 0,
    bumps: 0,
    distance_m: 0,
    exit: false,
    known_m2: 0,
    open_m2: 0,
    frontiers: 0,
    target: null,
    leg: null,
    avoid: [],
    plans: 0,
    legs: 0,
    failures: 0,
    recoveries: 0,
    lost: 0,
    problem: '',
  };
}

/** What one look at the robot adds. Counters that ran before this run started do not count. */
export function look(facts: MazeFacts, state: RobotState, exitSignal: string): Partial<MazeFacts> {
  const first = facts.began_ns === '';
  const began = first ? state.time.toString() : facts.began_ns;
  const bumpsBefore = first ? state.bumps : facts.bumps_before;
  const distanceBefore = first ? state.distance : facts.distance_before_m;
  const exit = state.signals[exitSignal];
  return {
    began_ns: began,
    now_ns: state.time.toString(),
    bumps_before: bumpsBefore,
    distance_before_m: distanceBefore,
    // A robot that restarted counts from zero again.
    bumps: Math.max(facts.bumps, state.bumps - bumpsBefore),
    distance_m: Math.max(facts.distance_m, round(state.distance - distanceBefore)),
    exit: exit === true || (typeof exit === 'number' && exit > 0),
  };
}

/** Seconds of robot time since the run's first look. */
export function elapsedS(facts: MazeFacts): number {
  return facts.began_ns === '' ? 0 : Number(BigInt(facts.now_ns) - BigInt(facts.began_ns)) / 1e9;
}

/** Millimetres are finer than any map and keep the log readable. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
