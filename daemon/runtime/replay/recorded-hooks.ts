import {
  type AgentEvent,
  type Clock,
  type HookDecision,
  type HookQuestion,
  LIMITS,
  type PolicyHook,
} from '../../../contract/index.ts';
import { isWithinTool } from '../law/motion-law.ts';
import { ofKind } from './recorded-run.ts';
import type { ReplayClock } from './replay-clock.ts';

type Decided = AgentEvent<'policy.decided'>['payload'];

/** The policy hooks of a record: each gives again what it gave, in the order in which it was asked. */
export function recordedHooks(events: readonly AgentEvent[], clock?: ReplayClock): PolicyHook[] {
  const decided = ofKind(events, 'policy.decided')
    .map(({ payload }) => payload)
    .filter((payload) => !isWithinTool(payload));
  const names = [...new Set(decided.map(({ hook }) => hook))];
  return names.map(
    (name) =>
      new RecordedHook(
        name,
        decided.filter(({ hook }) => hook === name),
        clock,
      ),
  );
}

/** How long a hook took is in its recorded word already: none of them is late a second time. */
export function untimed(clock: Clock): Clock {
  const never = { cancel: () => {} };
  return { now: () => clock.now(), monotonicMs: () => 0, after: () => never, every: () => never };
}

class RecordedHook implements PolicyHook {
  readonly name: string;
  readonly #left: Decided[];

  readonly #clock: ReplayClock | undefined;

  constructor(name: string, decided: readonly Decided[], clock: ReplayClock | undefined) {
    this.name = name;
    this.#clock = clock;
    this.#left = [...decided];
  }

  async decide({ point, subject }: HookQuestion): Promise<HookDecision> {
    const cut = subject.slice(0, 256);
    const exact = this.#left.findIndex((known) => known.point === point && known.subject === cut);
    // Another model that was put in is let through as the one was that it stands for.
    const at =
      exact < 0 && point === 'model' ? this.#left.findIndex((known) => known.point === point) : exact;
    if (at < 0) {
      // Another call may have to be written first, and the cut may come with it.
      await this.#clock?.deliver(LIMITS.POLICY_HOOK_MS);
      // A question that was never asked: the comparison of what is written finds it.
      return { decision: 'allow', reason: 'not in the record' };
    }
    const [known] = this.#left.splice(at, 1);
    const { decision, reason, policy_sha256, request, determining } = known!;
    return {
      decision,
      reason,
      ...(policy_sha256 === undefined ? {} : { policySha256: policy_sha256 }),
      ...(request === undefined ? {} : { request }),
      ...(determining === undefined ? {} : { determining }),
    };
  }
}
