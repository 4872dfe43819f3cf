import {
  type AgentEvent,
  type Difference,
  type EventReader,
  fromWireTime,
  isNeverJudged,
  NEVER_JUDGED,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyVerdict,
  type Rejudged,
  toMs,
} from '../contract/core.ts';
import { eachPageInTurns } from './each-event.ts';

/** Differences that are kept whole; further ones are counted. */
const DIFFERENCES_MAX = 1_000;

/**
 * Judges what the log holds since a time again, under other policies, until `late` says that it is. Reads, and
 * changes nothing. `judge` asks the policies of packages too, as the daemon does.
 */
export async function rejudge(
  readers: Iterable<EventReader>,
  judge: PolicyJudge,
  sinceMs: number,
  late: () => boolean = () => false,
): Promise<Rejudged> {
  const counts = { judged: 0, same: 0, not_judged: 0 };
  let different = 0;
  const differences: Difference[] = [];
  for (const reader of readers) {
    for await (const events of eachPageInTurns(reader, { kinds: ['policy.decided'] })) {
      if (late()) return { policy_sha256: judge.sha256, ...counts, different, whole: false, differences };
      for (const event of events) {
        if (toMs(fromWireTime(event.ts)) < sinceMs) continue;
        const request = requestOf(event);
        if (!request) {
          counts.not_judged++;
          continue;
        }
        counts.judged++;
        const { point, resource, facts } = request;
        const isStop = isNeverJudged({ point, subject: resource.id, facts });
        const would = isStop ? NEVER_JUDGED : judge.judge(request);
        if (would.decision === event.payload.decision) counts.same++;
        else if (++different <= DIFFERENCES_MAX) differences.push(differenceOf(event, request, would));
      }
    }
  }
  return { policy_sha256: judge.sha256, ...counts, different, whole: true, differences };
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
