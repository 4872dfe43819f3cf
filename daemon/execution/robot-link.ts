import {
  type CellContext,
  checkFresh,
  EdgeError,
  type ErrorBody,
  LIMITS,
  type Sample,
  type SampleSource,
  type SourceState,
  type TopicSpec,
  type Twist2d,
} from '../../contract/core.ts';
import { encodeTwist, encodeTwistStamped, TWIST_STAMPED } from '../../formats/cdr/index.ts';
import type { SampleBus } from './bus/index.ts';
import type { DriveOrigin } from './control/step-origin.ts';
import type { DoorPath } from './door/index.ts';

export type RobotLinkParts = {
  readonly sourceKind: string;
  readonly source: SampleSource | undefined;
  /** Through the door. */
  readonly sink: Pick<DoorPath, 'advertise' | 'send' | 'close'> | undefined;
  readonly topics: readonly TopicSpec[];
  readonly command: TopicSpec;
  /** What carries speeds of joints. */
  readonly speeds?: readonly TopicSpec[];
  readonly bus: SampleBus;
  /** Every sample of the robot, at once, after the bus has it. */
  onSample(sample: Sample): void;
  /** The emergency stop is engaged: it is commanded to stand, whatever is asked. */
  stopped?(): boolean;
  /** The robot came or went. */
  onChange(): void;
  /** A command of the control loop came too late and was dropped. */
  onLate(error: ErrorBody): void;
  /** Samples the middleware lost before they reached us, since the last count. */
  missed(topic: string, count: number): void;
};

const RETRY_MS = 2_000;

/** The samples of the robot and the commands to it: opened, tried again, lost and counted. */
export class RobotLink {
  readonly #context: CellContext;
  readonly #parts: RobotLinkParts;
  #state: SourceState = { connected: false, reason: 'not opened', lost: {} };
  #retry: { cancel(): void } | undefined;
  /** What the log says about the robot: the last word was that it is lost. */
  #robotLost = false;
  #onLost: (() => void) | undefined;
  /** Lost before it arrived, by topic, as far as the ledger has it. */
  readonly #lost = new Map<string, number>();
  readonly #commandIsHeard: boolean;
  #sourceIsOpen = false;
  #stopped = false;
  /** When a late command was last dropped, monotonic milliseconds. */
  #lateMs = -Infinity;

  constructor(context: CellContext, parts: RobotLinkParts) {
    this.#context = context;
    this.#parts = parts;
    this.#commandIsHeard = parts.topics.some(({ topic }) => topic === parts.command.topic);
  }

  get state(): SourceState {
    return this.#state;
  }

  /** Opens source and sink; a robot that is not there is tried again, and the daemon runs without it. */
  async open(): Promise<void> {
    const { source, sink, command } = this.#parts;
    if (!source) return;
    try {
      await this.#openSource(source);
      await sink?.advertise(command);
      if (sink) await this.#carrySpeeds(sink);
      this.#changed(source.state());
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'robot.unreachable', 'open robot', this.#parts.sourceKind);
      this.#robotLost = true;
      if (error.message !== this.#state.reason) await this.#degrade(error);
      this.#state = { connected: false, reason: error.message, lost: {} };
      if (!error.retryable || this.#stopped) return;
      this.#retry = this.#context.clock.after(RETRY_MS, () => void this.open());
    }
  }

  /** Once: a sink that refuses is tried again without the source, or each sample would come twice. */
  async #openSource(source: SampleSource): Promise<void> {
    if (this.#sourceIsOpen) return;
    const { topics, bus, onSample } = this.#parts;
    await source.open(
      topics,
      (sample) => {
        bus.publish(sample, 'robot');
        onSample(sample);
      },
      (state) => this.#changed(state),
    );
    this.#sourceIsOpen = true;
  }

  /**
   * From the start on, not from the first command on: an advertised speed is stopped by its sink, and joints
   * may still be turning as the former life of this cell commanded them.
   */
  async #carrySpeeds(sink: Pick<DoorPath, 'advertise'>): Promise<void> {
    for (const topic of this.#parts.speeds ?? []) {
      try {
        await sink.advertise(topic);
      } catch (thrown) {
        const error = EdgeError.from(thrown, 'robot.unreachable', 'advertise', topic.topic);
        const facts = { code: error.code, reason: error.message };
        this.#context.report(
          'warn',
          `the joint velocities on ${topic.topic} could not be set to zero`,
          facts,
        );
      }
    }
  }

  /** Nothing is tried again from here on. */
  stopTrying(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  /** Settles when the robot is lost; at once when it is. */
  untilLost(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLost = resolve;
      if (!this.#state.connected) resolve();
    });
  }

  /**
   * `expiresAtMs`: until when a command counts, by the clock of the host. False when no sink is open to
   * take it, or the door refused it.
   */
  send(asked: Twist2d, time: bigint, expiresAtMs?: number, origin?: DriveOrigin): boolean {
    const { sink, command, bus } = this.#parts;
    if (!sink) return false;
    const { linear, angular } = this.#parts.stopped?.() ? { linear: 0, angular: 0 } : asked;
    const twist = { linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } };
    const header = { stamp: time, frame_id: 'base_link' };
    const bytes = command.type === TWIST_STAMPED ? encodeTwistStamped({ header, twist }) : encodeTwist(twist);
    const moves = linear !== 0 || angular !== 0;
    const sample: Sample = {
      ...{ topic: command.topic, type: command.type, stamp: time, received: time, bytes },
      // A stop counts whenever it comes. In lockstep the world waits for its command, however long that takes.
      ...(moves && expiresAtMs !== undefined ? { expiresAtMs } : {}),
    };
    const receipt = sink.send(sample, origin ? { origin } : {});
    const sent = 'sample' in receipt ? receipt.sample : undefined;
    // A command topic that is bridged in comes back from the robot's side, with what others send there.
    if (sent && !this.#commandIsHeard) bus.publish(sent);
    return sent !== undefined;
  }

  /** A command of the control loop, unless it came too late. `madeAtMs`: absent where the world waits for it. */
  drive(asked: Twist2d, time: bigint, madeAtMs: number | undefined, origin?: DriveOrigin): void {
    if (this.#isLate(asked, madeAtMs)) return;
    const expiresAtMs = madeAtMs === undefined ? undefined : madeAtMs + LIMITS.COMMAND_EXPIRY_MS;
    this.send(asked, time, expiresAtMs, origin);
  }

  /** True for a command that is too old because this thread was frozen. A stop is never too old. */
  #isLate({ linear, angular }: Twist2d, madeAtMs: number | undefined): boolean {
    if (madeAtMs === undefined || (linear === 0 && angular === 0)) return false;
    const nowMs = this.#context.clock.monotonicMs();
    try {
      checkFresh('drive', 'robot', madeAtMs, nowMs);
      return false;
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'command.expired', 'drive', 'robot').toBody();
      // Several late commands in a row are reported once.
      if (nowMs - this.#lateMs > LIMITS.FROZEN_MS) this.#parts.onLate(error);
      this.#lateMs = nowMs;
      return true;
    }
  }

  /** What the middleware lost is received and dropped in the ledger: it was owed to us, although it never came. */
  countLosses(): void {
    for (const [topic, lost] of Object.entries(this.#parts.source?.state().lost ?? {})) {
      const news = lost - (this.#lost.get(topic) ?? 0);
      if (news <= 0) continue;
      this.#lost.set(topic, lost);
      this.#parts.missed(topic, news);
    }
  }

  async close(): Promise<void> {
    const { source, sink } = this.#parts;
    await source?.close();
    await sink?.close();
    this.countLosses();
  }

  #changed(state: SourceState): void {
    const before = this.#state;
    this.#state = state;
    if (before.connected === state.connected) return;
    this.#parts.onChange();
    this.#context.report(
      state.connected ? 'info' : 'warn',
      state.connected ? 'robot connected' : 'robot lost',
      { source: this.#parts.sourceKind, reason: state.reason },
    );
    if (!state.connected) {
      this.#onLost?.();
      if (this.#robotLost || this.#stopped) return;
      this.#robotLost = true;
      const details = { operation: 'read samples', subject: this.#parts.sourceKind, message: state.reason };
      const error = new EdgeError('robot.unreachable', details).toBody();
      void this.#emit([{ kind: 'cell.degraded', payload: { error } }]);
    } else if (this.#robotLost) {
      this.#robotLost = false;
      void this.#emit([{ kind: 'cell.recovered', payload: { subject: `robot ${this.#parts.sourceKind}` } }]);
    }
  }

  async #degrade(error: EdgeError): Promise<void> {
    this.#context.report('warn', error.message, { code: error.code, hint: error.hint });
    await this.#emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]);
  }

  async #emit(events: Parameters<CellContext['emit']>[0]): Promise<void> {
    try {
      await this.#context.emit(events);
    } catch (error) {
      this.#context.report('warn', 'an event was not written', {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
