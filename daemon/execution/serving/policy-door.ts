import {
  type ActionChunk,
  type Clock,
  EdgeError,
  LIMITS,
  type PolicyCaller,
  type PolicyDescription,
  type PolicyDesk,
  type PolicySession,
  type Timer,
  withDeadline,
} from '../../../contract/core.ts';
import type { VlaRequest } from '../../../formats/inference/index.ts';

/** When a question names no deadline, milliseconds. */
const DEADLINE_MS_DEFAULT = 1_000;
const SWEEP_MS = 10_000;

type Kept = {
  readonly session: PolicySession;
  readonly policy: string | undefined;
  /** Whose it is. */
  readonly caller: string;
  usedMs: number;
  open: number;
};

/**
 * Callers that come with one question at a time and never say goodbye: nodes of the key space and of ROS, programs
 * over HTTP. Each has a session at the desk for as long as it comes again; the idle ones give way.
 */
export class PolicyDoor {
  readonly #desk: PolicyDesk;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  /** Questions that can be cancelled, by the name their caller gave. */
  readonly #calls = new Map<string, AbortController>();
  #sweep: Timer | undefined;

  constructor(desk: PolicyDesk, clock: Clock) {
    this.#desk = desk;
    this.#clock = clock;
  }

  /** Without a name the default policy. `model.not_found`, `model.unavailable` while its description is unknown. */
  describe(policy?: string): PolicyDescription {
    const all = this.#desk.policies();
    const found = policy === undefined ? all[0] : all.find(({ name }) => name === policy);
    if (!found) {
      const names = all.map(({ name }) => name).join(', ') || 'none';
      throw new EdgeError('model.not_found', {
        operation: 'describe policy',
        subject: policy ?? 'default',
        message: `unknown policy ${policy ?? ''}; configured: ${names}`,
      });
    }
    if (found.hash !== '') return found;
    throw new EdgeError('model.unavailable', {
      operation: 'describe policy',
      subject: found.name,
      message: found.reason || 'the inputs of this policy are not known yet',
    });
  }

  /** As `PolicySession.infer`, and `model.not_found`. Settles by the deadline. */
  async infer(caller: PolicyCaller, request: VlaRequest): Promise<ActionChunk> {
    const { observation, prefix, call } = request;
    let { deadlineMs = DEADLINE_MS_DEFAULT } = request;
    const kept = this.#find(caller, request);
    const cancel = call === undefined ? undefined : this.#cancellable(call);
    kept.open += 1;
    try {
      if (request.reset) {
        // A restart is part of the question: it has no time of its own.
        const began = this.#clock.monotonicMs();
        const policy = request.policy ?? 'default';
        await withDeadline(this.#clock, deadlineMs, kept.session.reset(), 'reset policy', policy);
        deadlineMs -= this.#clock.monotonicMs() - began;
      }
      if (!prefix && !cancel) return await kept.session.infer(observation, deadlineMs);
      return await kept.session.infer(observation, deadlineMs, {
        ...(prefix ? { prefix } : {}),
        ...(cancel ? { signal: cancel.signal } : {}),
      });
    } catch (thrown) {
      // The policy may be another one by now: the next question is asked in a session of its own.
      if (thrown instanceof EdgeError && thrown.code === 'model.unavailable') this.#drop(caller, request);
      throw thrown;
    } finally {
      kept.open -= 1;
      kept.usedMs = this.#clock.monotonicMs();
      // By now another question may have this name.
      if (call !== undefined && this.#calls.get(call) === cancel) this.#calls.delete(call);
    }
  }

  /** Whether there was such a question. Who knows its name may. */
  cancel(call: string): boolean {
    const found = this.#calls.get(call);
    this.#calls.delete(call);
    found?.abort();
    return found !== undefined;
  }

  close(): void {
    this.#sweep?.cancel();
    for (const [key, kept] of [...this.#kept]) this.#end(key, kept);
  }

  #find(caller: PolicyCaller, { policy, session }: VlaRequest): Kept {
    const key = keyOf(caller, policy, session);
    const known = this.#kept.get(key);
    if (known) return known;
    if (this.#kept.size >= LIMITS.POLICY_CALLERS_MAX && !this.#giveWay(undefined)) {
      throw new EdgeError('cell.overloaded', {
        operation: 'infer',
        subject: policy ?? 'default',
        message: `${this.#kept.size} callers are being served`,
      });
    }
    const made: Kept = {
      session: this.#open(caller, policy),
      policy,
      caller: `${caller.wire}\n${caller.id}`,
      usedMs: this.#clock.monotonicMs(),
      open: 0,
    };
    this.#kept.set(key, made);
    this.#sweep ??= this.#clock.every(SWEEP_MS, () => this.#sweepIdle());
    return made;
  }

  #open(caller: PolicyCaller, policy: string | undefined): PolicySession {
    try {
      return this.#desk.open(caller, policy);
    } catch (thrown) {
      const full = thrown instanceof EdgeError && thrown.code === 'cell.overloaded';
      if (!full || !this.#giveWay(policy)) throw thrown;
      return this.#desk.open(caller, policy);
    }
  }

  /**
   * Ends an idle session, of this policy or of any: of the caller who has most of them the one that was idle for
   * longest. Who opens many ends no episode of who has one. False: all are in use.
   */
  #giveWay(policy: string | undefined): boolean {
    const counts = new Map<string, number>();
    for (const { caller } of this.#kept.values()) counts.set(caller, (counts.get(caller) ?? 0) + 1);
    const goes = (one: Kept, other: Kept) =>
      counts.get(other.caller)! - counts.get(one.caller)! || one.usedMs - other.usedMs;
    let first: [string, Kept] | undefined;
    for (const entry of this.#kept) {
      const [, kept] = entry;
      if (kept.open > 0 || (policy !== undefined && kept.policy !== policy)) continue;
      if (!first || goes(kept, first[1]) < 0) first = entry;
    }
    if (first) this.#end(...first);
    return first !== undefined;
  }

  #sweepIdle(): void {
    const before = this.#clock.monotonicMs() - LIMITS.POLICY_CALLER_IDLE_MS;
    for (const [key, kept] of [...this.#kept])
      if (kept.open === 0 && kept.usedMs < before) this.#end(key, kept);
    if (this.#kept.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #drop(caller: PolicyCaller, { policy, session }: VlaRequest): void {
    const key = keyOf(caller, policy, session);
    const kept = this.#kept.get(key);
    if (kept) this.#end(key, kept);
  }

  #end(key: string, kept: Kept): void {
    this.#kept.delete(key);
    kept.session.close().catch(() => {});
  }

  #cancellable(call: string): AbortController {
    if (this.#calls.has(call)) {
      throw new EdgeError('model.bad_observation', {
        operation: 'infer',
        subject: '/call',
        message: '/call: a request with this name is already running',
        hint: 'use a different name for each request, for example a UUID',
      });
    }
    const controller = new AbortController();
    this.#calls.set(call, controller);
    return controller;
  }
}

function keyOf({ wire, id }: PolicyCaller, policy = '', session = ''): string {
  return `${wire}\n${id}\n${policy}\n${session}`;
}
