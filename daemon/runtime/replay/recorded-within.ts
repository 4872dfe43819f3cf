import type { AgentEvent, NewEvent, PolicyContext } from '../../../contract/index.ts';
import { decidedWithin, isWithinTool } from '../law/motion-law.ts';
import type { PolicyGate } from '../law/policy-gate.ts';

type Decided = AgentEvent<'policy.decided'>;
type Request = {
  readonly about?: { readonly within?: unknown } & Readonly<Record<string, unknown>>;
  readonly facts?: Readonly<Record<string, unknown>>;
};

/** What was decided about the motions within each call of a record, by the id of the call. */
export class RecordedWithin {
  readonly #byCall = new Map<string, Decided[]>();

  constructor(events: readonly AgentEvent[]) {
    const open = new Map<string, string>();
    for (const event of events) {
      if (event.kind === 'tool.called') open.set(event.payload.tool, event.payload.call_id);
      if (event.kind === 'tool.returned' && open.get(event.payload.tool) === event.payload.call_id)
        open.delete(event.payload.tool);
      if (event.kind !== 'policy.decided' || !isWithinTool(event.payload)) continue;
      const callId = open.get(String(requestOf(event).about?.within));
      if (callId !== undefined) this.#byCall.set(callId, [...(this.#byCall.get(callId) ?? []), event]);
    }
  }

  /** As they were decided. */
  given(callId: string): NewEvent[] {
    return (this.#byCall.get(callId) ?? []).map(({ kind, payload }) => ({ kind, payload }));
  }

  /**
   * The same questions to other hooks. The first refusal ends it, as it would have ended the tool; what was decided
   * stands in `events` either way.
   */
  async judged(
    callId: string,
    hooks: Pick<PolicyGate, 'ask'>,
    { context, runId }: { readonly context: PolicyContext; readonly runId: string },
  ): Promise<{ readonly events: readonly NewEvent[]; readonly refusal?: Error }> {
    const events: NewEvent[] = [];
    for (const motion of motionsOf(this.#byCall.get(callId) ?? [])) {
      const { subject } = motion[0]!.payload;
      const requests = motion.map(requestOf);
      const { facts = {}, about = {} } = requests.find((request) => request.facts) ?? requests[0]!;
      const question = { point: 'tool', subject, context, facts, about, runId } as const;
      const { refusal, events: decided } = await hooks.ask(question as never, runId);
      events.push(...decided.map((event) => decidedWithin(event, String(about.within))));
      if (refusal) return { events, refusal };
    }
    return { events };
  }
}

/** Each hook decides once about a motion. */
function motionsOf(decided: readonly Decided[]): Decided[][] {
  const motions: Decided[][] = [];
  for (const one of decided) {
    const last = motions.at(-1);
    const isNext = !last || last.some(({ payload }) => payload.hook === one.payload.hook);
    if (isNext) motions.push([one]);
    else last.push(one);
  }
  return motions;
}

function requestOf({ payload }: Decided): Request {
  return (payload.request ?? {}) as Request;
}
