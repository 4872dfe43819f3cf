import { type Clock, EdgeError, pause, type Sample, type SampleSink } from '../../../contract/core.ts';
import type { Sent } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import type { Outlet, Route } from './route.ts';

/** From advertising a topic until its readers may be expected to know of it, milliseconds. */
const DISCOVERY_MS = 500;
/** A topic that could not be advertised is not tried again before, milliseconds. */
const RETRY_MS = 5_000;

/** Samples into the robot's middleware. Topics are advertised when their first sample comes, or ahead. */
export class SinkOutlet implements Outlet {
  readonly #clock: Clock;
  readonly #sink: SampleSink;
  readonly #isConnected: () => boolean;
  /** What moves this robot: that is done under the actuation lease, and never by a route. */
  readonly #commands: ReadonlySet<string>;
  readonly #onSend: (sample: Sample) => void;
  readonly #advertised = new Set<string>();
  readonly #failed = new Map<string, { readonly untilMs: number; readonly error: unknown }>();

  constructor(parts: {
    readonly clock: Clock;
    readonly sink: SampleSink;
    readonly commands: readonly string[];
    isConnected(): boolean;
    /** Told before each sample that goes. */
    onSend(sample: Sample): void;
  }) {
    this.#clock = parts.clock;
    this.#sink = parts.sink;
    this.#commands = new Set(parts.commands);
    this.#isConnected = () => parts.isConnected();
    this.#onSend = (sample) => parts.onSend(sample);
  }

  prepare({ spec }: Route, lane: Lane, type: string): Promise<void> | undefined {
    const topic = `/${lane.target}`;
    // A command is refused where it is sent, a robot that is away is tried again with the next sample.
    if (this.#advertised.has(topic) || this.#commands.has(topic) || !this.#isConnected()) return undefined;
    const failed = this.#failed.get(topic);
    if (failed && this.#clock.monotonicMs() < failed.untilMs) return Promise.reject(failed.error);
    this.#advertised.add(topic);
    const qos = {
      reliability: spec.reliability,
      durability: spec.durability,
      history: 'keep_last',
      depth: spec.depth,
    } as const;
    return this.#sink.advertise({ topic, type, qos }).then(
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
    if (this.#commands.has(sample.topic)) {
      throw new EdgeError('command.refused', {
        operation: 'forward',
        subject: sample.topic,
        message: 'a route does not move the robot: that takes the actuation lease',
        hint: 'send an intent, or route to another topic',
      });
    }
    if (this.#isConnected()) {
      this.#onSend(sample);
      return this.#sink.offer(sample) ? 'done' : 'busy';
    }
    throw new EdgeError('robot.unreachable', {
      operation: 'forward',
      subject: `/${lane.target}`,
      message: 'the robot is not connected',
    });
  }
}
