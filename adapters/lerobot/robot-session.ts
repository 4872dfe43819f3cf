import {
  type ActionChunk,
  type Clock,
  EdgeError,
  LIMITS,
  type Observation,
  type PolicyCaller,
  type PolicyDesk,
  type PolicySession,
  withDeadline,
} from '../../contract/core.ts';
import type { WireKeysFile } from '../../formats/policy-wire/wire-keys.ts';
import { hashBehind } from '../../formats/policy-wire/wire-server.ts';
import { observationOf, type Plan, planOf, stateOf } from './features.ts';
import { type PolicySetup, readObservation, readSetup, writeActions } from './messages.ts';
import { ObservationFilter } from './observation-filter.ts';
import { OBSERVATION_LIMITS } from './pickle/index.ts';

export type SessionOptions = {
  readonly keys: WireKeysFile;
  readonly clock: Clock;
  /** One inference, milliseconds. */
  readonly deadlineMs: number;
  /** How long `actions` waits for an observation, milliseconds. */
  readonly waitMs: number;
  readonly observationBytesMax: number;
  /** Observations nearer than this to the last one are dropped. */
  readonly similarity: number;
};

type Waiting = {
  readonly observation: Observation;
  readonly timestamp: number;
  readonly timestep: number;
  readonly state: Float32Array | undefined;
};
type Asker = { resolve(waiting: Waiting | undefined): void };
/** A session, and how observations are read for the policy that answers in it. */
type Bound = {
  readonly session: PolicySession;
  readonly hash: string;
  readonly plan: Plan;
  readonly setup: PolicySetup;
};

/** Calls for actions that may wait at once: a disconnected client leaves one behind. */
const ASKERS_MAX = 4;

/** One client of LeRobot at one policy: its setup, the newest of its observations, what it was given already. */
export class RobotSession {
  readonly #desk: PolicyDesk;
  readonly #caller: PolicyCaller;
  readonly #options: SessionOptions;
  #filter: ObservationFilter;
  #setup: PolicySetup | undefined;
  #policy: Bound | undefined;
  /** One place: a newer observation takes it. */
  #newest: Waiting | undefined;
  readonly #askers: Asker[] = [];
  #closed = false;

  constructor(desk: PolicyDesk, caller: PolicyCaller, options: SessionOptions) {
    this.#desk = desk;
    this.#caller = caller;
    this.#options = options;
    this.#filter = new ObservationFilter(options.similarity);
  }

  /** What its client said of itself: enough to continue after its connection was lost. */
  get setup(): PolicySetup | undefined {
    return this.#setup;
  }

  /** The client starts: what it sent before is forgotten, what it was instructed stays. */
  async ready(): Promise<void> {
    this.#filter = new ObservationFilter(this.#options.similarity);
    this.#newest = undefined;
    // Without a session that lives the next question starts one.
    if (!this.#policy || hashBehind(this.#policy.session) === undefined) return;
    const { clock, deadlineMs } = this.#options;
    await withDeadline(clock, deadlineMs, this.#policy.session.reset(), 'reset', this.#caller.id);
  }

  /** Throws `wire.refused`, `model.not_found`, `model.bad_observation`, `cell.overloaded`. */
  instruct(bytes: Uint8Array): void {
    this.resume(readSetup(bytes));
  }

  resume(setup: PolicySetup): void {
    this.#checkOpen();
    this.#setup = undefined;
    this.#bind(setup);
    this.#setup = setup;
  }

  #bind(setup: PolicySetup): Bound {
    const before = this.#policy;
    this.#policy = undefined;
    this.#newest = undefined;
    this.#filter = new ObservationFilter(this.#options.similarity);
    // Left before the new one is entered: a desk counts its sessions.
    if (before) void before.session.close().catch(() => {});
    const { pretrained } = setup;
    const name = pretrained === DEFAULT_POLICY ? this.#default() : pretrained;
    const session = this.#desk.open(this.#caller, name);
    try {
      const description = session.describe();
      const plan = planOf(setup, description, this.#options.keys);
      this.#policy = { session, hash: description.hash, plan, setup };
      return this.#policy;
    } catch (error) {
      void session.close().catch(() => {});
      throw error;
    }
  }

  /** Another policy came in its place: the session continues, and with it the current question. */
  #planAnew(bound: Bound, hash: string): Bound {
    const plan = planOf(bound.setup, bound.session.describe(), this.#options.keys);
    this.#newest = undefined;
    this.#filter = new ObservationFilter(this.#options.similarity);
    this.#policy = { ...bound, hash, plan };
    return this.#policy;
  }

  /** Throws `model.unavailable` where its client has not said what it wants. */
  checkInstructed(): void {
    this.#instructedPolicy();
  }

  /** Keeps it where it is the newest that is to be inferred from. Throws `wire.refused`, `model.bad_observation`. */
  observe(bytes: Uint8Array): void {
    const { plan } = this.#instructedPolicy();
    const limits = { ...OBSERVATION_LIMITS, bytesMax: this.#options.observationBytesMax };
    const message = readObservation(bytes, limits);
    const state = stateOf(message, plan);
    if (!this.#filter.passes(message.timestep, message.mustGo, state)) return;
    const { timestamp, timestep } = message;
    const waiting = { observation: observationOf(message, plan), timestamp, timestep, state };
    const asker = this.#askers.shift();
    if (asker) asker.resolve(waiting);
    else this.#newest = waiting;
  }

  /**
   * The chunk for the newest observation, pickled, and the hash of the policy that made it; undefined where none came
   * in time. Rejects as `PolicySession.infer`.
   */
  async actions(signal: AbortSignal): Promise<{ bytes: Uint8Array; hash: string } | undefined> {
    this.#instructedPolicy();
    const waiting = await this.#next(signal);
    if (!waiting || signal.aborted) return undefined;
    const { session, setup } = this.#instructedPolicy();
    const filter = this.#filter;
    filter.took(waiting.timestep, waiting.state);
    try {
      const chunk = await session.infer(waiting.observation, this.#options.deadlineMs, { signal });
      return { bytes: chunkBytes(chunk, waiting, setup), hash: chunk.policyHash };
    } catch (error) {
      filter.failed();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#newest = undefined;
    for (const asker of this.#askers.splice(0)) asker.resolve(undefined);
    const policy = this.#policy;
    this.#policy = undefined;
    await policy?.session.close();
  }

  #next(signal: AbortSignal): Promise<Waiting | undefined> {
    const newest = this.#newest;
    this.#newest = undefined;
    if (newest) return Promise.resolve(newest);
    if (this.#askers.length >= ASKERS_MAX)
      throw new EdgeError('cell.overloaded', {
        operation: 'get actions',
        subject: this.#caller.id,
        message: `${ASKERS_MAX} calls of this client are already waiting for an observation`,
      });
    return new Promise((settle) => {
      const asker: Asker = { resolve: done };
      const timer = this.#options.clock.after(this.#options.waitMs, () => done(undefined));
      const gone = () => done(undefined);
      const askers = this.#askers;
      function done(waiting: Waiting | undefined) {
        timer.cancel();
        signal.removeEventListener('abort', gone);
        const place = askers.indexOf(asker);
        if (place >= 0) askers.splice(place, 1);
        settle(waiting);
      }
      signal.addEventListener('abort', gone, { once: true });
      askers.push(asker);
    });
  }

  /** Bound again where its session is over, or where another policy has replaced the one it was planned for. */
  #instructedPolicy(): Bound {
    this.#checkOpen();
    const bound = this.#policy;
    const hash = bound && hashBehind(bound.session);
    if (bound && hash === bound.hash) return bound;
    if (bound && hash !== undefined) return this.#planAnew(bound, hash);
    if (this.#setup) return this.#bind(this.#setup);
    throw new EdgeError('model.unavailable', {
      operation: 'find session',
      subject: this.#caller.id,
      message: 'this client has not chosen a policy',
      hint: 'call Ready and SendPolicyInstructions first, also after a lost connection',
    });
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new EdgeError('model.unavailable', {
      operation: 'find session',
      subject: this.#caller.id,
      message: 'the connection of this client is closed',
    });
  }

  /** The name stands for the first policy, unless one is called so. */
  #default(): string | undefined {
    return this.#desk.policies().some(({ name }) => name === DEFAULT_POLICY) ? DEFAULT_POLICY : undefined;
  }
}

/** A stock client must name something. */
const DEFAULT_POLICY = 'default';

function chunkBytes(chunk: ActionChunk, { timestamp, timestep }: Waiting, setup: PolicySetup): Uint8Array {
  const [horizon = 0, dimension = 0] = chunk.actions.shape;
  const { data } = chunk.actions;
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0)
    throw new EdgeError('model.failed', {
      operation: 'infer',
      subject: setup.pretrained.slice(0, 64),
      message: `action ${Math.floor(odd / dimension)} has ${data[odd]}: actions must be finite`,
    });
  const count = Math.min(horizon, setup.actionsPerChunk);
  const actions = Array.from({ length: count }, (_, i) => ({
    timestamp: timestamp + (i * chunk.stepMs) / 1000,
    timestep: timestep + i,
    action: data.subarray(i * dimension, (i + 1) * dimension),
  }));
  const bytes = writeActions(actions, setup.module);
  if (bytes.byteLength <= LIMITS.POLICY_PAYLOAD_BYTES_MAX) return bytes;
  throw new EdgeError('model.failed', {
    operation: 'infer',
    subject: setup.pretrained.slice(0, 64),
    message: `a chunk of ${bytes.byteLength} bytes is above the limit of a client`,
  });
}
