import {
  type Clock,
  type JointReading,
  type Nanoseconds,
  RestWatch,
  type Sample,
} from '../../../contract/core.ts';
import { decodeJointState, JOINT_STATE } from '../../../formats/cdr/index.ts';

/** Joint states older than this mean that the arm is not there, milliseconds. */
const SILENT_MS = 1_000;
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
  readonly #joints = new Map<string, Told>();
  /** What else the robot has: a lift under the arm that another controller drives. */
  readonly #others = new Map<string, Told>();
  #time: Nanoseconds | undefined;
  /** Whether the arm stands: by measurements of all of its joints. */
  readonly rest = new RestWatch();
  /** Joints that were measured again since the last call of `rest`. */
  readonly #anew = new Set<string>();
  /** When each joint was measured last, by its stamps. */
  readonly #stamps = new Map<string, Nanoseconds>();

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
      this.#joints.set(joint, { position: at, velocity: speed, effort: finite(effort[i]), atMs });
      // A repeated message of the same measurement says nothing new.
      if (header.stamp === 0n || header.stamp !== this.#stamps.get(joint)) this.#anew.add(joint);
      this.#stamps.set(joint, header.stamp);
      if (header.stamp > 0n) this.#time = header.stamp;
    }
    if (this.#anew.size === this.#names.length) this.#watch();
  }

  #watch(): void {
    this.#anew.clear();
    const joints = this.#names.map((name) => this.#joints.get(name)!);
    const positions = joints.map(({ position }) => position);
    const speeds = joints.map(({ velocity }) => velocity ?? Number.NaN);
    this.rest.observe(positions, this.#clock.monotonicMs(), speeds);
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
