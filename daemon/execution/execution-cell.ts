import {
  type Cell,
  type CellContext,
  EdgeError,
  type ExecutionStatus,
  METHODS,
  type RobotState,
  type Sample,
  type SampleSink,
  type SampleSource,
  type SourceState,
  type TopicSpec,
  type Twist2d,
  type WorkCounter,
} from '../../contract/core.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import type { BagPlayer, PlayOptions } from './bag-player.ts';
import type { Ledger, SampleBus } from './bus/index.ts';
import type { ControlClient } from './control/control-client.ts';
import type { TickResult } from './control/control-core.ts';
import type { Lockstep } from './lockstep.ts';
import { mapCoverage } from './navigation/coverage.ts';
import type { Queryables } from './queryables.ts';
import type { Recorder } from './recorder/index.ts';
import { RobotService } from './robot-service.ts';

export type ExecutionParts = {
  readonly sourceKind: 'sim' | 'ros' | 'none';
  readonly source: SampleSource | undefined;
  readonly sink: SampleSink | undefined;
  readonly topics: readonly TopicSpec[];
  readonly command: TopicSpec;
  readonly bus: SampleBus;
  readonly ledger: Ledger;
  readonly recorder: Recorder | undefined;
  /** Made here, so that the control thread's events reach the cell. */
  makeControl(
    events: Pick<ConstructorParameters<typeof ControlClient>[0], 'onTick' | 'onWake' | 'onReady' | 'onDown'>,
  ): ControlClient;
  readonly player: BagPlayer;
  readonly queryables: Queryables | undefined;
  /** Only in lockstep simulation. */
  readonly lockstep: Lockstep | undefined;
  /** Floor to be mapped, square metres, where it is known. */
  readonly mapAreaM2: number | undefined;
};

const SNAPSHOT_MS = 250;
const SOURCE_RETRY_MS = 2_000;

/** Robot, recorder and control: goes on when every other cell is dead, and stops the robot first. */
export class ExecutionCell implements Cell {
  readonly name = 'execution';
  readonly #context: CellContext;
  readonly #parts: ExecutionParts;
  readonly #control: ControlClient;
  readonly #robot: RobotService;
  #sourceState: SourceState = { connected: false, reason: 'not opened', lost: {} };
  #state: RobotState | undefined;
  #coverage: number | undefined;
  #looks: { cancel(): void } | undefined;
  #retry: { cancel(): void } | undefined;
  #lastMapMs = -Infinity;
  /** Why the robot does not drive by the configured policy. */
  #policyFault: EdgeError | undefined;
  /** What the log says about the robot: the last word was that it is lost. */
  #robotLost = false;
  #onLost: (() => void) | undefined;
  /** Lost before it arrived, by topic, as far as the ledger has it. */
  readonly #lost = new Map<string, number>();
  readonly #commandIsHeard: boolean;
  #stopped = false;
  #ready = false;

  constructor(context: CellContext, parts: ExecutionParts) {
    this.#context = context;
    this.#parts = parts;
    this.#commandIsHeard = parts.topics.some(({ topic }) => topic === parts.command.topic);
    this.#control = parts.makeControl({
      onTick: (result) => this.#applied(result),
      onWake: () => parts.lockstep?.wake(),
      onReady: (fault) => this.#controlReady(fault),
      onDown: (reason) => this.#controlDown(reason),
    });
    this.#robot = new RobotService(context, this.#control, () => this.#sourceState.connected);
  }

  async start(): Promise<void> {
    const { bus, recorder, lockstep, queryables } = this.#parts;
    this.#serve();
    if (recorder) {
      await recorder.start();
      if (this.#stopped) return await recorder.stop();
      recorder.declare([...this.#parts.topics, this.#parts.command]);
      bus.tap('recorder', (sample) => recorder.offer(sample));
    }
    // A robot that is there is steered by what it says itself, never by a recording that is played beside it.
    if (!this.#parts.source) bus.tap('control', (sample) => this.#control.offer(sample));
    this.#control.start();
    this.#robot.register();
    lockstep?.attach(this.#control, () => recorder?.backlogBytes() ?? 0);
    await this.#openRobot();
    if (this.#stopped) return;
    this.#looks = this.#context.clock.every(SNAPSHOT_MS, () => void this.#look());
    // Nobody waits for the network: queryables come when they can.
    void queryables?.start();
    this.#ready = true;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#looks?.cancel();
    this.#retry?.cancel();
    // The robot first: everything else may take its time. One that is lost confirms nothing any more.
    await Promise.race([this.#robot.close(), this.#untilLost()]);
    this.#parts.lockstep?.close();
    this.#sendCommand({ linear: 0, angular: 0 }, this.#context.clock.now());
    await this.#parts.player.close();
    await this.#parts.queryables?.close().catch((error: unknown) => this.#warn('zenoh', error));
    await this.#parts.source?.close();
    if (this.#parts.sink && (this.#parts.sink as unknown) !== this.#parts.source)
      await this.#parts.sink.close();
    this.#countLosses();
    this.#control.close();
    await this.#parts.recorder?.stop();
  }

  work(): readonly WorkCounter[] {
    const { ledger, recorder } = this.#parts;
    const { written, dropped, inFlight } = ledger.totals();
    // A recorder that waits for a full disk drops and counts: that is work too.
    return [
      this.#control.work(),
      ...(recorder ? [{ name: 'recorder', done: written + dropped, waiting: inFlight }] : []),
    ];
  }

  status(): ExecutionStatus {
    const { bus, ledger, recorder, queryables, sourceKind } = this.#parts;
    const { received, written, dropped } = ledger.totals();
    const recording = recorder?.status();
    const { connected, reason } = this.#sourceState;
    return {
      ready: this.#ready,
      source: { kind: sourceKind, connected, reason },
      robot: this.#state,
      mapCoverage: this.#coverage,
      messagesPerSecond: bus.messagesPerSecond(),
      ledger: ledger.lines(),
      received,
      written,
      dropped,
      recorder: recording
        ? {
            state: recording.state,
            reason: recording.reason,
            segments: recording.segments,
            bytes: recording.bytes,
          }
        : { state: 'off', reason: 'recorder.enabled = false', segments: [], bytes: 0 },
      control: this.#control.status,
      zenoh: queryables?.status() ?? { driver: 'none', connected: false, reason: 'zenoh.enabled = false' },
      degraded: this.#degraded(),
    };
  }

  #serve(): void {
    const { bus } = this.#context;
    const { player, recorder } = this.#parts;
    bus.handle(METHODS.execution.status, async () => this.status());
    bus.handle(METHODS.execution.recordSeal, async () => {
      if (!recorder)
        throw new EdgeError('recorder.failed', {
          operation: 'seal',
          subject: 'recorder',
          message: 'the recorder is off',
          hint: 'recorder.enabled = true',
        });
      await recorder.sealNow();
      return recorder.status().segments;
    });
    bus.handle(METHODS.execution.bagPlay, async (body) => player.start(body as PlayOptions));
    bus.handle(METHODS.execution.bagPlayState, async (body) => player.state((body as { id: string }).id));
    bus.handle(METHODS.execution.bagPlayStop, async (body) => player.stop((body as { id: string }).id));
  }

  /** Opens source and sink; a robot that is not there is tried again, and the daemon goes on without. */
  async #openRobot(): Promise<void> {
    const { source, sink, topics, command, bus } = this.#parts;
    if (!source) return;
    try {
      await source.open(
        topics,
        (sample) => {
          bus.publish(sample);
          this.#control.offer(sample);
        },
        (state) => this.#sourceChanged(state),
      );
      await sink?.advertise(command);
      this.#sourceChanged(source.state());
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'robot.unreachable', 'open robot', this.#parts.sourceKind);
      this.#robotLost = true;
      if (error.message !== this.#sourceState.reason) await this.#degrade(error);
      this.#sourceState = { connected: false, reason: error.message, lost: {} };
      if (!error.retryable || this.#stopped) return;
      this.#retry = this.#context.clock.after(SOURCE_RETRY_MS, () => void this.#openRobot());
    }
  }

  #sourceChanged(state: SourceState): void {
    const before = this.#sourceState;
    this.#sourceState = state;
    if (before.connected === state.connected) return;
    // A world that went away takes its pause with it.
    this.#parts.lockstep?.wake();
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

  #untilLost(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLost = resolve;
      if (!this.#sourceState.connected) resolve();
    });
  }

  /** A policy that cannot be loaded is told once, however often the thread is started. */
  #controlReady(fault: EdgeError | undefined): void {
    const news = fault?.message !== this.#policyFault?.message;
    this.#policyFault = fault;
    if (fault && news) void this.#degrade(fault);
  }

  /** What the control thread decided goes to the robot, and what went there is recorded. */
  #applied({ command, time, receipts }: TickResult): void {
    if (command) this.#sendCommand(command, time);
    this.#robot.record(receipts);
  }

  #sendCommand({ linear, angular }: Twist2d, time: bigint): void {
    const { sink, command, bus } = this.#parts;
    if (!sink) return;
    const bytes = encodeTwist({ linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } });
    const sample: Sample = { topic: command.topic, type: command.type, stamp: time, received: time, bytes };
    // A command topic that is bridged in comes back from the robot's side, with what others send there.
    if (sink.offer(sample) && !this.#commandIsHeard) bus.publish(sample);
  }

  /** What the middleware lost is received and dropped in the ledger: it was owed to us, although it never came. */
  #countLosses(): void {
    const { source, recorder } = this.#parts;
    for (const [topic, lost] of Object.entries(source?.state().lost ?? {})) {
      const news = lost - (this.#lost.get(topic) ?? 0);
      if (news <= 0) continue;
      this.#lost.set(topic, lost);
      recorder?.missed(topic, 'middleware', news);
    }
  }

  #controlDown(reason: string): void {
    this.#sendCommand({ linear: 0, angular: 0 }, this.#state?.time ?? this.#context.clock.now());
    this.#context.report('error', 'the control thread is started anew', { reason });
    void this.#emit([
      {
        kind: 'safety.stopped',
        payload: { reason: `control thread: ${reason}`.slice(0, 512), source: 'control' },
      },
    ]);
  }

  /** A look at the robot for whoever asks next; the map is larger and looked at less often. */
  async #look(): Promise<void> {
    this.#countLosses();
    try {
      this.#state = await this.#robot.state();
      const nowMs = this.#context.clock.monotonicMs();
      if (nowMs - this.#lastMapMs < 1_000) return;
      this.#lastMapMs = nowMs;
      const map = await this.#control.map();
      this.#coverage = map && mapCoverage(map, this.#parts.mapAreaM2).share;
    } catch {
      // The control thread is being started anew; it says so itself.
    }
  }

  #degraded(): string[] {
    const { recorder, queryables, source, sourceKind } = this.#parts;
    const found: string[] = [];
    if (this.#policyFault) {
      found.push(`control: driving by ${this.#control.status.policy} instead: ${this.#policyFault.message}`);
    }
    if (source && !this.#sourceState.connected) found.push(`${sourceKind}: ${this.#sourceState.reason}`);
    if (recorder?.status().state === 'failed') found.push(`recorder: ${recorder.status().reason}`);
    if (queryables && !queryables.status().connected) found.push(`zenoh: ${queryables.status().reason}`);
    return found;
  }

  async #degrade(error: EdgeError): Promise<void> {
    this.#context.report('warn', error.message, { code: error.code, hint: error.hint });
    await this.#emit([{ kind: 'cell.degraded', payload: { error: error.toBody() } }]);
  }

  async #emit(events: Parameters<CellContext['emit']>[0]): Promise<void> {
    try {
      await this.#context.emit(events);
    } catch (error) {
      this.#warn('an event was not written', error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#context.report('warn', message, { error: error instanceof Error ? error.message : String(error) });
  }
}
