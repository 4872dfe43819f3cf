import type { Clock, JointReading, Nanoseconds, Sample } from '../../../contract/core.ts';
import { decodeJointState, JOINT_STATE } from '../../../formats/cdr/index.ts';

/** Joint states older than this mean that the arm is not there, milliseconds. */
const SILENT_MS = 1_000;
/** Below these a joint rests: radians or metres per second, and between two messages where no speed is told. */
const STILL_SPEED = 0.01;
const STILL_STEP = 0.001;

/** The joints of one arm, from sensor_msgs/JointState. Several publishers may share the topic, each with its joints. */
export class JointTrack {
  readonly #topic: string;
  readonly #names: readonly string[];
  readonly #clock: Clock;
  readonly #joints = new Map<string, JointReading & { readonly atMs: number; readonly still: boolean }>();
  #time: Nanoseconds | undefined;

  constructor(topic: string, names: readonly string[], clock: Clock) {
    this.#topic = topic;
    this.#names = names;
    this.#clock = clock;
  }

  /** Malformed messages are as if never sent: silence shows in `connected`. */
  observe(sample: Sample): void {
    if (sample.topic !== this.#topic || sample.type !== JOINT_STATE) return;
    try {
      this.#take(sample.bytes);
    } catch {
      // See above.
    }
  }

  get names(): readonly string[] {
    return this.#names;
  }

  get told(): Nanoseconds | undefined {
    return this.#time;
  }

  get time(): Nanoseconds {
    return this.#time ?? this.#clock.now();
  }

  /** Every joint of the arm was told of within the last second. */
  get connected(): boolean {
    const since = this.#clock.monotonicMs() - SILENT_MS;
    return this.#names.every((name) => (this.#joints.get(name)?.atMs ?? -Infinity) > since);
  }

  get joints(): Readonly<Record<string, JointReading>> {
    return Object.fromEntries(
      [...this.#joints].map(([name, { position, velocity, effort }]) => [
        name,
        { position, velocity, effort },
      ]),
    );
  }

  position(name: string): number | undefined {
    return this.#joints.get(name)?.position;
  }

  /** What was told after `sinceMs` (monotonic) shows every joint at rest. */
  stillSince(sinceMs: number): boolean {
    return this.#names.every((name) => {
      const joint = this.#joints.get(name);
      return joint !== undefined && joint.atMs > sinceMs && joint.still;
    });
  }

  #take(bytes: Uint8Array): void {
    const { header, name, position, velocity, effort } = decodeJointState(bytes);
    for (const [i, joint] of name.entries()) {
      const at = position[i];
      if (at === undefined || !Number.isFinite(at) || !this.#names.includes(joint)) continue;
      const speed = finite(velocity[i]);
      const before = this.#joints.get(joint);
      const still =
        speed !== undefined
          ? Math.abs(speed) < STILL_SPEED
          : before !== undefined && Math.abs(at - before.position) < STILL_STEP;
      const reading = { position: at, velocity: speed, effort: finite(effort[i]), still };
      this.#joints.set(joint, { ...reading, atMs: this.#clock.monotonicMs() });
      if (header.stamp > 0n) this.#time = header.stamp;
    }
  }
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
