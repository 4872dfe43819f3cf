import {
  type Clock,
  EdgeError,
  type Nanoseconds,
  type Sample,
  type SampleSink,
  type SampleSource,
  type SourceState,
  type Timer,
  type TopicSpec,
} from '../contract/core.ts';
import { type HostMessage, type RefereeState, type RobotDescription, tockMessage } from './protocol.ts';
import { RobotLink } from './robot-link.ts';
import { CMD_VEL } from './topics.ts';

/** First and longest wait between two attempts; doubles. A robot that is back is found within a second. */
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;

export type SimRobotOptions = {
  /** The socket that `sim/host.ts` listens at. */
  readonly socket: string;
  readonly clock: Clock;
  /** The topic of its commands; absent: velocities on /cmd_vel. */
  readonly obeys?: readonly TopicSpec[];
  /** Reports for operators: refused commands, a listener that failed. */
  readonly onFault?: (error: EdgeError) => void;
};

/** Called when all samples of a window were delivered; `time` is its end. May send commands for the next one. */
export type TickListener = (time: Nanoseconds) => Promise<void> | void;

/**
 * The simulated robot as a source and a sink. It connects in the background, and again whenever the host is
 * lost; `open` does not wait for it. In lockstep the world waits until the tick listener has settled: a
 * controller that holds, holds the time. Without a listener the world continues; one that throws is
 * reported, then the world continues too, and the robot brakes by its own watchdog.
 */
export class SimRobot implements SampleSource, SampleSink {
  readonly #options: SimRobotOptions;
  #link: RobotLink | undefined;
  #retry: Timer | undefined;
  #retryMs = RETRY_FIRST_MS;
  #closed = false;
  #opened = false;
  #reason = 'not opened';
  #types = new Map<string, string>();
  readonly #advertised = new Map<string, string>();
  #onSample: (sample: Sample) => void = () => {};
  #onState: (state: SourceState) => void = () => {};
  #listener: TickListener | undefined;
  #listening = false;
  #description: RobotDescription | undefined;
  #referee: RefereeState | undefined;
  /** Lost by earlier connections, and by the present one. */
  #lostBefore: Readonly<Record<string, number>> = {};
  #lost: Readonly<Record<string, number>> = {};

  constructor(options: SimRobotOptions) {
    this.#options = options;
  }

  /** Throws `sample.unknown_type` where the robot is known already and publishes a topic with another type. */
  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    if (this.#opened || this.#closed) {
      const message = this.#closed ? 'it was closed' : 'it is open already';
      throw new EdgeError('sim.failed', { operation: 'open', subject: this.#options.socket, message });
    }
    this.#opened = true;
    this.#types = new Map(topics.map(({ topic, type }) => [topic, type]));
    this.#onSample = onSample;
    this.#onState = onState;
    this.#reason = 'connecting to the simulation';
    this.#connect();
  }

  state(): SourceState {
    return {
      connected: this.#link?.greeted ?? false,
      reason: this.#reason,
      lost: sum(this.#lostBefore, this.#lost),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.cancel();
    this.#link?.end('closed');
    this.#reason = 'closed';
  }

  /** Throws `robot.not_supported` for commands that this robot does not have. */
  async advertise(topic: TopicSpec): Promise<void> {
    const { obeys = [CMD_VEL] } = this.#options;
    if (!obeys.some((known) => known.topic === topic.topic && known.type === topic.type)) {
      const message = `the simulated robot obeys ${obeys.map((known) => `${known.type} on ${known.topic}`).join(', ')}`;
      throw new EdgeError('robot.not_supported', { operation: 'advertise', subject: topic.topic, message });
    }
    this.#advertised.set(topic.topic, topic.type);
  }

  offer(sample: Sample): boolean {
    if (this.#advertised.get(sample.topic) !== sample.type) return false;
    return this.#link?.send(sample) ?? false;
  }

  /** One listener; a later one replaces it. */
  onTick(listener: TickListener): void {
    this.#listener = listener;
  }

  /** The last report of the referee; undefined before the first connection. */
  referee(): RefereeState | undefined {
    return this.#referee;
  }

  /** The description of the robot; undefined before the first connection. */
  description(): RobotDescription | undefined {
    return this.#description;
  }

  #connect(): void {
    const link: RobotLink = new RobotLink(this.#options.socket, this.#options.clock, {
      onSample: (sample) => {
        if (this.#types.get(sample.topic) === sample.type) this.#onSample(sample);
      },
      onMessage: (message) => this.#handle(link, message),
      onEnd: (reason) => this.#ended(reason),
    });
    this.#link = link;
  }

  #ended(reason: string): void {
    this.#link = undefined;
    this.#lostBefore = sum(this.#lostBefore, this.#lost);
    this.#lost = {};
    if (this.#closed) return;
    const news = reason !== this.#reason;
    this.#reason = reason;
    this.#retry = this.#options.clock.after(this.#retryMs, () => this.#connect());
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
    if (news) this.#onState(this.state());
  }

  #handle(link: RobotLink, message: HostMessage): void {
    if (message.kind === 'hello') this.#greet(message.description);
    else if (message.kind === 'referee') this.#referee = message.state;
    else if (message.kind === 'fault') this.#report(message.code, message.message);
    else {
      this.#lost = message.lost;
      void this.#tick(link, message.time);
    }
  }

  #greet(description: RobotDescription): void {
    this.#description = description;
    this.#retryMs = RETRY_FIRST_MS;
    const wrong = [...this.#types].filter(([topic, type]) => (description.publishes[topic] ?? type) !== type);
    // Still connected: the other topics flow.
    this.#reason = wrong
      .map(([topic, type]) => `${topic} is ${description.publishes[topic]}, not ${type}`)
      .join('; ');
    this.#onState(this.state());
  }

  async #tick(link: RobotLink, time: Nanoseconds): Promise<void> {
    // In realtime the world does not wait: a listener still busy with an earlier window misses this one.
    if (this.#listening) return link.expectWindow();
    this.#listening = true;
    try {
      const settled = this.#listener?.(time);
      // Awaited only where there is something to wait for: a turn of the loop per window is not free.
      if (settled) await settled;
    } catch (error) {
      this.#report(
        'internal.fault',
        `the tick listener failed: ${error instanceof Error ? error.message : error}`,
      );
    } finally {
      this.#listening = false;
    }
    link.tell(tockMessage(time));
    if (link.greeted) link.expectWindow();
  }

  #report(code: string, message: string): void {
    const known = code === 'command.refused' || code === 'sample.malformed' || code === 'robot.not_supported';
    const subject = this.#options.socket;
    this.#options.onFault?.(
      new EdgeError(known ? code : 'internal.fault', { operation: 'drive', subject, message }),
    );
  }
}

function sum(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const total: Record<string, number> = { ...a };
  for (const [topic, count] of Object.entries(b)) total[topic] = (total[topic] ?? 0) + count;
  return total;
}
