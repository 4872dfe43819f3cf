import {
  type AgentEvent,
  type Difference,
  type EventReader,
  fromWireTime,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyVerdict,
  type Rejudged,
  toMs,
} from '../contract/core.ts';

/** Judged between two beats of the heart: some 30 ms. */
const READ_BATCH = 100;
/** Differences that are kept whole; further ones are counted. */
const DIFFERENCES_MAX = 1_000;

/**
 * Judges what the log holds since a time again, under other policies, until `late` says that it is. Reads, and
 * changes nothing.
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
    for (let cursor = 0; ; ) {
      const events = reader.read(cursor, READ_BATCH, { kinds: ['policy.decided'] });
      if (events.length === 0) break;
      if (late()) return { policy_sha256: judge.sha256, ...counts, different, whole: false, differences };
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
