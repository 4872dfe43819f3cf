import type { AgentEvent, HookDecision, HookQuestion, PolicyHook } from '../../../contract/index.ts';
import { ofKind } from './recorded-run.ts';

type Decided = AgentEvent<'policy.decided'>['payload'];

/** The policy hooks of a record: each gives again what it gave, in the order in which it was asked. */
export function recordedHooks(events: readonly AgentEvent[]): PolicyHook[] {
  const decided = ofKind(events, 'policy.decided').map(({ payload }) => payload);
  const names = [...new Set(decided.map(({ hook }) => hook))];
  return names.map(
    (name) =>
      new RecordedHook(
        name,
        decided.filter(({ hook }) => hook === name),
      ),
  );
}

class RecordedHook implements PolicyHook {
  readonly name: string;
  readonly #left: Decided[];

  constructor(name: string, decided: readonly Decided[]) {
    this.name = name;
    this.#left = [...decided];
  }

  async decide({ point, subject }: HookQuestion): Promise<HookDecision> {
    const cut = subject.slice(0, 256);
    const at = this.#left.findIndex((known) => known.point === point && known.subject === cut);
    // A question that was never asked: the comparison of what is written finds it.
    if (at < 0) return { decision: 'allow', reason: 'not in the record' };
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
