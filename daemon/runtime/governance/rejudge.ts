import {
  type AgentEvent,
  type EventReader,
  fromWireTime,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyVerdict,
  toMs,
} from '../../../contract/index.ts';

const READ_BATCH = 1_000;
/** Differences that are kept whole; further ones are counted. */
const DIFFERENCES_MAX = 1_000;

export type Difference = {
  readonly event_id: string;
  readonly ts: string;
  readonly run_id: string | undefined;
  readonly point: string;
  readonly subject: string;
  readonly principal: string;
  readonly was: { readonly decision: string; readonly reason: string; readonly policy_sha256: string };
  readonly would: PolicyVerdict;
};

export type Rejudged = {
  readonly policy_sha256: string;
  readonly judged: number;
  readonly same: number;
  readonly different: number;
  /** Decisions whose question is not in the log: of other hooks, of older versions, too large to keep. */
  readonly not_judged: number;
  readonly differences: readonly Difference[];
};

/** Judges what the log holds since a time again, under other policies. Reads, and changes nothing. */
export async function rejudge(
  readers: Iterable<EventReader>,
  judge: PolicyJudge,
  sinceMs: number,
): Promise<Rejudged> {
  const counts = { judged: 0, same: 0, not_judged: 0 };
  let different = 0;
  const differences: Difference[] = [];
  for (const reader of readers) {
    for (let cursor = 0; ; ) {
      const events = reader.read(cursor, READ_BATCH, { kinds: ['policy.decided'] });
      if (events.length === 0) break;
      cursor = events.at(-1)!.seq;
      // The daemon that serves this has a heart to beat.
      await new Promise((resolve) => setImmediate(resolve));
      for (const event of events as AgentEvent<'policy.decided'>[]) {
        if (toMs(fromWireTime(event.ts)) < sinceMs) continue;
        const request = requestOf(event);
        if (!request) {
          counts.not_judged++;
          continue;
        }
        counts.judged++;
        const would = judge.judge(request);
        if (would.decision === event.payload.decision) counts.same++;
        else if (++different <= DIFFERENCES_MAX) differences.push(differenceOf(event, request, would));
      }
    }
  }
  return { policy_sha256: judge.sha256, ...counts, different, differences };
}

/** The question of a decision, as it was asked; undefined where the log does not hold it whole. */
export function requestOf({ payload }: AgentEvent<'policy.decided'>): PolicyRequest | undefined {
  const request = payload.request as PolicyRequest | undefined;
  const whole = request?.principal && request.resource && request.facts && request.about && request.entities;
  return whole ? request : undefined;
}

function differenceOf(
  { event_id, ts, run_id, payload }: AgentEvent<'policy.decided'>,
  request: PolicyRequest,
  would: PolicyVerdict,
): Difference {
  const { decision, reason, policy_sha256 = '', point, subject } = payload;
  const principal = `${request.principal.tenant}:${request.principal.id}`;
  return { event_id, ts, run_id, point, subject, principal, was: { decision, reason, policy_sha256 }, would };
}
