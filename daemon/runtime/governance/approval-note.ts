import {
  type AgentEvent,
  type Approval,
  type ApprovalTerms,
  canonicalJson,
  EdgeError,
  fromWireTime,
  type HookPoint,
  isSamePerson,
  type Nanoseconds,
  type PolicyContext,
  toWireTime,
} from '../../../contract/index.ts';

/** Facts of a question as people see them; the call itself has all of them. */
const FACTS_BYTES_MAX = 48 * 1024;

export type Asked = {
  /** Absent: a call that belongs to no run, such as one of an MCP client. */
  readonly runId?: string;
  readonly point: HookPoint;
  readonly subject: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly context: PolicyContext;
  readonly terms: ApprovalTerms & { readonly reason: string };
  readonly callId?: string;
};

export type Outcome = {
  readonly decision: 'allow' | 'deny' | 'expired';
  readonly by: string;
  readonly reason: string;
};

export const EXPIRED: Outcome = { decision: 'expired', by: '', reason: 'no answer came in time' };

/** A question to a person, as the log shows it. */
export type ApprovalNote = {
  readonly approvalId: string;
  readonly runId: string | undefined;
  readonly point: HookPoint;
  readonly subject: string;
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly tenant: string;
  readonly principal: string;
  readonly askedTs: string;
  readonly expires: Nanoseconds;
  readonly roles: readonly string[];
  /** The call that is asked for; once the log holds it, the answer is used up. */
  readonly callId: string | undefined;
  readonly answer: { readonly decision: 'allow' | 'deny' | 'expired'; readonly by: string } | undefined;
};

export function noteOf({ payload, run_id, ts }: AgentEvent<'approval.requested'>): ApprovalNote {
  return {
    approvalId: payload.approval_id,
    runId: run_id,
    point: payload.point,
    subject: payload.subject,
    reason: payload.reason,
    facts: payload.facts,
    tenant: payload.tenant,
    principal: payload.principal,
    askedTs: ts,
    expires: fromWireTime(payload.expires_ns),
    roles: payload.roles ?? [],
    callId: payload.call_id,
    answer: undefined,
  };
}

/** What is judged of a question before an answer to it is taken. */
export type Answerable = Pick<
  ApprovalNote,
  'approvalId' | 'runId' | 'point' | 'subject' | 'tenant' | 'principal' | 'roles'
>;

const STATES = { allow: 'allowed', deny: 'denied', expired: 'expired' } as const;

export function toApproval(note: ApprovalNote): Approval {
  return {
    approval_id: note.approvalId,
    run_id: note.runId,
    point: note.point,
    subject: note.subject,
    reason: note.reason,
    facts: note.facts,
    tenant: note.tenant,
    principal: note.principal,
    asked_ts: note.askedTs,
    expires_ts: toWireTime(note.expires),
    state: note.answer ? STATES[note.answer.decision] : 'waiting',
    by: note.answer?.by || undefined,
    roles: note.roles,
  };
}

/** Whether a question is the one that is about to be asked. */
export function sameQuestion(
  note: ApprovalNote,
  asked: { runId?: string; point: HookPoint; subject: string; facts: Readonly<Record<string, unknown>> },
): boolean {
  return (
    note.runId === asked.runId &&
    note.point === asked.point &&
    note.subject === asked.subject.slice(0, 256) &&
    canonicalJson(note.facts) === canonicalJson(asked.facts)
  );
}

/** Facts that fit into an event; larger ones are said to be so. */
export function shownFacts(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const bytes = Buffer.byteLength(JSON.stringify(facts));
  return bytes <= FACTS_BYTES_MAX ? facts : { too_large_to_show: bytes };
}

/** What an answer means for the call that was asked for; undefined: it may be done. */
export function refusalOf({ decision, by, reason }: Outcome, subject: string): EdgeError | undefined {
  if (decision === 'allow') return undefined;
  const why = reason === '' ? '' : `: ${reason}`;
  return new EdgeError('policy.denied', {
    operation: 'ask for approval',
    subject,
    message:
      decision === 'expired' ? 'no person agreed in time' : `${by === '' ? 'nobody' : by} said no${why}`,
    retryable: false,
  });
}

/** The first answer stands. */
export function answeredAlready(note: ApprovalNote): EdgeError {
  const by = note.answer?.by ? ` by ${note.answer.by}` : '';
  return new EdgeError('approval.answered', {
    operation: 'answer',
    subject: note.approvalId,
    message: `it was answered already: ${note.answer?.decision ?? 'expired'}${by}`,
  });
}

export function noSuchApproval(approvalId: string): EdgeError {
  return new EdgeError('approval.not_found', { operation: 'answer', subject: approvalId.slice(0, 64) });
}

/** `why` of the policies; undefined: the caller lacks the role that the question names. */
export function answerDenied(note: Answerable, who: PolicyContext, why: string | undefined): EdgeError {
  const own = isSamePerson(note.principal, who.principal) && note.tenant === who.tenant;
  return new EdgeError('policy.denied', {
    operation: 'answer',
    subject: note.approvalId,
    message: why ?? `only who has the role ${note.roles.join(' or ')} may answer this`,
    hint: own
      ? 'a person cannot answer a question asked in their own name, unless a policy permits it: give people tokens of their own ([[policy.principals]]), or see docs/policies.md'
      : 'auraison policy explain shows which policy decided',
  });
}
