import type {
  AgentEvent,
  EventReader,
  GovernanceApi,
  GrantView,
  NewEvent,
  PolicyContext,
  PolicyView,
  QuotaMetric,
  QuotaView,
  Rejudged,
  RejudgeRequest,
} from '../../../contract/index.ts';
import { EdgeError } from '../../../contract/index.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import type { GrantBook } from './grant-book.ts';
import type { QuotaBook } from './quota-book.ts';
import type { SpentElsewhere } from './spent-elsewhere.ts';

/** Policies as they are kept elsewhere. */
export type PolicyShelf = {
  view(): PolicyView;
  /** True where other policies are in force. Throws `policy.invalid`. */
  reload(): Promise<boolean>;
};

export type GovernanceParts = {
  readonly policies: PolicyShelf;
  readonly quotas: QuotaBook;
  readonly grants: GrantBook;
  /** Signed grants of local files, as they are; unreadable ones are reported and left out. */
  readonly localGrants: () => readonly unknown[];
  /** What other cells report as spent; undefined: no quota asks for it. */
  readonly elsewhere?: SpentElsewhere | undefined;
  readonly rejudge: (request: RejudgeRequest) => Promise<Rejudged>;
  /** Other policies are in force. */
  readonly onChange: (sha256: string) => void;
  readonly report: (
    level: 'info' | 'warn' | 'error',
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void;
};

/** Policies, quotas and grants of one robot, and what of them has to survive. */
export class Governance implements GovernanceApi {
  readonly #parts: GovernanceParts;
  #hooks: PolicyGate | undefined;
  #rejudging = false;
  #append: (events: readonly NewEvent[]) => Promise<void> = async () => {};

  constructor(parts: GovernanceParts) {
    this.#parts = parts;
  }

  /** Called once by the cell that holds the log, before anything is appended. */
  async begin(
    reader: EventReader,
    hooks: PolicyGate,
    append: (events: readonly NewEvent[]) => Promise<void>,
  ): Promise<void> {
    const { quotas, grants } = this.#parts;
    this.#hooks = hooks;
    this.#append = append;
    grants.attach(append);
    grants.load(reader);
    await quotas.load(reader);
    await this.#parts.elsewhere?.start();
    await this.#installLocal();
  }

  async end(): Promise<void> {
    this.#parts.grants.stop();
    await this.#parts.elsewhere?.stop();
  }

  observe(events: readonly AgentEvent[]): void {
    this.#parts.quotas.observe(events);
    this.#parts.grants.observe(events);
  }

  rolesOf(who: PolicyContext): readonly string[] {
    const standing = this.#parts.grants.standing(who);
    return standing.ok ? standing.roles : [];
  }

  policy(): PolicyView {
    return this.#parts.policies.view();
  }

  async reload(): Promise<PolicyView> {
    const { policies, report, onChange } = this.#parts;
    // A fault is reported where the files are read.
    const changed = await policies.reload();
    await this.#installLocal();
    const view = policies.view();
    if (changed) {
      report('info', 'other policies are in force', { policy_sha256: view.policy_sha256 });
      onChange(view.policy_sha256);
    }
    return view;
  }

  check(tenant: string, metrics: readonly QuotaMetric[]): void {
    this.#parts.quotas.check(tenant, metrics);
  }

  beginCall(tenant: string, callId: string, withinMs: number): void {
    this.#parts.quotas.beginCall(tenant, callId, withinMs);
  }

  endCall(callId: string): void {
    this.#parts.quotas.endCall(callId);
  }

  /** An intent is in the log, or was refused: it no longer holds a place in a quota. */
  endIntent(intentId: string): void {
    this.#parts.quotas.release(intentId);
  }

  quotas(tenant?: string): readonly QuotaView[] {
    return this.#parts.quotas.quotas(tenant);
  }

  async rejudge(request: RejudgeRequest): Promise<Rejudged> {
    if (this.#rejudging)
      throw new EdgeError('cell.overloaded', {
        operation: 'rejudge',
        subject: 'policies',
        message: 'somebody has the history judged already',
      });
    this.#rejudging = true;
    try {
      return await this.#parts.rejudge(request);
    } finally {
      this.#rejudging = false;
    }
  }

  grants(): readonly GrantView[] {
    return this.#parts.grants.views();
  }

  install(signed: unknown): Promise<GrantView> {
    return this.#parts.grants.install(signed);
  }

  async revoke(grantId: string, who: PolicyContext, reason: string): Promise<GrantView> {
    const grant = this.#parts.grants.get(grantId);
    const events = grant ? await this.#mayRevoke(grantId, grant, who) : [];
    return await this.#parts.grants.revoke(grantId, reason, events);
  }

  /** Everybody may give back what is theirs; else policies decide, as they do about answers. */
  async #mayRevoke(
    grantId: string,
    { tenant, principal }: { tenant: string; principal: string },
    who: PolicyContext,
  ): Promise<readonly NewEvent[]> {
    if (who.tenant === tenant && who.principal === principal) return [];
    const about = { tenant, requester: principal, point: 'grant', subject: grantId };
    const question = {
      point: 'approval',
      subject: `grant/${grantId}`,
      context: who,
      facts: { decision: 'revoke' },
      about,
    } as const;
    if (!this.#hooks)
      throw new EdgeError('policy.denied', {
        operation: 'revoke grant',
        subject: grantId,
        message: 'no policies are in force yet',
      });
    const { refusal, events } = await this.#hooks.ask(question);
    if (!refusal) return events;
    await this.#append(events);
    throw refusal;
  }

  async #installLocal(): Promise<void> {
    for (const signed of this.#parts.localGrants()) {
      await this.#parts.grants.install(signed).catch((thrown: unknown) => {
        const error = EdgeError.from(thrown, 'schema.invalid', 'install grant', 'file').toBody();
        this.#parts.report('warn', 'a grant of a file was not taken', { error });
      });
    }
  }
}
