import {
  type ArmFigure,
  type ArmState,
  type Cell,
  type CellContext,
  type EdgeError,
  type ExecutionStatus,
  FreezeWatch,
  type Manipulator,
  METHODS,
  type RobotState,
  type Sample,
  type SampleSource,
  type TopicSpec,
  type WorkCounter,
} from '../../contract/core.ts';
import { Actuation, type Mover } from './actuation.ts';
import type { ArmFigureView } from './arm-figure.ts';
import { ArmService } from './arm-service.ts';
import type { BagPlayer } from './bag-player.ts';
import { serveBags } from './bag-requests.ts';
import type { Ledger, SampleBus } from './bus/index.ts';
import type { ClockWatch } from './clock/clock-watch.ts';
import type { ControlClient } from './control/control-client.ts';
import type { TickResult } from './control/control-core.ts';
import type { DoorPath } from './door/index.ts';
import type { Drive } from './drive.ts';
import type { KeySpaceKeeper } from './key-space-keeper.ts';
import type { Lockstep } from './lockstep.ts';
import { type LookParts, serveLooking } from './looking/serve-looking.ts';
import { mapCoverage } from './navigation/coverage.ts';
import type { Recorder } from './recorder/index.ts';
import { type Recording, serveRecording } from './recording/index.ts';
import { RobotHealthView } from './robot-health-view.ts';
import { RobotLink } from './robot-link.ts';
import { RobotService } from './robot-service.ts';
import type { Routes } from './routes/index.ts';
import type { SafetyDesk } from './safety/safety-desk.ts';

export type ExecutionParts = {
  readonly sourceKind: 'sim' | 'ros' | 'ros_zenoh' | 'none';
  readonly source: SampleSource | undefined;
  /** The door path for commands of the base. */
  readonly sink: DoorPath | undefined;
  readonly topics: readonly TopicSpec[];
  readonly command: TopicSpec;
  /** Topics that carry speeds of joints. Absent: no such topics. */
  readonly speeds?: readonly TopicSpec[];
  readonly bus: SampleBus;
  readonly ledger: Ledger;
  readonly recorder: Recorder | undefined;
  /** Clips, episodes and retention. Present where the recorder is. */
  readonly recording?: Recording | undefined;
  /** Creates the drive, with callbacks for the events of its control thread. */
  makeDrive(
    events: Pick<ConstructorParameters<typeof ControlClient>[0], 'onTick' | 'onWake' | 'onReady' | 'onDown'>,
  ): Drive;
  readonly arm: (Manipulator & { observe(sample: Sample): void; close(): Promise<void> }) | undefined;
  /** How the arm is drawn; undefined: this robot has none. */
  readonly figure?: ArmFigureView | undefined;
  readonly player: BagPlayer;
  readonly qosEvents?: () => NonNullable<ExecutionStatus['qosEvents']>;
  /** Parts that move the robot besides drive and arm. Every stop stops them too. */
  readonly movers?: readonly Mover[];
  /** Absent in tests without a camera. */
  readonly looking?: LookParts;
  /** The Zenoh session of this robot. Queryables and routes use it. */
  readonly zenoh: KeySpaceKeeper | undefined;
  readonly routes: Routes;
  /** Emergency stop, leases and limits. Absent in tests of other parts. */
  readonly safety?: SafetyDesk | undefined;
  /** Absent in tests that have no clock to watch. */
  readonly clockWatch?: ClockWatch;
  /** Only in lockstep simulation. */
  readonly lockstep: Lockstep | undefined;
  /** Area of the floor that is to be mapped, square metres, where it is known. */
  readonly mapAreaM2: number | undefined;
};

const SNAPSHOT_MS = 250;
const REST_LOOK_MS = 1_000;
/** This many failed parts of the robot are named in `degraded`. The status has all of them. */
const FAULTS_SHOWN_MAX = 8;

/** Robot, recorder and control. The cell works on when all others are dead. When it ends, it stops the robot first. */
export class ExecutionCell implements Cell {
  readonly name = 'execution';
  readonly #context: CellContext;
  readonly #parts: ExecutionParts;
  readonly #drive: Drive;
  readonly #actuation: Actuation;
  readonly #robot: RobotService;
  readonly #arm: ArmService;
  readonly #health: RobotHealthView;
  readonly #link: RobotLink;
  #state: RobotState | undefined;
  #armState: ArmState | undefined;
  #coverage: number | undefined;
  #looks: { cancel(): void } | undefined;
  #lastMapMs = -Infinity;
  #lastLookMs = -Infinity;
  /** Samples, control steps or a connection since the last look: what a look may find changed. */
  #hasNews = true;
  readonly #freeze: FreezeWatch;
  /** Why the robot does not drive by the configured policy. */
  #policyFault: EdgeError | undefined;
  /** Why the base stands although it may be asked to move. Empty when nothing prevents it. */
  #standing = '';
  /** Time of the newest sample of a simulated robot, since its recording has no wall clock. */
  #lastSimulated: bigint | undefined;
  #stopped = false;
  #ready = false;

  constructor(context: CellContext, parts: ExecutionParts) {
    this.#context = context;
    this.#parts = parts;
    this.#drive = parts.makeDrive({
      onTick: (result, madeAtMs) => this.#applied(result, madeAtMs),
      onWake: () => parts.lockstep?.wake(),
      onReady: (fault) => this.#controlReady(fault),
      onDown: (reason) => this.#controlDown(reason),
    });
    const { arm, safety, movers = [] } = parts;
    const stops = [(reason: string) => this.#stopDrive(reason)];
    if (arm) stops.push((reason) => arm.stop(reason));
    this.#actuation = new Actuation(context, stops, [...movers, ...(safety?.movers() ?? [])], safety?.safety);
    this.#freeze = new FreezeWatch(context.clock, (frozenMs) => this.#thawed(frozenMs));
    this.#health = new RobotHealthView(context.clock);
    this.#robot = new RobotService(context, {
      robot: this.#drive,
      actuation: this.#actuation,
      connected: () => this.#link.state.connected,
      charge: () => this.#health.charge,
      hasRobot: parts.source !== undefined,
    });
    this.#arm = new ArmService(context, arm, this.#actuation, safety?.checkTrajectory);
    this.#link = new RobotLink(context, {
      ...parts,
      onSample: (sample) => this.#observe(sample),
      stopped: () => safety?.latch.engaged ?? false,
      onLate: (error) =>
        this.#actuation.note({ kind: 'command.refused', payload: { error, source: 'control' } }),
      // When a simulation disconnects, its pause is over.
      onChange: () => {
        this.#hasNews = true;
        parts.lockstep?.wake();
        if (this.#link.state.connected) parts.routes.robotConnected();
      },
      missed: (topic, count) => {
        parts.recorder?.missed(topic, 'middleware', count);
        parts.routes.missed(topic, count);
      },
    });
  }

  /** For parts that move the robot besides drive and arm. */
  get actuation(): Actuation {
    return this.#actuation;
  }

  async start(): Promise<void> {
    const { bus, recorder, recording, lockstep, zenoh, routes } = this.#parts;
    this.#parts.safety?.start(this.#actuation, this.#drive);
    this.#serve();
    if (recorder) {
      await recorder.start();
      if (this.#stopped) return await recorder.stop();
      recorder.declare([...this.#parts.topics, this.#parts.command]);
      await recording?.start();
      bus.tap('recorder', (sample) => (recording ?? recorder).offer(sample));
    }
    this.#parts.clockWatch?.start();
    routes.start({
      isRobotConnected: () => this.#link.state.connected,
      onSessionLost: (lost, reason) => void zenoh?.reopen(lost, reason),
    });
    // A connected robot is controlled by its own samples, never by those of a recording that is played.
    if (!this.#parts.source) bus.tap('control', (sample) => this.#observe(sample));
    this.#drive.start();
    this.#robot.register();
    this.#arm.register();
    const { tick } = this.#drive;
    if (tick) lockstep?.attach({ tick: tick.bind(this.#drive) }, () => recorder?.backlogBytes() ?? 0);
    await this.#link.open();
    if (this.#stopped) return;
    await this.#parts.safety?.advertise().catch((error: unknown) => this.#warn('joints by hand', error));
    this.#looks = this.#context.clock.every(SNAPSHOT_MS, () => void this.#look());
    // In lockstep the simulation stands still together with this cell.
    if (!lockstep) this.#freeze.start();
    // The start does not wait for the network: Zenoh connects when it can.
    void zenoh?.start();
    this.#ready = true;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#looks?.cancel();
    this.#freeze.close();
    this.#link.stopTrying();
    // The robot is stopped before anything else. A robot that is disconnected cannot confirm its stop.
    await Promise.race([this.#actuation.close(), this.#link.untilLost()]);
    this.#parts.lockstep?.close();
    this.#link.send({ linear: 0, angular: 0 }, this.#lastSimulated ?? this.#context.clock.now());
    this.#parts.safety?.close();
    await this.#parts.player.close();
    this.#parts.clockWatch?.close();
    await this.#parts.routes.close();
    await this.#parts.zenoh?.close().catch((error: unknown) => this.#warn('zenoh', error));
    await this.#drive.close();
    await this.#parts.arm?.close();
    await this.#link.close();
    await this.#parts.recording?.stop();
    await this.#parts.recorder?.stop();
  }

  work(): readonly WorkCounter[] {
    const { ledger, recorder } = this.#parts;
    const { written, dropped, inFlight } = ledger.totals();
    // A recorder on a full disk drops samples and counts them: that is progress too.
    return [
      this.#drive.work(),
      ...(recorder ? [{ name: 'recorder', done: written + dropped, waiting: inFlight }] : []),
    ];
  }

  status(): ExecutionStatus {
    const { bus, ledger, recorder, zenoh, routes, sourceKind } = this.#parts;
    const { received, written, dropped } = ledger.totals();
    const recording = recorder?.status();
    const { connected, reason } = this.#link.state;
    return {
      ready: this.#ready,
      source: { kind: sourceKind, connected, reason },
      robot: this.#state,
      health: this.#health.snapshot(),
      arm: this.#armState,
      mapCoverage: this.#coverage,
      messagesPerSecond: bus.messagesPerSecond(),
      ledger: [...ledger.lines(), ...routes.lines()],
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
      control: this.#drive.status,
      zenoh: zenoh?.status() ?? { driver: 'none', connected: false, reason: 'zenoh.enabled = false' },
      routes: routes.status(),
      qosEvents: (this.#parts.qosEvents?.() ?? []).map(({ topic, direction, kind, count }) => ({
        topic,
        direction,
        kind,
        count,
      })),
      degraded: this.#degraded(),
      ...this.#parts.safety?.status(),
    };
  }

  #observe(sample: Sample): void {
    this.#hasNews = true;
    if (this.#parts.sourceKind === 'sim') this.#lastSimulated = sample.received;
    this.#parts.clockWatch?.sample(sample);
    this.#parts.safety?.observe(sample);
    this.#drive.offer(sample);
    this.#health.observe(sample);
    this.#parts.arm?.observe(sample);
  }

  #serve(): void {
    const { bus } = this.#context;
    const { player, recording, looking } = this.#parts;
    bus.handle(METHODS.execution.status, async () => this.status());
    bus.handle(METHODS.execution.armFigure, async () => this.#figure());
    serveRecording(bus, recording);
    serveBags(
      this.#context,
      player,
      (segment) => recording?.adopted(segment),
      (...order) => this.actuation.news.check(...order),
    );
    if (looking) serveLooking(bus, this.#parts.bus, looking);
  }

  async #figure(): Promise<ArmFigure | undefined> {
    const { figure } = this.#parts;
    if (!figure) return undefined;
    const state = await this.#arm.state();
    return figure.of(state, this.#health.snapshot().joints, this.#link.state.connected);
  }

  /** A policy that cannot be loaded is reported once, however often the thread is started. */
  #controlReady(fault: EdgeError | undefined): void {
    const news = fault?.message !== this.#policyFault?.message;
    this.#policyFault = fault;
    if (fault && news) void this.#degrade(fault);
  }

  /** At an emergency stop a zero velocity is sent here at once, since the control thread may hang. */
  #stopDrive(reason: string): Promise<void> {
    // Without a robot nothing can report that it stands. Motions along a recording end by their own abort.
    if (!this.#parts.source) return Promise.resolve();
    if (this.#parts.safety?.latch.engaged)
      this.#link.send({ linear: 0, angular: 0 }, this.#state?.time ?? this.#context.clock.now());
    return this.#drive.stop(reason);
  }

  /** Sends the command of the control thread to the robot, and records what was sent. */
  #applied({ command, time, receipts, standing = '', origin }: TickResult, madeAtMs?: number): void {
    this.#standing = standing;
    this.#hasNews = true;
    if (command) this.#link.drive(command, time, madeAtMs, origin);
    this.#robot.record(receipts);
  }

  /** Ends the motions that were running when this cell was frozen: their callers have to ask again. */
  #thawed(frozenMs: number): void {
    this.#actuation.frozen(frozenMs);
  }

  #controlDown(reason: string): void {
    this.#link.send({ linear: 0, angular: 0 }, this.#state?.time ?? this.#context.clock.now());
    this.#context.report('error', 'the control thread is being restarted', { reason });
    void this.#emit([
      {
        kind: 'safety.stopped',
        payload: { reason: `control thread: ${reason}`.slice(0, 512), source: 'control' },
      },
    ]);
  }

  /** A look at the robot for the next caller. The map is larger and looked at less often. */
  async #look(): Promise<void> {
    this.#link.countLosses();
    const nowMs = this.#context.clock.monotonicMs();
    // A robot that neither moves nor reports anything is looked at once a second.
    if (!this.#hasNews && nowMs - this.#lastLookMs < REST_LOOK_MS) return;
    this.#hasNews = false;
    this.#lastLookMs = nowMs;
    try {
      this.#armState = await this.#arm.state();
      this.#state = await this.#robot.state();
      if (nowMs - this.#lastMapMs < 1_000) return;
      this.#lastMapMs = nowMs;
      const map = await this.#drive.map();
      this.#coverage = map && mapCoverage(map, this.#parts.mapAreaM2).share;
    } catch {
      // The control thread is being restarted; it says so itself.
      this.#hasNews = true;
    }
  }

  #degraded(): string[] {
    const { recorder, zenoh, source, sourceKind } = this.#parts;
    const found: string[] = [];
    if (this.#policyFault) {
      found.push(`control: driving by ${this.#drive.status.policy} instead: ${this.#policyFault.message}`);
    }
    if (this.#standing !== '') found.push(`control: the base stays stopped: ${this.#standing}`);
    if (source && !this.#link.state.connected) found.push(`${sourceKind}: ${this.#link.state.reason}`);
    if (recorder?.status().state === 'failed') found.push(`recorder: ${recorder.status().reason}`);
    const lacking = zenoh?.fault();
    if (lacking !== undefined) found.push(`zenoh: ${lacking}`);
    found.push(...(this.#parts.safety?.degraded() ?? []));
    return [...found, ...this.#parts.routes.degraded(), ...this.#health.faults(FAULTS_SHOWN_MAX)];
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
