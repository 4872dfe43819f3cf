import {
  type AppliedAction,
  type Clock,
  type ControllerOrder,
  type ControllerView,
  EdgeError,
  LIMITS,
  type MotionResult,
  NOT_CONFIRMED,
  type PolicyDesk,
  type Sample,
} from '../../../contract/core.ts';
import { appliedAction, commandSample } from './action-sample.ts';
import { ChunkOrigins } from './chunk-origins.ts';
import { STOPPING } from './controller-core.ts';
import type { ControllerSpec } from './controller-spec.ts';
import { VERDICTS } from './controllers-thread.ts';
import { Inference } from './inference.ts';
import { jointsOf, placeOf } from './measured-sample.ts';
import type { FromThread, ToThread } from './messages.ts';
import { ObservationDesk, type PictureDecoder } from './observation-desk.ts';
import { REFUSED_CHUNKS, RefusalLog } from './refusal-log.ts';
import { RunCounts } from './run-counts.ts';
import { notConfirmed, type Run, RunEnding } from './run-ending.ts';
import type { SharedState, StepRecord } from './shared-state.ts';
import { StopSpeeds } from './stop-speeds.ts';

/** A command older than this is not sent, milliseconds. */
const STALE_COMMAND_MS = 100;

export type SlotDeps = {
  readonly clock: Clock;
  /** The time line shared with the thread, milliseconds. */
  nowMs(): number;
  readonly index: number;
  readonly spec: ControllerSpec;
  readonly shared: SharedState;
  readonly policies: PolicyDesk;
  readonly decode: PictureDecoder;
  tell(message: ToThread, transfer?: readonly ArrayBuffer[]): void;
  /** Topic of nav_msgs/Odometry by which a base is seen to stand. */
  readonly odometry: string;
  /** The emergency stop is engaged: no way to rest, what stands still at once. */
  isStopped(): boolean;
  /** To the robot; false when it was not taken. */
  send(sample: Sample): boolean;
  /** The step goes to the record. */
  record(action: AppliedAction): void;
  refused(controller: string, policy: string, reason: string): void;
  onFault(error: EdgeError): void;
};

/** The cell's side of one controller: what it is shown, its questions, its commands and its record. */
export class ControllerSlot {
  readonly #deps: SlotDeps;
  readonly observations: ObservationDesk;
  readonly inference: Inference;
  readonly #standing: StopSpeeds;
  #counts = new RunCounts();
  #state: ControllerView['state'] = 'idle';
  #reason = '';
  #hash = '';
  #run: Run | undefined;
  #runs = 0;
  /** Newest time of the robot, and when it came by our own clock. */
  #time: { readonly ns: bigint; readonly atMs: number } | undefined;
  readonly #origins = new ChunkOrigins();
  readonly #reasons = new Map<number, string>([[0, '']]);
  readonly #refusals = new RefusalLog();
  /** Newest joints, by our own clock. */
  #jointsMs = -Infinity;
  /** How often it was stopped, running or not, and what for. */
  #stops = 0;
  #stoppedFor = '';
  /** The principal that stopped the newest run, where it is known. */
  stoppedBy: string | undefined;
  #sendable: { readonly record: StepRecord; readonly reason: string } | undefined;

  constructor(deps: SlotDeps) {
    this.#deps = deps;
    const { clock, spec, policies: desk, decode } = deps;
    this.observations = new ObservationDesk(spec, decode);
    this.inference = new Inference({ clock, spec, desk, observations: this.observations });
    this.#standing = new StopSpeeds(clock);
  }

  get spec(): ControllerSpec {
    return this.#deps.spec;
  }
  get run(): Run | undefined {
    return this.#run;
  }
  get counts(): RunCounts {
    return this.#counts;
  }
  get policyHash(): string {
    return this.#hash;
  }

  observe(sample: Sample): void {
    const { spec, shared, index, nowMs, odometry } = this.#deps;
    const now = nowMs();
    this.observations.offer(sample, now, (input, atMs) => {
      shared.measured(index, input, atMs);
      this.#time = { ns: sample.received, atMs: now };
    });
    if (spec.output.kind === 'twist' && sample.topic === odometry) {
      const place = placeOf(sample);
      if (place) this.#run?.ending?.observe(place.pose, place.speeds);
    }
    const joints =
      spec.state !== '' && sample.topic === spec.state ? jointsOf(sample, spec.output.names) : undefined;
    if (!joints) return;
    this.#jointsMs = now - Math.abs(Number(sample.received - sample.stamp)) / 1e6;
    shared.joints(index, this.#jointsMs, joints.positions, joints.efforts);
    this.#run?.ending?.observe(joints.positions, joints.velocities);
  }

  /**
   * Runs until it is stopped, its time is over or `signal` aborts. Then it is brought to rest within the limits of its
   * gate, and this resolves when the robot is measured to stand or `LIMITS.STILL_WAIT_MS` later, and says which.
   */
  async start(order: ControllerOrder, lease: number, signal: AbortSignal): Promise<MotionResult> {
    const { clock, shared, index, tell, nowMs } = this.#deps;
    this.#hash = this.inference.describe().hash;
    const number = ++this.#runs;
    const ends = new AbortController();
    const beganMs = nowMs();
    this.#counts = new RunCounts();
    this.stoppedBy = undefined;
    this.#origins.clear();
    this.#refusals.clear();
    this.#say('running', 'waiting for the first action');
    return new Promise((resolve) => {
      const limit =
        order.seconds === undefined
          ? undefined
          : clock.after(order.seconds * 1000, () => settle('timeout', `${order.seconds} s are over`));
      const settle = (outcome: MotionResult['outcome'], message: string) => {
        if (run.ending || this.#run !== run) return;
        limit?.cancel();
        signal.removeEventListener('abort', abort);
        ends.abort();
        this.#say(outcome === 'timeout' ? 'idle' : 'stopped', message);
        run.ending = new RunEnding({
          ...{ clock, periodMs: 1000 / this.spec.rateHz, halt: () => this.#still() },
          done: (confirmed) => {
            this.#run = undefined;
            run.stood.resolve(confirmed);
            const told = confirmed ? message : `${message}; ${NOT_CONFIRMED}`;
            const [time, durationMs] = [this.#robotTime(nowMs()), nowMs() - beganMs];
            resolve({ outcome, pose: undefined, distance: 0, durationMs, time, message: told });
          },
        });
        this.#halt(run);
      };
      const abort = () => settle('stopped', typeof signal.reason === 'string' ? signal.reason : 'stopped');
      const stood = Promise.withResolvers<boolean>();
      const run: Run = {
        number,
        order,
        lease,
        ends,
        beganMs,
        hasSent: false,
        ending: undefined,
        stood,
        settle,
      };
      this.#run = run;
      if (signal.aborted) return abort();
      this.#standing.cancel();
      signal.addEventListener('abort', abort, { once: true });
      shared.allow(index, number);
      tell({ kind: 'begin', index, run: number, lease });
    });
  }

  /**
   * Nothing of this controller reaches the robot after this returns but its way to rest. Settles when the robot stands;
   * rejects with `robot.unreachable` where that was not confirmed. `by`: the principal that asked.
   */
  async stop(reason: string, by?: string): Promise<void> {
    this.#stops++;
    this.#stoppedFor = reason;
    const run = this.#run;
    if (run && !run.ending) this.stoppedBy = by; // a stop that comes while it is braking ends nothing
    run?.settle('stopped', reason);
    if ((await run?.stood.promise) !== false) return;
    throw notConfirmed(this.spec.name);
  }

  /**
   * For the code that prepares a start: a controller that was stopped meanwhile must not start. Undefined: it was not.
   */
  get stops(): number {
    return this.#stops;
  }
  stoppedSince(stops: number): string | undefined {
    return this.#stops === stops ? undefined : this.#stoppedFor;
  }

  /** The next thread numbers its reasons from the start. A controller that ran has failed. */
  threadEnded(error: EdgeError): void {
    this.#reasons.clear();
    this.#reasons.set(0, '');
    const run = this.#run;
    if (!run) return;
    run.settle('stopped', error.message);
    run.ending?.halt();
    this.#say('failed', error.message);
  }

  onMessage(message: Extract<FromThread, { index: number }>): void {
    if (message.run !== this.#run?.number) return;
    if (message.kind === 'rested') {
      this.#run.ending?.halt();
      return;
    }
    if (this.#run.ending) return;
    if (message.kind === 'question') {
      void this.#answer(this.#run, message);
      return;
    }
    if (message.kind === 'ended') {
      this.#run.settle('stopped', message.reason);
      return;
    }
    const { chunk, result, delayMs, policyHash } = message;
    this.#counts.delays.add(delayMs, this.#deps.nowMs());
    if (result !== 'taken') {
      this.#counts.turnDown(result);
      const refused = REFUSED_CHUNKS[result];
      if (refused === undefined) return;
      this.#tellRefused(refused, policyHash);
      if (this.#state === 'starved' || this.#counts.chunks === 0) this.#say(this.#state, refused);
      return;
    }
    this.#counts.chunks = chunk;
    this.#hash = policyHash;
    this.#origins.became(chunk, message.anchorMs, policyHash);
  }

  onReason(id: number, text: string): void {
    this.#reasons.set(id, text);
  }

  /** In order; `flush` sends the newest of them. */
  onStep(step: StepRecord): void {
    const run = this.#run;
    if (step.run !== run?.number) return;
    const reason = this.#reasons.get(step.reason) ?? '';
    // An action computed before the thread heard of its end is not sent.
    if (run.ending && reason !== STOPPING) return;
    run.ending?.stepped();
    this.#counts.late.add(step.lateMs);
    this.#counts.lateNet.add(step.lateNetMs);
    if (this.#sendable) this.#supersede();
    if (step.sent) this.#sendable = { record: step, reason };
    else this.#count(step, reason);
  }

  /** The newest command goes to the robot, unless it lay for too long. */
  flush(): void {
    const newest = this.#sendable;
    this.#sendable = undefined;
    if (!newest || newest.record.run !== this.#run?.number) return;
    const { record, reason } = newest;
    const { nowMs, send, spec } = this.#deps;
    const late = nowMs() - record.timeMs > STALE_COMMAND_MS;
    const expiresAtMs = record.timeMs + LIMITS.COMMAND_EXPIRY_MS;
    const sample = commandSample(spec, record.applied, this.#robotTime(record.timeMs));
    const taken = !late && send({ ...sample, expiresAtMs });
    if (taken) {
      this.#run.hasSent = true;
      this.#deps.shared.taken(this.#deps.index, record.timeMs);
      this.#count(record, reason);
    } else
      this.#count(
        { ...record, verdict: VERDICTS.indexOf('refused') },
        late ? 'sent too late' : 'not connected',
      );
  }

  view(): ControllerView {
    const { spec, nowMs } = this.#deps;
    const now = nowMs();
    return {
      name: spec.name,
      policy: spec.policy,
      policy_hash: this.#hash,
      hz: spec.rateHz,
      state: this.#state,
      reason: this.#reason,
      stale: this.#stale(now),
      ...this.#counts.view(now, spec.rateHz),
      scheduling: 'unknown',
    };
  }

  async close(): Promise<void> {
    this.#run?.settle('stopped', 'the execution cell is shutting down');
    // What moves the robot was stopped before: here nothing waits.
    this.#run?.ending?.finish(true);
    await this.inference.close();
    this.#standing.cancel();
  }

  async #answer(run: Run, question: Extract<FromThread, { kind: 'question' }>): Promise<void> {
    const { tell, index } = this.#deps;
    const { id } = question;
    try {
      const { order, ends } = run;
      const { chunk, observationNs } = await this.inference.infer(question, order.task, ends.signal);
      if (this.#run !== run || run.ending) return;
      this.#origins.answered(question.anchorMs, { observationNs, policyHash: chunk.policyHash });
      const actions = Float32Array.from(chunk.actions.data);
      const [horizon = 0, dimension = 0] = chunk.actions.shape;
      const { stepMs, policyHash } = chunk;
      const answer = { index, run: run.number, id, stepMs, actions, horizon, dimension, policyHash };
      tell({ kind: 'answer', ...answer }, [actions.buffer]);
    } catch (thrown) {
      if (this.#run !== run || run.ending) return;
      this.#counts.failures++;
      const error = EdgeError.from(thrown, 'model.failed', 'infer', this.spec.name);
      if (this.#state === 'starved' || this.#counts.chunks === 0) this.#say(this.#state, error.message);
      this.#deps.onFault(error);
      tell({ kind: 'failed', index, run: run.number, id });
    }
  }

  #supersede(): void {
    const { record } = this.#sendable!;
    this.#counts.superseded++;
    this.#count({ ...record, verdict: VERDICTS.indexOf('refused') }, 'superseded by the next step');
    this.#sendable = undefined;
  }

  #count(step: StepRecord, reason: string): void {
    const counts = this.#counts;
    const verdict = VERDICTS[step.verdict]!;
    counts.steps++;
    if (verdict === 'starved') counts.starved++;
    if (verdict === 'limited') counts.clamped++;
    if (verdict === 'refused') counts.refused++;
    const acts = this.#run?.ending === undefined;
    if (acts && verdict === 'starved' && this.#state !== 'starved') this.#say('starved', reason);
    if (acts && verdict !== 'starved' && (this.#state === 'starved' || this.#reason !== ''))
      this.#say('running', '');
    if (verdict === 'refused') this.#tellRefused(reason);
    const { order, lease = 0 } = this.#run ?? {};
    const made = { origin: this.#origins.of(step.chunk), hash: this.#hash, order, lease };
    this.#deps.record(
      appliedAction(this.spec, step, { verdict, reason, time: this.#robotTime(step.timeMs), ...made }),
    );
  }

  #tellRefused(reason: string, hash = this.#hash): void {
    if (this.#refusals.isDue(reason, this.#deps.nowMs())) this.#deps.refused(this.spec.name, hash, reason);
  }

  #stale(now: number): Record<string, number> {
    const stale = this.observations.stale(now);
    const { state, stateAgeMaxMs } = this.spec;
    if (state !== '' && !(now - this.#jointsMs <= stateAgeMaxMs)) stale['joints'] = now - this.#jointsMs;
    return stale;
  }

  /** Its thread brings it to rest. By the emergency stop, and where nothing moved, there is no way there. */
  #halt(run: Run): void {
    const { shared, index, tell, isStopped } = this.#deps;
    const brakes = !isStopped();
    shared.allow(index, 0);
    tell({ kind: 'end', index, run: run.number, brakes });
    this.#sendable = undefined;
    if (!run.hasSent) run.ending?.finish(true);
    else if (!brakes) run.ending?.halt();
  }

  /** Speeds are taken back here and now, whatever the thread does; a position is where it is. */
  #still(): void {
    const { send, spec, nowMs } = this.#deps;
    this.#sendable = undefined;
    if (spec.output.kind === 'positions') return;
    const still = new Float64Array(spec.output.names.length);
    this.#standing.stop(() => send(commandSample(spec, still, this.#robotTime(nowMs()))));
  }

  #say(state: ControllerView['state'], reason: string): void {
    this.#state = state;
    this.#reason = reason;
  }

  /** Time of the robot at one of our own, nanoseconds. */
  #robotTime(ms: number): bigint {
    const time = this.#time;
    if (!time) return this.#deps.clock.now();
    return time.ns + BigInt(Math.round((ms - time.atMs) * 1e6));
  }
}
