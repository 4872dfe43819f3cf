import type {
  Clock,
  EmergencyStop,
  EStopSource,
  KeySpace,
  KeyValue,
  Sample,
} from '../../../contract/core.ts';
import { BOOL, decodeBool } from '../../../formats/cdr/index.ts';
import type { KeySpaceUser } from '../key-space-keeper.ts';

/** A topic or key that said so within this time still says so, milliseconds. */
const HELD_MS = 1_000;
const WORDS_BYTES_MAX = 512;

/** What stops the robot from outside of this daemon: a ROS topic and a key of the key space. Neither releases it. */
export class StopWays implements KeySpaceUser {
  readonly name = 'emergency stop';
  readonly #clock: Clock;
  readonly #stop: Pick<EmergencyStop, 'engage'>;
  readonly #topic: string;
  readonly #key: string;
  readonly #saidMs = new Map<EStopSource, number>();
  readonly #onFault: (error: unknown) => void;

  /** `topic` and `key` may be empty: then that way is closed. */
  constructor(parts: {
    readonly clock: Clock;
    readonly stop: Pick<EmergencyStop, 'engage'>;
    readonly topic: string;
    readonly key: string;
    onFault(error: unknown): void;
  }) {
    this.#clock = parts.clock;
    this.#stop = parts.stop;
    this.#topic = parts.topic;
    this.#key = parts.key;
    this.#onFault = parts.onFault;
  }

  /** Every sample of the robot: `true` on the topic engages, `false` says nothing, as a button that is not pressed. */
  observe({ topic, type, bytes }: Sample): void {
    if (topic !== this.#topic || type !== BOOL || this.#topic === '') return;
    let pressed = true;
    try {
      pressed = decodeBool(bytes);
    } catch {
      // Somebody wanted to say something on this topic: better once too often.
    }
    if (pressed) this.#engage('ros', topic, '');
    else this.#saidMs.delete('ros');
  }

  async attach(keySpace: KeySpace): Promise<void> {
    if (this.#key === '') return;
    await keySpace.subscribe(this.#key, (values) => {
      for (const value of values) this.#onValue(value);
    });
  }

  /** Ways by which it is still being said. */
  causes(): readonly string[] {
    const sinceMs = this.#clock.monotonicMs() - HELD_MS;
    return [...this.#saidMs]
      .filter(([, saidMs]) => saidMs >= sinceMs)
      .map(([source]) =>
        source === 'ros' ? `true is published on ${this.#topic}` : `a value is put at ${this.#key}`,
      );
  }

  #onValue({ kind, payload }: KeyValue): void {
    const words = new TextDecoder().decode(payload.subarray(0, WORDS_BYTES_MAX)).trim();
    // A key that is taken away, or says no, is a button that is not pressed.
    if (kind === 'delete' || /^(false|0|no|off|released?)$/i.test(words)) this.#saidMs.delete('zenoh');
    else this.#engage('zenoh', this.#key, words);
  }

  #engage(source: 'ros' | 'zenoh', by: string, reason: string): void {
    this.#saidMs.set(source, this.#clock.monotonicMs());
    this.#stop.engage(source, by, reason).catch(this.#onFault);
  }
}
