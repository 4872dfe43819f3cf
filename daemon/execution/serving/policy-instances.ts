import {
  type ActionChunk,
  type Clock,
  EdgeError,
  LIMITS,
  type Policy,
  type PolicyCaller,
  type PolicyDescription,
  withDeadline,
} from '../../../contract/core.ts';

/** One policy as it is configured. */
export type PolicySpec = {
  readonly name: string;
  readonly kind: string;
  /** The same one: it need not be swapped when the configuration is read again. Absent: it always is. */
  readonly revision?: string;
  /**
   * Makes one; may load, connect, fail. `whole`: nothing that may fail is left for its first question. Where a policy
   * remembers it is called for each session.
   */
  make(whole?: boolean): Promise<Policy>;
  /** How long that may take, milliseconds; absent: `LIMITS.POLICY_LOAD_MS`. */
  readonly loadMs?: number;
  /** SHA-256 that its description must have; undefined: any. */
  readonly sha256: string | undefined;
  /** For a policy that remembers: each session has one of its own, or all share one that is reset between them. */
  readonly memory: 'own' | 'serial';
  readonly sessionsMax: number;
  /** Questions of one caller that wait or are being answered. */
  readonly queueMax: number;
};

/** A place at the policy. `key` names it among the instances. */
export type Place = { readonly caller: PolicyCaller; closed: boolean };

/** A policy that could not be made is not tried again before, milliseconds. */
const RETRY_MS = 1_000;
/** Closing an instance is not waited for longer, milliseconds. */
const CLOSE_MS = 2_000;
/** An instance of its own starts its first episode by then, milliseconds. */
const BEGIN_MS = 30_000;
/**
 * Generation of one that is being reset for the session that gets it: no other session may have it, no caller may ask
 * it yet.
 */
const CLAIMED = -1;

type Loaded = { readonly policy: Policy; readonly description: PolicyDescription };
type Own = { readonly policy: Policy; readonly generation: number };

/**
 * The policies behind one name: one for everybody; where it remembers, one for each session, or one that is reset
 * whenever another session has its turn. A swap replaces them between two questions.
 */
export class PolicyInstances {
  readonly #clock: Clock;
  #spec: PolicySpec;
  #shared: Loaded | undefined;
  #loading: Promise<Loaded> | undefined;
  #failure: { readonly error: EdgeError; readonly atMs: number } | undefined;
  /** Counts swaps: an instance of an older one is out of date. */
  #generation = 0;
  readonly #own = new Map<Place, Own>();
  /** In preparation for a session: another call meanwhile waits for the same. */
  readonly #preparing = new Map<Place, Promise<void>>();
  /** SHA-256 that each has to be of, by what was configured when it was made. */
  readonly #pins = new WeakMap<Policy, string>();
  /** Counts what was asked to take its place: the last one counts, in whichever order they come. */
  #swaps = 0;
  /** Whose memory the serial instance holds. */
  #holder: Place | undefined;
  /** Counts turns: a reset that ends after its own says nothing of whose memory it is. */
  #turn = 0;
  /** Closed when the question that may use them is over. */
  readonly #retired = new Set<Policy>();
  #last: PolicyDescription | undefined;
  #closed = false;

  constructor(spec: PolicySpec, clock: Clock) {
    this.#spec = spec;
    this.#clock = clock;
  }

  /** How often another policy has come in the place of this one. */
  get generation(): number {
    return this.#generation;
  }

  describe(): PolicyDescription {
    if (this.#last) return this.#last;
    throw (
      this.#failure?.error ??
      new EdgeError('model.unavailable', {
        operation: 'describe policy',
        subject: this.#spec.name,
        message: 'the inputs of this policy are not known yet',
      })
    );
  }

  view(): { description: PolicyDescription; state: 'ready' | 'idle' | 'failed'; reason: string } {
    const { name } = this.#spec;
    const unknown = { name, hash: '', inputs: {}, output: [0, 0] as const, stepMs: 0 };
    const state = this.#failure ? 'failed' : this.#shared ? 'ready' : 'idle';
    return { description: this.#last ?? unknown, state, reason: this.#failure?.error.message ?? '' };
  }

  remembers(): boolean {
    // The shared one may have been abandoned; what a session has of its own still remembers.
    return this.#own.size > 0 || this.#shared?.policy.reset !== undefined;
  }

  /** The instance that this place may ask when its turn comes; undefined: `prepare` has to make it before. */
  of(place: Place): Policy | undefined {
    const own = this.#own.get(place);
    // Also while the one that all share, or that the next session gets, is being made again.
    if (own?.generation === this.#generation) return own.policy;
    const shared = this.#shared?.policy;
    return shared?.reset && this.#spec.memory === 'own' ? undefined : shared;
  }

  /** Whether it is one that all share, with the memory of another session: it has to be reset in this one's turn. */
  remembersAnother(place: Place, policy: Policy): boolean {
    return policy.reset !== undefined && this.#spec.memory === 'serial' && this.#holder !== place;
  }

  /** Makes what `of` gives, outside of any turn. Rejects as making one does; settles by limits of its own. */
  async prepare(place: Place): Promise<void> {
    await this.shared();
    const shared = this.#shared?.policy;
    if (!shared?.reset || this.#spec.memory === 'serial' || this.of(place)) return;
    const known = this.#preparing.get(place);
    if (known) return await known;
    const preparing = this.#prepareOwn(place, shared).finally(() => this.#preparing.delete(place));
    this.#preparing.set(place, preparing);
    await preparing;
  }

  async #prepareOwn(place: Place, shared: Policy): Promise<void> {
    const generation = this.#generation;
    const taken = [...this.#own.values()].some((one) => one.policy === shared);
    const made = taken ? (await this.#make(this.#spec)).policy : shared;
    const old = this.#own.get(place);
    if (old) this.#retired.add(old.policy);
    if (!taken) await this.#begin(place, shared);
    if (place.closed || this.#closed) {
      this.#own.delete(place);
      if (taken) void this.#end(made);
      throw this.#over();
    }
    this.#own.set(place, { policy: made, generation });
  }

  /** The first session gets the instance that is there already, reset. */
  async #begin(place: Place, shared: Policy): Promise<void> {
    this.#own.set(place, { policy: shared, generation: CLAIMED });
    const reset = Promise.resolve().then(() => shared.reset?.());
    try {
      await withDeadline(this.#clock, BEGIN_MS, reset, 'reset policy', this.#spec.name);
    } catch (thrown) {
      this.#own.delete(place);
      if (thrown instanceof EdgeError && thrown.code === 'deadline.exceeded') this.giveUp(place, shared);
      throw thrown;
    }
  }

  /** The one that all share, or the first of a policy that remembers. */
  async shared(): Promise<Loaded> {
    if (this.#shared) return this.#shared;
    const failure = this.#failure;
    if (failure && this.#clock.monotonicMs() - failure.atMs < RETRY_MS) throw failure.error;
    if (!this.#loading) {
      const loading = this.#load(this.#spec).finally(() => {
        if (this.#loading === loading) this.#loading = undefined;
      });
      this.#loading = loading;
    }
    return await this.#loading;
  }

  /** An episode of this place starts. In its turn. */
  async reset(place: Place, policy: Policy): Promise<void> {
    const turn = this.#turn;
    this.#holder = undefined;
    await policy.reset?.();
    if (turn === this.#turn && this.#shared?.policy === policy) this.#holder = place;
  }

  /**
   * Rejects, and leaves everything as it is, where the new one cannot be made, as a whole. False: another one was asked
   * for meanwhile, and that one counts.
   */
  async swap(spec: PolicySpec): Promise<boolean> {
    this.#swaps += 1;
    const mine = this.#swaps;
    const made = await this.#make(spec, true);
    if (this.#closed || mine !== this.#swaps) {
      void this.#end(made.policy);
      return false;
    }
    const old = this.#shared;
    this.#spec = spec;
    this.#generation += 1;
    this.#shared = made;
    this.#loading = undefined;
    this.#failure = undefined;
    this.#holder = undefined;
    this.#last = made.description;
    const inUse = new Set([...this.#own.values()].map(({ policy }) => policy));
    if (old && !inUse.has(old.policy)) this.#retired.add(old.policy);
    return true;
  }

  /** It did not keep its promise to settle: it is not trusted again. */
  giveUp(place: Place, policy: Policy): void {
    if (this.#shared?.policy === policy) {
      this.#shared = undefined;
      this.#loading = undefined;
      this.#holder = undefined;
    }
    // By now this place may have another one.
    if (this.#own.get(place)?.policy === policy) this.#own.delete(place);
    this.#retired.add(policy);
  }

  /** What it answers has to be of the network that was pinned when it was made. Throws `model.failed`. */
  checkChunk(policy: Policy, chunk: ActionChunk): void {
    const sha256 = this.#pins.get(policy);
    if (sha256 === undefined || chunk.policyHash === sha256) return;
    throw new EdgeError('model.failed', {
      operation: 'infer',
      subject: this.#spec.name,
      message: `the actions come from the network ${chunk.policyHash}, but the configuration pins ${sha256}`,
      retryable: false,
    });
  }

  forget(place: Place): void {
    const own = this.#own.get(place);
    this.#own.delete(place);
    if (this.#holder === place) this.#holder = undefined;
    // The first of them stays for the next caller.
    if (own && own.policy !== this.#shared?.policy) this.#retired.add(own.policy);
  }

  /** A question is over: what was replaced meanwhile is closed. */
  done(): void {
    this.#turn += 1;
    for (const policy of this.#retired) void this.#end(policy);
    this.#retired.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = new Set(this.#retired);
    for (const { policy } of this.#own.values()) all.add(policy);
    if (this.#shared) all.add(this.#shared.policy);
    this.#own.clear();
    this.#retired.clear();
    this.#shared = undefined;
    await Promise.all([...all].map((policy) => this.#end(policy)));
  }

  async #load(spec: PolicySpec): Promise<Loaded> {
    const generation = this.#generation;
    try {
      const loaded = await this.#make(spec);
      // A swap may have come before.
      if (this.#closed || generation !== this.#generation) {
        void this.#end(loaded.policy);
        if (this.#closed) throw this.#over();
        return await this.shared();
      }
      this.#shared = loaded;
      this.#last = loaded.description;
      this.#failure = undefined;
      return loaded;
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'model.unavailable', 'load policy', spec.name);
      if (generation === this.#generation) this.#failure = { error, atMs: this.#clock.monotonicMs() };
      throw error;
    }
  }

  /** Throws `model.unavailable` for a network that is another than the pinned one. */
  async #make(spec: PolicySpec, whole = false): Promise<Loaded> {
    const making = Promise.resolve().then(() => spec.make(whole));
    const policy = await withDeadline(
      this.#clock,
      spec.loadMs ?? LIMITS.POLICY_LOAD_MS,
      making,
      'load policy',
      spec.name,
    ).catch((error: unknown) => {
      // One that comes after all must not stay open unseen.
      making.then((late) => late.close()).catch(() => {});
      throw error;
    });
    const told = { ...policy.describe(), name: spec.name };
    const description = policy.reset === undefined ? told : { ...told, remembers: true };
    if (spec.sha256 === undefined || description.hash === spec.sha256) {
      if (spec.sha256 === undefined) this.#pins.delete(policy);
      else this.#pins.set(policy, spec.sha256);
      return { policy, description };
    }
    void this.#end(policy);
    throw new EdgeError('model.unavailable', {
      operation: 'load policy',
      subject: spec.name,
      message: `its SHA-256 is ${description.hash}, but the configuration pins ${spec.sha256}`,
      hint: 'pin the network you trust: policies.sha256',
      retryable: false,
    });
  }

  #over(): EdgeError {
    return new EdgeError('model.unavailable', {
      operation: 'infer',
      subject: this.#spec.name,
      message: 'the session is closed',
    });
  }

  async #end(policy: Policy): Promise<void> {
    const closing = Promise.resolve().then(() => policy.close());
    await withDeadline(this.#clock, CLOSE_MS, closing, 'close policy', this.#spec.name).catch(() => {});
  }
}
