import {
  type AppliedAction,
  type Clock,
  type ControllerOrder,
  type ControllerView,
  EdgeError,
  type MotionResult,
  type PolicyDesk,
  type Sample,
  toWireTime,
} from '../../../contract/core.ts';
import { decodeJointState, JOINT_STATE } from '../../../formats/cdr/index.ts';
import { commandSample } from './action-sample.ts';
import type { ControllerSpec } from './controller-spec.ts';
import { VERDICTS } from './controllers-thread.ts';
import { Inference } from './inference.ts';
import type { FromThread, ToThread } from './messages.ts';
import { ObservationDesk, type PictureDecoder } from './observation-desk.ts';
import { REFUSED_CHUNKS, RefusalLog } from './refusal-log.ts';
import { RunCounts } from './run-counts.ts';
import type { SharedState, StepRecord } from './shared-state.ts';
import { StopSpeeds } from './stop-speeds.ts';

/** Chunks whose origin is remembered: one more than can be queued at a time, with some to spare. */
const ORIGINS_MAX = 256;
/** A command that lay longer than this is not sent any more, milliseconds. */
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
  /** To the robot; false when it was not taken. */
  send(sample: Sample): boolean;
  /** The step goes to the record. */
  record(action: AppliedAction): void;
  refused(controller: string, policy: string, reason: string): void;
  onFault(error: EdgeError): void;
};

type Run = {
  readonly number: number;
  readonly order: ControllerOrder;
  readonly lease: number;
  readonly ends: AbortController;
  readonly beganMs: number;
  settle(outcome: MotionResult['outcome'], message: string): void;
};

type Origin = { readonly observationNs: bigint; readonly policyHash: string };

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
  readonly #asked = new Map<number, Origin>();
  readonly #origins = new Map<number, Origin>();
  readonly #reasons = new Map<number, string>([[0, '']]);
  readonly #refusals = new RefusalLog();
  /** Newest joints, by our own clock. */
  #jointsMs = -Infinity;
  /** How often it was stopped, running or not, and what for. */
  #stops = 0;
  #stoppedFor = '';
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
    const { spec, shared, index, nowMs } = this.#deps;
    const now = nowMs();
    this.observations.offer(sample, now, (input, atMs) => {
      shared.measured(index, input, atMs);
      this.#time = { ns: sample.received, atMs: now };
    });
    if (spec.state === '' || sample.topic !== spec.state || sample.type !== JOINT_STATE) return;
    try {
      const state = decodeJointState(sample.bytes);
      const at = spec.output.names.map((name) => state.name.indexOf(name));
      const atMs = now - Math.abs(Number(sample.received - sample.stamp)) / 1e6;
      const positions = at.map((i) => state.position[i] ?? Number.NaN);
      // A message of other joints, or of a part of them, says nothing of where these are.
      if (!positions.every(Number.isFinite)) return;
      const efforts = at.map((i) => state.effort[i] ?? Number.NaN);
      shared.joints(index, atMs, positions, efforts);
      this.#jointsMs = atMs;
    } catch {
      // Unreadable joints are joints that did not come: they get too old, and that is declared.
    }
  }

  /**
   * Runs until it is stopped, its time is over or `signal` aborts; nothing is sent any more when it resolves. The
   * policy begins a new episode before.
   */
  async start(order: ControllerOrder, lease: number, signal: AbortSignal): Promise<MotionResult> {
    const { clock, shared, index, tell, nowMs } = this.#deps;
    this.#hash = this.inference.describe().hash;
    const number = ++this.#runs;
    const ends = new AbortController();
    const beganMs = nowMs();
    this.#counts = new RunCounts();
    this.#asked.clear();
    this.#origins.clear();
    this.#refusals.clear();
    this.#say('running', 'waiting for the first action');
    return new Promise((resolve) => {
      const limit =
        order.seconds === undefined
          ? undefined
          : clock.after(order.seconds * 1000, () => settle('timeout', `${order.seconds} s are over`));
      const settle = (outcome: MotionResult['outcome'], message: string) => {
        if (this.#run?.number !== number) return;
        this.#run = undefined;
        limit?.cancel();
        signal.removeEventListener('abort', abort);
        this.#halt(number);
        ends.abort();
        this.#say(outcome === 'timeout' ? 'idle' : 'stopped', message);
        const time = this.#robotTime(nowMs());
        resolve({ outcome, pose: undefined, distance: 0, durationMs: nowMs() - beganMs, time, message });
      };
      const abort = () => settle('stopped', typeof signal.reason === 'string' ? signal.reason : 'stopped');
      this.#run = { number, order, lease, ends, beganMs, settle };
      if (signal.aborted) return abort();
      this.#standing.cancel();
      signal.addEventListener('abort', abort, { once: true });
      shared.allow(index, number);
      tell({ kind: 'begin', index, run: number, lease });
    });
  }

  /** Nothing of this controller reaches the robot after this returns but speeds of zero. */
  stop(reason: string): void {
    this.#stops++;
    this.#stoppedFor = reason;
    this.#run?.settle('stopped', reason);
  }

  /** For whoever prepares a start: it is not to begin when it was stopped meanwhile. Undefined: it was not. */
  get stops(): number {
    return this.#stops;
  }
  stoppedSince(stops: number): string | undefined {
    return this.#stops === stops ? undefined : this.#stoppedFor;
  }

  /** Another one will number its reasons anew. What ran has failed. */
  threadEnded(error: EdgeError): void {
    this.#reasons.clear();
    this.#reasons.set(0, '');
    if (!this.#run) return;
    this.stop(error.message);
    this.#say('failed', error.message);
  }

  onMessage(message: Extract<FromThread, { index: number }>): void {
    if (message.run !== this.#run?.number) return;
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
    const origin = this.#asked.get(message.anchorMs) ?? { observationNs: 0n, policyHash };
    this.#origins.set(chunk, origin);
    if (this.#origins.size > ORIGINS_MAX) this.#origins.delete(this.#origins.keys().next().value!);
  }

  onReason(id: number, text: string): void {
    this.#reasons.set(id, text);
  }

  /** In order; `flush` sends the newest of them. */
  onStep(step: StepRecord): void {
    if (step.run !== this.#run?.number) return;
    const reason = this.#reasons.get(step.reason) ?? '';
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
    const taken = !late && send(commandSample(spec, record.applied, this.#robotTime(record.timeMs)));
    if (taken) {
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
    const { steps, starved, clamped, refused, chunks, turnedDown, delays, late, lateNet } = this.#counts;
    return {
      name: spec.name,
      policy: spec.policy,
      policy_hash: this.#hash,
      hz: spec.rateHz,
      state: this.#state,
      reason: this.#reason,
      steps,
      starved,
      clamped,
      refused,
      stale: this.#stale(now),
      chunks,
      turned_down: turnedDown,
      inference_p50_ms: delays.quantile(0.5, now),
      inference_p99_ms: delays.quantile(0.99, now),
      late_p99_ms: late.quantile(0.99),
      late_max_ms: late.most,
      late_net_p99_ms: lateNet.quantile(0.99),
      late_recent_ms: late.recent(Math.ceil(spec.rateHz)),
      scheduling: 'unknown',
    };
  }

  async close(): Promise<void> {
    this.stop('the cell stops');
    await this.inference.close();
    this.#standing.cancel();
  }

  async #answer(run: Run, question: Extract<FromThread, { kind: 'question' }>): Promise<void> {
    const { tell, index } = this.#deps;
    const { id } = question;
    try {
      const { order, ends } = run;
      const { chunk, observationNs } = await this.inference.infer(question, order.task, ends.signal);
      if (this.#run !== run) return;
      this.#remember(question.anchorMs, { observationNs, policyHash: chunk.policyHash });
      const actions = Float32Array.from(chunk.actions.data);
      const [horizon = 0, dimension = 0] = chunk.actions.shape;
      const { stepMs, policyHash } = chunk;
      const answer = { index, run: run.number, id, stepMs, actions, horizon, dimension, policyHash };
      tell({ kind: 'answer', ...answer }, [actions.buffer]);
    } catch (thrown) {
      if (this.#run !== run) return;
      this.#counts.failures++;
      const error = EdgeError.from(thrown, 'model.failed', 'infer', this.spec.name);
      if (this.#state === 'starved' || this.#counts.chunks === 0) this.#say(this.#state, error.message);
      this.#deps.onFault(error);
      tell({ kind: 'failed', index, run: run.number, id });
    }
  }

  #remember(anchorMs: number, origin: Origin): void {
    this.#asked.set(anchorMs, origin);
    if (this.#asked.size > ORIGINS_MAX) this.#asked.delete(this.#asked.keys().next().value!);
  }

  #supersede(): void {
    const { record } = this.#sendable!;
    this.#counts.superseded++;
    this.#count({ ...record, verdict: VERDICTS.indexOf('refused') }, 'superseded: the next step was there');
    this.#sendable = undefined;
  }

  #count(step: StepRecord, reason: string): void {
    const counts = this.#counts;
    const verdict = VERDICTS[step.verdict]!;
    counts.steps++;
    if (verdict === 'starved') counts.starved++;
    if (verdict === 'limited') counts.clamped++;
    if (verdict === 'refused') counts.refused++;
    if (verdict === 'starved' && this.#state !== 'starved') this.#say('starved', reason);
    if (verdict !== 'starved' && (this.#state === 'starved' || this.#reason !== '')) this.#say('running', '');
    if (verdict === 'refused') this.#tellRefused(reason);
    this.#deps.record(this.#action(step, verdict, reason));
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

  #action(step: StepRecord, verdict: AppliedAction['verdict'], reason: string): AppliedAction {
    const origin = this.#origins.get(step.chunk);
    return {
      controller: this.spec.name,
      time_ns: toWireTime(this.#robotTime(step.timeMs)),
      kind: this.spec.output.kind,
      names: this.spec.output.names,
      asked: [...step.asked],
      applied: [...step.applied],
      verdict,
      reason,
      chunk: step.chunk,
      observation_ns: toWireTime(origin?.observationNs ?? 0n),
      policy: this.spec.policy,
      policy_hash: origin?.policyHash ?? this.#hash,
      plan_step: this.#run?.order.plan_step ?? '',
      motion_id: this.#run?.order.motionId ?? '',
      lease: this.#run?.lease ?? 0,
    };
  }

  /** Speeds are taken back here and now, whatever the thread does; a position is where it is. */
  #halt(number: number): void {
    const { shared, index, tell, send, spec, nowMs } = this.#deps;
    shared.allow(index, 0);
    tell({ kind: 'end', index, run: number });
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
