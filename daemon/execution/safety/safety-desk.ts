import {
  type ArmState,
  type CellContext,
  EdgeError,
  type EStopState,
  type JointTarget,
  type LeaseView,
  type Sample,
  TOPICS,
  toWireTime,
} from '../../../contract/core.ts';
import type { Actuation, LeaseTimes, Mover, Safety } from '../actuation.ts';
import {
  Door,
  DoorCalls,
  DoorGate,
  type DoorPath,
  type Executed,
  MeasuredJoints,
  type RobotSink,
  TopicClasses,
} from '../door/index.ts';
import type { Drive } from '../drive.ts';
import { ArmJog, type ArmJogParts } from './arm-jog.ts';
import { EmergencyStopper } from './emergency-stopper.ts';
import type { JointGateSpec } from './gate-spec.ts';
import { NewPress } from './new-press.ts';
import { SafetyWatch, SafetyWord } from './safety-word.ts';
import { serveSafety } from './serve-safety.ts';
import { StopFile } from './stop-file.ts';
import { StopLatch } from './stop-latch.ts';
import { StopStore } from './stop-store.ts';
import { StopWays } from './stop-ways.ts';
import { Teleoperation } from './teleoperation.ts';
import { checkTrajectory } from './trajectory-check.ts';

export type SafetyOptions = {
  readonly times: LeaseTimes;
  /** ROS topic and key that engage the emergency stop; empty: none. */
  readonly topic: string;
  readonly key: string;
  /** Topics and actions that move this robot. */
  readonly commands: readonly string[];
  /** Those of `commands` that carry velocities of joints or of the base. */
  readonly speeds?: readonly string[];
  /** False: this daemon has no robot to stop. Absent: it has one. */
  readonly hasRobot?: boolean;
  readonly base?: readonly string[];
  /** Fastest velocity of the base, m/s and rad/s; absent: any that is finite. */
  readonly speedsMax?: { readonly linearMax: number; readonly angularMax: number };
  /** `robot.harmless`: names that others may send to although their types are not known to be harmless. */
  readonly harmless?: readonly string[];
  /** See `TopicClassesOptions`. */
  graphTypes?(topic: string): readonly string[];
  /** See `DoorParts`. */
  executed?(command: Executed): void;
  /** Topic of the measured joints of the arm; absent: none. */
  readonly jointStates?: string;
  /** Limits of the joints of the arm, where they are known. */
  readonly spec?: JointGateSpec | undefined;
  /** Where the joints of the arm can be moved by hand. */
  readonly jog?: Pick<ArmJogParts, 'spec' | 'states' | 'commands'> & {
    /** Publishes the sample for the recorder. */
    publish(sample: Sample): void;
  };
};

/** Minimum time between two reports of the same fault, milliseconds. */
const FAULT_MS = 10_000;
const ANY_SPEED = { linearMax: Number.POSITIVE_INFINITY, angularMax: Number.POSITIVE_INFINITY };

/**
 * The parts that prevent motion: door, stop, leases, gate. They are created before anything that could move the robot.
 */
export class SafetyDesk {
  readonly word = new SafetyWord();
  readonly latch: StopLatch;
  /** Every sample for the robot passes this door. */
  readonly door: Door;
  readonly calls: DoorCalls;
  /** Ways to the emergency stop on the session of this robot. */
  readonly ways: StopWays;
  readonly #context: CellContext;
  readonly #options: SafetyOptions;
  readonly #file: StopFile;
  readonly #stopper: EmergencyStopper;
  readonly #press: NewPress;
  #actuation: Actuation | undefined;
  #jog: ArmJog | undefined;
  #jogPath: DoorPath | undefined;
  readonly #measured: MeasuredJoints;
  #told = { message: '', atMs: -Infinity };

  constructor(context: CellContext, options: SafetyOptions) {
    const { clock, dataDir } = context;
    this.#context = context;
    this.#options = options;
    const store = new StopStore(dataDir);
    this.latch = new StopLatch(this.word, store.read(toWireTime(clock.now())));
    this.#measured = new MeasuredJoints(clock, options.jointStates ?? '');
    const { commands, harmless, graphTypes, speeds, base, speedsMax = ANY_SPEED, spec } = options;
    const topics = new TopicClasses({ obeys: commands, harmless, graphTypes });
    const gate = new DoorGate({ speeds: speedsMax, base, joints: spec, measured: this.#measured.joints });
    this.calls = new DoorCalls(topics, gate);
    this.door = new Door({
      ...{ clock, topics, gate, speeds, latch: this.latch },
      lease: () => this.#actuation?.lease,
      note: (event) => this.#actuation?.note(event),
      ...(options.executed ? { executed: options.executed } : {}),
    });
    this.#file = new StopFile(dataDir, clock);
    this.#press = new NewPress(clock);
    this.#stopper = new EmergencyStopper({
      clock,
      latch: this.latch,
      write: (state) => store.write(state),
      stop: async (reason) => this.#actuation?.emergency(reason),
      causes: () => [
        ...(this.#file.exists ? [`the stop file ${this.#file.path} exists`] : []),
        ...this.ways.causes(),
      ],
      note: (event) => this.#actuation?.note(event),
      tell: (state) => context.bus.broadcast(TOPICS.stopEngaged, state),
      released: () => this.#press.stopped(),
    });
    const onFault = (error: unknown) => this.#fault(error);
    this.ways = new StopWays({ clock, stop: this.#stopper, onFault, ...options });
  }

  get safety(): Safety {
    return { word: this.word, latch: this.latch, times: this.#options.times };
  }

  /** The robot is there: its joints can be moved by hand where the configuration says how. */
  guard(sink: RobotSink): void {
    const { jog } = this.#options;
    if (!jog) return;
    const { clock } = this.#context;
    const watch = new SafetyWatch(this.word.buffer, clock);
    const path = this.door.path(sink, { kind: 'teleoperation', name: 'joints' });
    this.#jogPath = path;
    this.#jog = new ArmJog({
      ...{ clock, spec: jog.spec, states: jog.states, commands: jog.commands },
      send: (sample) => {
        if (this.latch.engaged || !path.offer(sample)) return false;
        jog.publish(sample);
        return true;
      },
      mayMove: (lease) => watch.mayMove(lease),
      note: (event) => this.#actuation?.note(event),
    });
  }

  /** Parts that a person moves by hand. Every stop stops them too. */
  movers(): readonly Mover[] {
    return this.#jog ? [this.#jog] : [];
  }

  /** Called before this cell takes requests. From here on the stop file counts. */
  start(actuation: Actuation, drive: Pick<Drive, 'steer'>): void {
    this.#actuation = actuation;
    const steer = drive.steer?.bind(drive);
    const check = (operation: string, subject: string) => this.latch.check(operation, subject);
    actuation.onStop(() => this.#press.stopped());
    const teleoperation = new Teleoperation({
      ...{ clock: this.#context.clock, actuation, press: this.#press, steer, jog: this.#jog?.jog, check },
    });
    const { hasRobot = true } = this.#options;
    serveSafety(this.#context.bus, { actuation, stop: this.#stopper, teleoperation, check, hasRobot });
    this.#file.start(
      (words) => {
        this.#stopper.engage('file', this.#file.path, words).catch((error: unknown) => this.#fault(error));
      },
      () => this.latch.engaged,
    );
  }

  /** See `Actuation.admit`. Throws `cell.unavailable` before this cell has started. */
  readonly admit = (operation: string, subject: string): void => {
    if (!this.#actuation) throw new EdgeError('cell.unavailable', { operation, subject });
    this.#actuation.admit(operation, subject);
  };

  /**
   * Throws `command.refused` for a trajectory that leaves the limits of `[gate]` from `joints` on. Without limits all
   * pass.
   */
  readonly checkTrajectory = (points: readonly JointTarget[], joints: ArmState['joints']): void => {
    const { spec } = this.#options;
    if (spec) checkTrajectory(spec, points, joints);
  };

  /** Takes every sample of the robot. */
  observe(sample: Sample): void {
    this.ways.observe(sample);
    this.#measured.observe(sample);
    this.#jog?.observe(sample);
  }

  status(): { readonly estop: EStopState; readonly lease: LeaseView; readonly withheld: number } {
    return {
      estop: this.latch.state,
      lease: this.#actuation?.lease.view() ?? { state: 'free' },
      withheld: this.door.withheld,
    };
  }

  /** Faults of these parts, for the status of the cell. */
  degraded(): readonly string[] {
    if (!this.latch.engaged) return [];
    return [this.latch.refusal('move', 'robot').message];
  }

  /** Where commands of the joints go; once the robot is there. */
  async advertise(): Promise<void> {
    const { jog } = this.#options;
    if (!jog || !this.#jogPath) return;
    const qos = { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 1 } as const;
    await this.#jogPath.advertise({ topic: jog.commands, type: 'std_msgs/msg/Float64MultiArray', qos });
  }

  close(): void {
    this.#file.close();
    this.#jog?.close();
  }

  #fault(thrown: unknown): void {
    const { code, message } = EdgeError.from(thrown, 'internal.fault', 'emergency stop', 'robot');
    const nowMs = this.#context.clock.monotonicMs();
    // A topic that sends `true` fifty times a second would cause the same report as often.
    if (this.#told.message === message && nowMs - this.#told.atMs < FAULT_MS) return;
    this.#told = { message, atMs: nowMs };
    this.#context.report('error', message, { code });
  }
}
