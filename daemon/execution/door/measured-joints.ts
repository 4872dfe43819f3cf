import type { ArmState, Clock, JointReading, Sample } from '../../../contract/core.ts';
import { decodeJointState, JOINT_STATE } from '../../../formats/cdr/index.ts';

/** Joint states older than this say nothing about where the joints are, milliseconds. */
const MEASURED_MS_MAX = 1_000;

/** Where the joints of the robot are, by the newest message on one topic. */
export class MeasuredJoints {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #topic: string;
  #newest: { readonly sample: Sample; readonly atMs: number } | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs'>, topic: string) {
    this.#clock = clock;
    this.#topic = topic;
  }

  observe(sample: Sample): void {
    if (sample.topic !== this.#topic || sample.type !== JOINT_STATE) return;
    this.#newest = { sample, atMs: this.#clock.monotonicMs() };
  }

  /** Empty where nothing was measured lately. */
  readonly joints = (): ArmState['joints'] => {
    if (!this.#newest || this.#clock.monotonicMs() - this.#newest.atMs > MEASURED_MS_MAX) return {};
    try {
      const { name, position, velocity, effort } = decodeJointState(this.#newest.sample.bytes);
      return Object.fromEntries(
        name.map((joint, i): [string, JointReading] => [
          joint,
          { position: position[i] ?? Number.NaN, velocity: velocity[i], effort: effort[i] },
        ]),
      );
    } catch {
      return {};
    }
  };
}
