import type {
  ErrorBody,
  Maneuver,
  MapSnapshot,
  MotionResult,
  NavigateGoal,
  PolicyDescription,
  RobotState,
  Sample,
  Twist2d,
} from '../../../contract/core.ts';
import type { CoreCounts, TickResult } from './control-core.ts';

/** Messages to the control thread. They arrive in the order they were sent, samples before their tick. */
export type ToControl =
  | { readonly kind: 'sample'; readonly sample: Sample }
  /** Lockstep only: one control step at a time of the simulation. */
  | { readonly kind: 'tick'; readonly id: number; readonly time: bigint }
  | { readonly kind: 'ask'; readonly id: number; readonly ask: Ask }
  | { readonly kind: 'cancel'; readonly motionId: string; readonly reason: string }
  /** A person steers, under that lease. */
  | {
      readonly kind: 'steer';
      readonly twist: Twist2d;
      readonly lease: number;
      /** By the monotonic clock of the host, milliseconds. */
      readonly madeAtMs: number;
    }
  | { readonly kind: 'close' };

/** Questions with one answer each; a motion is answered when it has settled. It continues only under its `lease`. */
export type Ask =
  | { readonly op: 'ping' }
  | { readonly op: 'state' }
  | { readonly op: 'map' }
  | {
      readonly op: 'navigate';
      readonly motionId: string;
      readonly goal: NavigateGoal;
      readonly lease: number;
    }
  | { readonly op: 'maneuver'; readonly motionId: string; readonly step: Maneuver; readonly lease: number }
  | { readonly op: 'stop'; readonly reason: string };

export type Answers = {
  readonly ping: undefined;
  readonly state: RobotState;
  readonly map: MapSnapshot | undefined;
  readonly navigate: MotionResult;
  readonly maneuver: MotionResult;
  readonly stop: undefined;
};

/** What it says. `id` is that of the tick, undefined where the thread ticks by its own clock. */
export type FromControl =
  | {
      readonly kind: 'ready';
      readonly policy: PolicyDescription;
      readonly hz: number;
      /** Why this is not the policy that was configured. */
      readonly fault?: ErrorBody;
    }
  | {
      readonly kind: 'ticked';
      readonly id: number | undefined;
      readonly result: TickResult;
      /** By the clock of the host; undefined in lockstep, where the world waits for the command. */
      readonly madeAtMs?: number;
      readonly counts: CoreCounts;
    }
  /** A motion starts after the last tick said `hold`: simulation time may continue. */
  | { readonly kind: 'wake' }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: ErrorBody };

/** The end of a message channel as both `MessagePort` and `Worker` have it. */
export interface ControlPort {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: 'message', listen: (message: never) => void): unknown;
}
