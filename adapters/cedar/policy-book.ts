import {
  type Clock,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type PolicyHook,
  type PolicyView,
  toMs,
  toWireTime,
} from '../../contract/core.ts';
import { checkAside, type PolicyCheck } from './policy-check.ts';
import { type BaseSpeeds, policyRequest, type Standing } from './policy-request.ts';
import { closedPolicySet, openPolicySet, type PolicySet, type PolicySource } from './policy-set.ts';

export type PolicyBookParts = {
  readonly robot: string;
  readonly clock: Clock;
  /** Reads the files; throws `policy.invalid` where it cannot. */
  readonly read: () => PolicySource;
  /** Where the policies are parsed and checked; absent: many of them in a thread of their own. */
  readonly check?: PolicyCheck;
  readonly standing: (context: HookQuestion['context']) => Standing;
  readonly base?: BaseSpeeds;
  /**
   * Where the last good policies are kept over restarts; `read` answers undefined where none of this folder are kept.
   * With it a fault at the start is survived.
   */
  readonly lastGood?: {
    read(): PolicySource | undefined;
    write(source: PolicySource): void;
  };
  /** The files are broken; `fallback` says what is in force instead. */
  readonly onFault?: (error: EdgeError, fallback: string) => void;
};

type Held = PolicySet & {
  /** What it was made of; undefined: no valid policies were ever in force. */
  readonly source: PolicySource | undefined;
  readonly loadedTs: string;
};

/**
 * The policies in force, as a hook. A reload that fails changes nothing and is shown in the view. A question is
 * judged from what it holds itself, so the log can be judged again.
 */
export class PolicyBook implements PolicyHook {
  readonly name = 'cedar';
  readonly #parts: PolicyBookParts;
  #held: Held;
  #fault: string | undefined;
  #reloading: Promise<boolean> | undefined;
  #reloadNext: Promise<boolean> | undefined;

  private constructor(parts: PolicyBookParts, held: Held, fault: string | undefined) {
    this.#parts = parts;
    this.#held = held;
    this.#fault = fault;
  }

  /**
   * Rejects with `policy.invalid`, unless `lastGood` is given: a broken file must not take the stop and the API of a
   * robot down. Then the last good policies are in force; without any, only reading is allowed.
   */
  static async open(parts: PolicyBookParts): Promise<PolicyBook> {
    try {
      return new PolicyBook(parts, await load(parts), undefined);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'policy.invalid', 'load', 'policies');
      if (!parts.lastGood) throw error;
      const { set, source, fallback } = await lastGood(parts);
      parts.onFault?.(error, fallback);
      return new PolicyBook(parts, hold(set, source, parts.clock), `${error.message}; in force: ${fallback}`);
    }
  }

  get sha256(): string {
    return this.#held.judge.sha256;
  }

  /** The text of the policies in force; undefined while only reading is allowed. */
  get source(): PolicySource | undefined {
    return this.#held.source;
  }

  view(): PolicyView {
    return { ...this.#held.view, loaded_ts: this.#held.loadedTs, reload_error: this.#fault };
  }

  /**
   * True where other policies are in force now. Rejects with `policy.invalid`; then those before stay. Those before
   * judge until the others are checked. Reloads come one after another; those that wait are one.
   */
  reload(): Promise<boolean> {
    if (this.#reloading) {
      const next = () => {
        this.#reloadNext = undefined;
        return this.reload();
      };
      this.#reloadNext ??= this.#reloading.then(next, next);
      return this.#reloadNext;
    }
    this.#reloading = this.#reload().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async #reload(): Promise<boolean> {
    let next: Held;
    try {
      next = await load(this.#parts);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'policy.invalid', 'reload', 'policies');
      this.#fault = `${error.message}; the previous policies stay in force`;
      this.#parts.onFault?.(error, 'those before');
      throw error;
    }
    this.#fault = undefined;
    const before = this.#held;
    this.#held = next;
    before.judge.close();
    return before.judge.sha256 !== next.judge.sha256;
  }

  async decide(question: HookQuestion): Promise<HookDecision> {
    const standing = this.#parts.standing(question.context);
    if (!standing.ok)
      return { decision: 'deny', code: 'lease.lost', reason: standing.reason, policySha256: this.sha256 };
    const { robot, clock, base } = this.#parts;
    const facts = { robot, tsMs: toMs(clock.now()), base, set: this.#held };
    const request = policyRequest(question, standing, facts);
    const verdict = this.#held.judge.judge(request);
    return { ...verdict, policySha256: this.sha256, request };
  }
}

async function load({ read, clock, lastGood: kept, check }: PolicyBookParts): Promise<Held> {
  const source = read();
  const held = hold(await openPolicySet(source, check ?? checkAside(clock)), source, clock);
  kept?.write(source);
  return held;
}

function hold(set: PolicySet, source: PolicySource | undefined, clock: Clock): Held {
  return { ...set, source, loadedTs: toWireTime(clock.now()) };
}

type LastGood = { readonly set: PolicySet; readonly source?: PolicySource; readonly fallback: string };

async function lastGood({ lastGood: kept, clock, check }: PolicyBookParts): Promise<LastGood> {
  const closed = 'nothing but reading and stopping';
  const source = kept?.read();
  if (!source) return { set: closedPolicySet(), fallback: closed };
  try {
    return {
      set: await openPolicySet(source, check ?? checkAside(clock)),
      source,
      fallback: 'the last good policies',
    };
  } catch (thrown) {
    // A broken copy counts as none, and is named.
    const why = (thrown as Error).message;
    return { set: closedPolicySet(), fallback: `${closed} (the kept policies are not usable: ${why})` };
  }
}
