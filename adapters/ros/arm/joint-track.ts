import type { Clock, JointReading, Nanoseconds, Sample } from '../../../contract/core.ts';
import { decodeJointState, JOINT_STATE } from '../../../formats/cdr/index.ts';

/** Joint states older than this mean that the arm is not there, milliseconds. */
const SILENT_MS = 1_000;
/** Below these a joint rests: radians or metres per second, and between two messages without speeds. */
const STILL_SPEED = 0.01;
const STILL_STEP = 0.001;
/** Joints that are not of the arm: so many names are kept, those that came first for as long as they are reported. */
const OTHERS_MAX = 256;

type Told = JointReading & { readonly atMs: number };

/**
 * The joints of one arm, from sensor_msgs/JointState. Several publishers may share the topic, each with its joints:
 * those that are not of the arm are in `measured` only.
 */
export class JointTrack {
  readonly #topic: string;
  readonly #names: readonly string[];
  readonly #clock: Clock;
  readonly #joints = new Map<string, Told & { readonly still: boolean }>();
  /** What else the robot has: a lift under the arm that another controller drives. */
  readonly #others = new Map<string, Told>();
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

  /** Every joint of the arm was reported within the last second. */
  get connected(): boolean {
    return this.#names.every((name) => this.#fresh(this.#joints.get(name)));
  }

  get joints(): Readonly<Record<string, JointReading>> {
    return readings([...this.#joints]);
  }

  /** Every joint that was reported within the last second, also those of others. */
  get measured(): Readonly<Record<string, JointReading>> {
    return readings([...this.#others, ...this.#joints].filter(([, told]) => this.#fresh(told)));
  }

  position(name: string): number | undefined {
    return this.#joints.get(name)?.position;
  }

  /** What was reported after `sinceMs` (monotonic) shows every joint at rest. */
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
      if (at === undefined || !Number.isFinite(at)) continue;
      const atMs = this.#clock.monotonicMs();
      const speed = finite(velocity[i]);
      if (!this.#names.includes(joint)) {
        this.#keep(joint, { position: at, velocity: speed, effort: finite(effort[i]), atMs });
        continue;
      }
      const before = this.#joints.get(joint);
      const still =
        speed !== undefined
          ? Math.abs(speed) < STILL_SPEED
          : before !== undefined && Math.abs(at - before.position) < STILL_STEP;
      const reading = { position: at, velocity: speed, effort: finite(effort[i]), still };
      this.#joints.set(joint, { ...reading, atMs });
      if (header.stamp > 0n) this.#time = header.stamp;
    }
  }

  #keep(name: string, told: Told): void {
    if (!this.#others.has(name) && this.#others.size >= OTHERS_MAX) {
      for (const [other, { atMs }] of this.#others)
        if (told.atMs - atMs >= SILENT_MS) this.#others.delete(other);
      if (this.#others.size >= OTHERS_MAX) return;
    }
    this.#others.set(name, told);
  }

  #fresh(told: Told | undefined): boolean {
    return told !== undefined && told.atMs > this.#clock.monotonicMs() - SILENT_MS;
  }
}

function readings(told: readonly (readonly [string, Told])[]): Readonly<Record<string, JointReading>> {
  return Object.fromEntries(
    told.map(([name, { position, velocity, effort }]) => [name, { position, velocity, effort }]),
  );
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
