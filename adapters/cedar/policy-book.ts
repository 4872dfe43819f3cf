import { createHash } from 'node:crypto';
import {
  type Clock,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type PolicyHook,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyView,
  toMs,
  toWireTime,
} from '../../contract/core.ts';
import { BUILT_IN, BuiltInJudge } from './built-in.ts';
import { CedarJudge } from './cedar-judge.ts';
import { NAMESPACE, resourceOf, userId } from './cedar-request.ts';
import { EntityFile } from './entity-file.ts';
import type { PolicyFile } from './policy-text.ts';
import { loadCedar } from './wasm.ts';

/** What the files hold at one moment. No policies: those that are built in. */
export type PolicySource = {
  readonly policies: readonly PolicyFile[];
  /** `entities.json`; an empty text where there is none. */
  readonly entities: PolicyFile;
};

/** Roles and grant under which a context acts now, or why it does not. */
export type Standing =
  | { readonly ok: true; readonly roles: readonly string[]; readonly grant?: string }
  | { readonly ok: false; readonly reason: string };

export type PolicyBookParts = {
  readonly robot: string;
  readonly clock: Clock;
  /** Reads the files; throws `policy.invalid` where it cannot. */
  readonly read: () => PolicySource;
  readonly standing: (context: HookQuestion['context']) => Standing;
};

/** Policies for a job that takes a while: a reload meanwhile takes nothing from under it. */
export type BorrowedJudge = { readonly judge: PolicyJudge; readonly giveBack: () => void };

type Held = {
  readonly judge: PolicyJudge & { close(): void };
  /** Those who judge by it; once it is no longer in force the last of them closes it. */
  readonly users: Set<symbol>;
  readonly entities: EntityFile;
  readonly view: Omit<PolicyView, 'reload_error'>;
};

/**
 * The policies in force, as a hook. A reload that fails changes nothing and is told in the view. A question is
 * judged from what it holds itself, so the log can be judged again.
 */
export class PolicyBook implements PolicyHook {
  readonly name = 'cedar';
  readonly #parts: PolicyBookParts;
  #held: Held;
  #fault: string | undefined;

  private constructor(parts: PolicyBookParts, held: Held) {
    this.#parts = parts;
    this.#held = held;
  }

  /** Throws `policy.invalid`: a robot whose policies cannot be read does not start without them. */
  static async open(parts: PolicyBookParts): Promise<PolicyBook> {
    return new PolicyBook(parts, await load(parts));
  }

  get sha256(): string {
    return this.#held.judge.sha256;
  }

  /** What is in force now, until it is given back. */
  borrow(): BorrowedJudge {
    const held = this.#held;
    const user = Symbol('user');
    held.users.add(user);
    return { judge: held.judge, giveBack: () => this.#leave(held, user) };
  }

  view(): PolicyView {
    return { ...this.#held.view, reload_error: this.#fault };
  }

  /** True where other policies are in force now. Throws `policy.invalid`; then those before stay. */
  async reload(): Promise<boolean> {
    let next: Held;
    try {
      next = await load(this.#parts);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'policy.invalid', 'reload', 'policies');
      this.#fault = error.message;
      throw error;
    }
    this.#fault = undefined;
    const before = this.#held;
    this.#held = next;
    this.#leave(before, IN_FORCE);
    return before.judge.sha256 !== next.judge.sha256;
  }

  /** Given back twice is no fault: what is closed may be in the hands of others already. */
  #leave({ users, judge }: Held, user: symbol): void {
    if (users.delete(user) && users.size === 0) judge.close();
  }

  async decide(question: HookQuestion): Promise<HookDecision> {
    const standing = this.#parts.standing(question.context);
    if (!standing.ok)
      return { decision: 'deny', code: 'lease.lost', reason: standing.reason, policySha256: this.sha256 };
    const request = this.request(question, standing);
    const verdict = this.#held.judge.judge(request);
    return { ...verdict, policySha256: this.sha256, request };
  }

  /** The question as it is judged and logged. */
  request(
    { point, subject, context, facts, about = {} }: HookQuestion,
    standing: Standing & { ok: true },
  ): PolicyRequest {
    const { tenant, principal, origin } = context;
    const roles = [...new Set(standing.roles)].sort();
    const resource = resourceOf(point, subject);
    const uid = (type: string, id: string) => ({ type: `${NAMESPACE}::${type}`, id });
    return {
      point,
      principal: {
        tenant,
        id: principal,
        roles,
        origin,
        ...(standing.grant === undefined ? {} : { grant: standing.grant }),
      },
      resource,
      robot: this.#parts.robot,
      ts_ms: toMs(this.#parts.clock.now()),
      about,
      facts,
      entities: this.#held.entities.reach([
        uid('User', userId(tenant, principal)),
        ...roles.map((role) => uid('Role', role)),
        ...resource.parents.map((parent) => uid(parent.type, parent.id)),
      ]),
    };
  }
}

/** Who uses the policies that are in force. */
const IN_FORCE = Symbol('in force');

const WARM_UP: PolicyRequest = {
  point: 'tool',
  principal: { tenant: 'local', id: 'nobody', roles: [], origin: 'run' },
  resource: resourceOf('tool', 'warm.up'),
  robot: 'robot',
  ts_ms: 0,
  about: { effect: 'read' },
  facts: { number: 1, text: 'a', flag: true },
  entities: [],
};

async function load({ read, clock }: PolicyBookParts): Promise<Held> {
  const { policies, entities } = read();
  const loaded_ts = toWireTime(clock.now());
  const known = new EntityFile(entities.file, entities.text);
  if (policies.length === 0 && entities.text === '') {
    const judge = new BuiltInJudge();
    const view = {
      policy_sha256: judge.sha256,
      built_in: true,
      files: filesOf(BUILT_IN, judge.policies),
      policies: judge.policies,
      loaded_ts,
    };
    return { judge, users: new Set([IN_FORCE]), entities: known, view };
  }
  const texts = policies.length === 0 ? BUILT_IN : policies;
  const judge = new CedarJudge(await loadCedar(), texts, entities.text === '' ? [] : [entities]);
  // The first question of all compiles much of Cedar: it is asked here, and nobody's deadline pays for it.
  judge.judge(WARM_UP);
  const told = judge.policies.map(({ id, effect, line }) => ({ id, effect, line }));
  const view = {
    policy_sha256: judge.sha256,
    built_in: policies.length === 0,
    files: filesOf(texts, told),
    policies: told,
    loaded_ts,
  };
  return { judge, users: new Set([IN_FORCE]), entities: known, view };
}

function filesOf(
  files: readonly PolicyFile[],
  policies: readonly { readonly id: string }[],
): PolicyView['files'] {
  return files.map(({ file, text }) => ({
    file,
    sha256: createHash('sha256').update(text).digest('hex'),
    policies: policies.filter(({ id }) => id.startsWith(`${file}#`)).length,
  }));
}
