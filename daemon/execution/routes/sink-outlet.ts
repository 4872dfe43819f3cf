import { type Clock, EdgeError, pause, type Sample } from '../../../contract/core.ts';
import type { DoorPath } from '../door/index.ts';
import type { Sent } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import type { Outlet, Route } from './route.ts';

/** From advertising a topic until its readers may be expected to know of it, milliseconds. */
const DISCOVERY_MS = 500;
/** A topic that could not be advertised is not tried again before, milliseconds. */
const RETRY_MS = 5_000;

/**
 * Samples into the robot's middleware, through the door. Topics are advertised when their first sample comes, or
 * ahead; those that the door refuses never are.
 */
export class SinkOutlet implements Outlet {
  readonly #clock: Clock;
  readonly #path: Pick<DoorPath, 'advertise' | 'refusal' | 'send'>;
  readonly #isConnected: () => boolean;
  readonly #onSend: (sample: Sample) => void;
  readonly #advertised = new Set<string>();
  readonly #failed = new Map<string, { readonly untilMs: number; readonly error: unknown }>();

  constructor(parts: {
    readonly clock: Clock;
    readonly path: Pick<DoorPath, 'advertise' | 'refusal' | 'send'>;
    isConnected(): boolean;
    /** Called before each sample that is sent. */
    onSend(sample: Sample): void;
  }) {
    this.#clock = parts.clock;
    this.#path = parts.path;
    this.#isConnected = () => parts.isConnected();
    this.#onSend = (sample) => parts.onSend(sample);
  }

  prepare({ spec }: Route, lane: Lane, type: string): Promise<void> | undefined {
    const topic = `/${lane.target}`;
    // What the door refuses is refused where it is sent, a robot that is away is tried again with the next sample.
    if (this.#advertised.has(topic) || !this.#isConnected()) return undefined;
    if (this.#path.refusal({ topic, type })) return undefined;
    const failed = this.#failed.get(topic);
    if (failed && this.#clock.monotonicMs() < failed.untilMs) return Promise.reject(failed.error);
    this.#advertised.add(topic);
    const qos = {
      reliability: spec.reliability,
      durability: spec.durability,
      history: 'keep_last',
      depth: spec.depth,
    } as const;
    return this.#path.advertise({ topic, type, qos }).then(
      () => {
        this.#failed.delete(topic);
        return pause(this.#clock, DISCOVERY_MS);
      },
      (error: unknown) => {
        this.#advertised.delete(topic);
        this.#failed.set(topic, { untilMs: this.#clock.monotonicMs() + RETRY_MS, error });
        throw error;
      },
    );
  }

  send(_route: Route, lane: Lane, sample: Sample): Sent {
    if (this.#isConnected()) {
      if (!this.#path.refusal(sample)) this.#onSend(sample);
      const receipt = this.#path.send(sample);
      if (receipt.verdict === 'refused') throw receipt.error;
      return receipt.verdict === 'busy' ? 'busy' : 'done';
    }
    throw new EdgeError('robot.unreachable', {
      operation: 'forward',
      subject: `/${lane.target}`,
      message: 'the robot is not connected',
    });
  }
}
