import type { GoalResult, MessageValue, Sample, ServedGoal } from '../../contract/index.ts';
import { encodeJointState, JOINT_STATE } from '../../formats/cdr/index.ts';
import type { ManualClock } from './manual-clock.ts';
import type { MemoryRos } from './memory-ros.ts';

const STEP_MS = 20;
type Point = { positions: number[]; time_from_start: { sec: number; nanosec: number } };

/** An arm of two joints and a gripper behind the actions of ros2_control, by its own time. */
export class FakeArm {
  static readonly JOINTS = ['shoulder', 'elbow'] as const;
  readonly #clock: ManualClock;
  readonly positions = [0, 0];
  emit: (sample: Sample) => void = () => {};
  /** Every goal that was accepted. */
  readonly accepted: { name: string; goal: MessageValue }[] = [];
  /** Ends the next goals at once. */
  fails: GoalResult | undefined;
  silent = false;
  /** Tells one measurement again and again, as a driver that hangs does. */
  repeats = false;
  /** Joints go on whatever anybody says. */
  runaway = false;
  /** After a cancellation joints come to rest in this time, milliseconds. */
  coastMs = 0;
  #last: Sample | undefined;
  #coast: { speeds: number[]; leftMs: number } | undefined;
  #speeds: number[] = [0, 0];
  #step: (() => void) | undefined;
  #open = true;

  constructor(ros: MemoryRos, clock: ManualClock, gripperType: string) {
    this.#clock = clock;
    const serve = (name: string, type: string, execute: (goal: ServedGoal) => Promise<GoalResult>) =>
      void ros.actions.serve(name, type, {
        accept: (goal) => this.accepted.push({ name, goal }) > 0,
        execute: (goal) => (this.fails ? Promise.resolve(this.fails) : execute(goal)),
      });
    serve('/arm/follow', 'control_msgs/action/FollowJointTrajectory', (goal) => this.#follow(goal));
    serve('/gripper', gripperType, async () => ({
      status: 'succeeded',
      result: { stalled: false, reached_goal: true },
    }));
  }

  async run(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += STEP_MS) {
      const before = [...this.positions];
      this.#step?.();
      if (this.runaway) this.positions[0]! += 0.02;
      this.#roll();
      this.#speeds = this.positions.map((position, i) => (position - before[i]!) / (STEP_MS / 1_000));
      if (!this.silent) this.#tell(this.#speeds);
      await this.#clock.advance(STEP_MS);
    }
  }

  async live(): Promise<void> {
    while (this.#open) {
      await this.run(STEP_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  close(): void {
    this.#open = false;
  }

  #roll(): void {
    const coast = this.#coast;
    if (!coast) return;
    coast.leftMs -= STEP_MS;
    const share = Math.max(0, coast.leftMs) / this.coastMs;
    for (const [i, speed] of coast.speeds.entries()) this.positions[i]! += (speed * share * STEP_MS) / 1_000;
    if (coast.leftMs <= 0) this.#coast = undefined;
  }

  #follow({ goal, canceled }: ServedGoal): Promise<GoalResult> {
    const { points } = goal['trajectory'] as { points: Point[] };
    const from = [...this.positions];
    const begunMs = this.#clock.monotonicMs();
    const dueMs = ({ time_from_start: t }: Point) => t.sec * 1_000 + t.nanosec / 1e6;
    return new Promise((resolve) => {
      const settle = (end: GoalResult) => {
        this.#step = undefined;
        resolve(end);
      };
      const cancel = () => {
        if (this.coastMs > 0) this.#coast = { speeds: [...this.#speeds], leftMs: this.coastMs };
        settle({ status: 'canceled', result: {} });
      };
      canceled.addEventListener('abort', cancel, { once: true });
      this.#step = () => {
        const elapsed = this.#clock.monotonicMs() - begunMs;
        const next = points.findIndex((point) => dueMs(point) > elapsed);
        const target = points[next] ?? points.at(-1)!;
        const start = next > 0 ? points[next - 1]! : undefined;
        const startMs = start ? dueMs(start) : 0;
        const share = next < 0 ? 1 : (elapsed - startMs) / (dueMs(target) - startMs);
        for (const [i, position] of target.positions.entries()) {
          const origin = start?.positions[i] ?? from[i]!;
          this.positions[i] = origin + share * (position - origin);
        }
        if (next < 0) settle({ status: 'succeeded', result: { error_code: 0 } });
      };
    });
  }

  #tell(speeds: readonly number[]): void {
    const stamp = this.#clock.now();
    const bytes = encodeJointState({
      header: { stamp, frame_id: '' },
      name: [...FakeArm.JOINTS],
      position: Float64Array.from(this.positions),
      velocity: Float64Array.from(speeds),
      effort: new Float64Array(0),
    });
    const fresh = { topic: '/joint_states', type: JOINT_STATE, stamp, received: stamp, bytes };
    if (!this.repeats) this.#last = fresh;
    this.emit(this.#last ?? fresh);
  }
}
