import {
  type AppliedAction,
  type CellName,
  type Clock,
  type ControllerOrder,
  type ControllerView,
  EdgeError,
  type MotionResult,
  type NewEvent,
  type PolicyDesk,
  type Sample,
  type Timer,
  type TopicSpec,
  withDeadline,
} from '../../../contract/core.ts';
import { ROBOT_TOPICS } from '../control/robot-topics.ts';
import { reasonWith } from '../robot-requests.ts';
import type { StopNews } from '../safety/stop-news.ts';
import { actionSample, commandTopic } from './action-sample.ts';
import { ControllerSlot } from './controller-slot.ts';
import type { ControllerSpec } from './controller-spec.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';
import type { PictureDecoder } from './observation-desk.ts';
import { SharedState, type StepRecord } from './shared-state.ts';

/** A thread as its starter hands it over. */
export type ControllersHandle = {
  post(message: ToThread, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listen: (message: FromThread) => void): void;
  /** Hands over what lies in the port now, before it returns. */
  drain(): void;
  onExit(listen: (reason: string) => void): void;
  /** However it is; may be called twice. */
  terminate(): void;
};

export type Scheduling = ControllerView['scheduling'];

export type ControllersDeskDeps = {
  readonly clock: Clock;
  nowMs(): number;
  readonly specs: readonly ControllerSpec[];
  readonly policies: PolicyDesk;
  readonly decode: PictureDecoder;
  /** Starts the thread. A throw counts as a thread that ended at once. */
  spawn(data: ThreadData): ControllersHandle;
  /** Asks for the real-time class, and reports which class it got. Never rejects. */
  schedule(tid: number): Promise<Scheduling>;
  advertise(topic: TopicSpec): Promise<void>;
  send(sample: Sample): boolean;
  /** Topic of nav_msgs/Odometry by which a base is seen to stand; absent: `/odom`. */
  readonly odometry?: string;
  /** The emergency stop is engaged. Absent: it never is. */
  isStopped?(): boolean;
  /** To the bus, for the recorder and any other listener. */
  publish(sample: Sample): void;
  note(event: NewEvent): void;
  report(level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>): void;
  readonly actuation: ControllerLease;
  /** Throws why a controller may not move anything, for example because it has no limits. */
  admit?(spec: ControllerSpec): void;
  /** What was wanted before a stop does not start. */
  readonly news?: () => Pick<StopNews, 'check'>;
  /** UUIDv7. */
  newId(): string;
  /** Every step as the thread reports it, before it is sent. */
  onStep?(step: StepRecord): void;
};

/** What moving takes: the lease for as long as `start` runs. `signal` aborts when it is lost or stopped. */
export interface ControllerLease {
  move(
    motionId: string,
    from: CellName,
    start: (signal: AbortSignal, lease: number) => Promise<MotionResult>,
    /** The run that asked for it. */
    run?: string,
  ): Promise<MotionResult>;
}

/** Policy and topic have to be ready by then, milliseconds. It is less than the deadline of the caller. */
const BEGIN_MS = 14_000;
/** What was done is written to the log this often, milliseconds. */
const SUMMARY_MS = 1_000;
/** A thread that takes no step for this long while a controller runs hangs, milliseconds. */
const HANGS_MS = 2_000;
/** How often the main thread looks for steps while a controller runs: what a command waits at most, milliseconds. */
const LOOK_MS = 1;
const RESTART_FIRST_MS = 100;
const RESTART_MAX_MS = 5_000;

/** All controllers of this daemon, and the thread that they run in. */
export class ControllersDesk {
  readonly #deps: ControllersDeskDeps;
  readonly #memory: SharedArrayBuffer;
  readonly #shared: SharedState;
  readonly #slots: readonly ControllerSlot[];
  readonly #starts = new Map<string, Promise<void>>();
  readonly #stoppedStarts = new Map<string, string>();
  #handle: ControllersHandle | undefined;
  #scheduling: Scheduling = 'unknown';
  #restart: Timer | undefined;
  #summary: Timer | undefined;
  #looks: Timer | undefined;
  #delayMs = RESTART_FIRST_MS;
  #seen = { steps: 0, atMs: 0 };
  #told = '';
  #lost = 0;
  #closed = false;

  constructor(deps: ControllersDeskDeps) {
    this.#deps = deps;
    const { specs, clock, policies, decode, nowMs, send } = deps;
    this.#memory = new SharedArrayBuffer(SharedState.bytes(specs));
    this.#shared = new SharedState(this.#memory, specs);
    this.#shared.clear();
    this.#slots = specs.map(
      (spec, index) =>
        new ControllerSlot({
          ...{ clock, spec, index, policies, decode, nowMs, send, shared: this.#shared },
          odometry: deps.odometry ?? ROBOT_TOPICS.odometry,
          isStopped: () => deps.isStopped?.() ?? false,
          tell: (message, transfer) => this.#tell(message, transfer),
          record: (action) => this.#record(action),
          refused: (controller, policy, reason) => this.#refused(controller, policy, reason),
          onFault: (error) => this.#fault(spec, error),
        }),
    );
  }

  start(): void {
    if (this.#slots.length === 0) return;
    this.#spawn();
    this.#summary = this.#deps.clock.every(SUMMARY_MS, () => this.#everySecond());
  }

  observe(sample: Sample): void {
    for (const slot of this.#slots) slot.observe(sample);
  }

  list(): readonly ControllerView[] {
    return this.#slots.map((slot) => ({ ...slot.view(), scheduling: this.#scheduling }));
  }

  isMoving(): boolean {
    return this.#slots.some(({ run }) => run !== undefined);
  }

  /**
   * Resolves once it runs, under the lease. Rejects with `api.not_found`, `command.refused` (it runs already, or
   * another one has its output), `lease.held`, and as `PolicyDesk.open`; with `model.bad_observation` where the
   * policy takes or gives something else than this controller has.
   */
  async begin(order: ControllerOrder, from: CellName, wantedAtMs?: number): Promise<ControllerView> {
    const slot = this.#find(order.controller);
    this.#deps.news?.().check('start a controller', order.controller, wantedAtMs);
    const motionId = order.motionId ?? this.#deps.newId();
    if (slot.run?.order.motionId === motionId) return this.#view(slot);
    const known = this.#starts.get(motionId);
    if (known) return known.then(() => this.#view(slot));
    const started = this.#begin(slot, { ...order, motionId }, from);
    this.#starts.set(motionId, started);
    try {
      await started;
    } finally {
      this.#starts.delete(motionId);
      this.#stoppedStarts.delete(motionId);
    }
    return this.#view(slot);
  }

  /**
   * One controller, or all. Nothing of them is sent after this call but their way to rest. Settles when the robot stands;
   * rejects with `robot.unreachable` where that was not confirmed. With `motionId` only that motion ends, running or
   * being started. `by`: the principal that asked, for log and answers.
   */
  async stop(
    name: string | undefined,
    reason: string,
    { motionId, by }: { motionId?: string | undefined; by?: string | undefined } = {},
  ): Promise<readonly ControllerView[]> {
    const said = reasonWith(reason, by);
    const slots = name === undefined ? this.#slots : [this.#find(name)];
    if (motionId !== undefined && this.#starts.has(motionId)) this.#stoppedStarts.set(motionId, said);
    const own = ({ run }: ControllerSlot) => motionId === undefined || run?.order.motionId === motionId;
    // All of them in this very turn, and all of them to their end.
    const ends = await Promise.allSettled(slots.filter(own).map((slot) => slot.stop(said, by)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return slots.map((slot) => this.#view(slot));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#summary?.cancel();
    this.#restart?.cancel();
    await Promise.all(this.#slots.map((slot) => slot.close()));
    this.#tell({ kind: 'close' });
    this.#handle?.terminate();
    this.#handle = undefined;
    this.#looks?.cancel();
  }

  async #begin(
    slot: ControllerSlot,
    order: ControllerOrder & { motionId: string },
    from: CellName,
  ): Promise<void> {
    const { output, name } = slot.spec;
    if (!this.#handle) throw refused(name, 'the controller thread is starting', 'cell.restarted');
    const rival = this.#slots.find(({ run, spec }) => run && spec.output.topic === output.topic);
    if (rival) throw refused(name, `${rival.spec.name} is running and commands ${output.topic}`);
    this.#deps.admit?.(slot.spec);
    const stops = slot.stops;
    const check = () => {
      const stopped = slot.stoppedSince(stops) ?? this.#stoppedStarts.get(order.motionId);
      if (stopped !== undefined) throw refused(name, `stopped before it started: ${stopped}`);
      if (!this.#handle) throw refused(name, 'the controller thread is starting', 'cell.restarted');
    };
    slot.inference.describe();
    const ready = async () => {
      await slot.inference.reset();
      await this.#deps.advertise(commandTopic(output));
    };
    await withDeadline(this.#deps.clock, BEGIN_MS, ready(), 'start controller', name);
    check();
    await new Promise<void>((resolve, reject) => {
      const start = async (signal: AbortSignal, lease: number) => {
        // A stop that came meanwhile counts.
        check();
        // While it waited for the lease another one may have taken its place.
        const other = this.#slots.find(({ run, spec }) => run && spec.output.topic === output.topic);
        if (other) throw refused(name, `${other.spec.name} is running and commands ${output.topic}`);
        const ended = slot.start(order, lease, signal);
        this.#follow();
        this.#state(slot, 'running', order.task ?? '');
        resolve();
        return ended;
      };
      this.#deps.actuation.move(order.motionId, from, start, order.run).then(
        ({ outcome, message }) => this.#state(slot, outcome, message, slot.stoppedBy),
        (error: unknown) => reject(error instanceof Error ? error : new Error(String(error))),
      );
    });
  }

  #find(name: string): ControllerSlot {
    const slot = this.#slots.find(({ spec }) => spec.name === name);
    if (slot) return slot;
    const names = this.#slots.map(({ spec }) => spec.name).join(', ');
    throw new EdgeError('api.not_found', {
      operation: 'find controller',
      subject: name.slice(0, 64),
      message: `unknown controller ${name.slice(0, 64)}; configured: ${names || 'none'}`,
      hint: 'add it to [[controllers]], see docs/control.md',
    });
  }

  #view(slot: ControllerSlot): ControllerView {
    return { ...slot.view(), scheduling: this.#scheduling };
  }

  #tell(message: ToThread, transfer?: readonly ArrayBuffer[]): void {
    this.#handle?.post(message, transfer);
    this.#shared.posted();
  }

  #spawn(): void {
    const { spawn, specs } = this.#deps;
    try {
      const handle = spawn({ specs, shared: this.#memory });
      this.#handle = handle;
      handle.onMessage((message) => {
        if (this.#handle === handle) this.#onMessage(message);
      });
      handle.onExit((reason) => {
        if (this.#handle === handle) this.#down(reason);
      });
    } catch (error) {
      this.#down(error instanceof Error ? error.message : String(error));
    }
  }

  #onMessage(message: FromThread): void {
    if (message.kind === 'ready') {
      this.#delayMs = RESTART_FIRST_MS;
      void this.#deps.schedule(message.tid).then((scheduling) => {
        this.#scheduling = scheduling;
      });
    } else if (message.kind === 'reason') {
      for (const slot of this.#slots) slot.onReason(message.id, message.text);
    } else {
      this.#slots[message.index]?.onMessage(message);
    }
  }

  /** As long as something runs. A step wakes no thread: see `SharedState`. */
  #follow(): void {
    this.#looks ??= this.#deps.clock.every(LOOK_MS, () => {
      this.#relay();
      if (this.isMoving()) return;
      this.#looks?.cancel();
      this.#looks = undefined;
    });
  }

  /** All steps that lie there are read; of each controller the newest is sent. */
  #relay(): void {
    if (this.#shared.unread === 0) return;
    // The names of the steps were sent before the steps, and by another way.
    this.#handle?.drain();
    for (let step = this.#shared.read(); step; step = this.#shared.read()) this.#step(step);
    for (const slot of this.#slots) slot.flush();
  }

  #step(step: StepRecord): void {
    this.#deps.onStep?.(step);
    this.#slots[step.index]?.onStep(step);
  }

  #record(action: AppliedAction): void {
    this.#deps.publish(actionSample(action));
  }

  #refused(controller: string, policy: string, reason: string): void {
    const error = new EdgeError('command.refused', {
      operation: 'control-step',
      subject: controller,
      message: reason === '' ? 'the gate refused it' : reason,
      hint: policy === '' ? '' : `policy ${policy.slice(0, 16)}`,
    });
    this.#deps.note({ kind: 'command.refused', payload: { error: error.toBody(), source: controller } });
  }

  /** A policy that fails at every question is reported once. */
  #fault({ name }: ControllerSpec, error: EdgeError): void {
    const told = `${name}: ${error.code}: ${error.message}`;
    if (told === this.#told) return;
    this.#told = told;
    this.#deps.report('warn', `the controller ${name} has no action: ${error.message}`, {
      code: error.code,
      hint: error.hint,
    });
  }

  #state(slot: ControllerSlot, state: string, reason: string, by?: string): void {
    const { name } = slot.spec;
    this.#summarise(slot);
    const told = { controller: name, state, reason: reason.slice(0, 512), policy_hash: slot.policyHash };
    this.#deps.note({ kind: 'controller.state', payload: by === undefined ? told : { ...told, by } });
  }

  #everySecond(): void {
    for (const slot of this.#slots) this.#summarise(slot);
    const { steps, lost } = this.#shared;
    if (lost !== this.#lost)
      this.#deps.report('warn', 'control steps were not recorded: the cell did not keep up', {
        lost: lost - this.#lost,
      });
    this.#lost = lost;
    const now = this.#deps.nowMs();
    // Steps are counted from the first action on: before it, there is nothing that could hang.
    const acting = this.#slots.some(({ run, counts }) => run && !run.ending && counts.steps > 0);
    if (!acting || steps !== this.#seen.steps) this.#seen = { steps, atMs: now };
    else if (now - this.#seen.atMs > HANGS_MS) this.#down(`it ran no control step for ${HANGS_MS} ms`);
  }

  #summarise(slot: ControllerSlot): void {
    const summary = slot.counts.summary(this.#deps.nowMs());
    if (!summary) return;
    const { name } = slot.spec;
    const payload = { controller: name, policy_hash: slot.policyHash, ...summary };
    this.#deps.note({ kind: 'control.chunk', payload });
  }

  #down(reason: string): void {
    if (this.#closed) return;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#scheduling = 'unknown';
    const message = `controller thread: ${reason}`;
    this.#deps.report('error', message);
    const error = new EdgeError('cell.restarted', { operation: 'control', subject: 'controllers', message });
    for (const slot of this.#slots) slot.threadEnded(error);
    handle?.terminate();
    this.#restart?.cancel();
    this.#restart = this.#deps.clock.after(this.#delayMs, () => this.#spawn());
    this.#delayMs = Math.min(this.#delayMs * 2, RESTART_MAX_MS);
  }
}

function refused(
  subject: string,
  message: string,
  code: 'command.refused' | 'cell.restarted' = 'command.refused',
) {
  return new EdgeError(code, { operation: 'start controller', subject, message });
}
