import {
  type EventPayload,
  type IdSource,
  type Intent,
  type NewEvent,
  type RunMessage,
  toWireTime,
} from '../../../contract/index.ts';
import { deadlineOf } from '../runs/run-deadline.ts';
import { messageEvent } from '../runs/run-message-event.ts';
import type { RunBudget, RunView } from '../runs/run-view.ts';
import type { SubRunParts } from './sub-runs.ts';

export type BranchParts = Pick<SubRunParts, 'store' | 'clock' | 'appOf' | 'goesOn' | 'cancel'> & {
  readonly ids: IdSource;
  /** Appends and folds; resolves when durable. */
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  /** Gives a durable run to the scheduler. */
  readonly add: (view: RunView) => void;
};

export type Part = {
  /** The same key finds the same part. */
  readonly key: string;
  readonly harness: RunView['state']['harness'];
  readonly budget: RunBudget;
  /** Time it may take, seconds; undefined: what its parent has left. */
  readonly timeS: number | undefined;
  readonly more: Pick<EventPayload<'run.queued'>, 'branch' | 'round' | 'forked_from'>;
  readonly messages?: readonly RunMessage[];
};

/**
 * Opens a run that does a part of another: with its intent, its principal, its version and at most its time. The intent
 * was judged, and each call of the part is: the intent is judged no second time.
 */
export async function openPart(
  { clock, ids, append, add, store, appOf }: BranchParts,
  parent: RunView,
  { key, harness, budget, timeS, more, messages = [] }: Part,
): Promise<RunView> {
  const { attended: _, ...rest } = parent.intent;
  const { app, version, digest } = parent;
  const now = clock.now();
  const last = deadlineOf(parent, appOf(parent)!, now);
  const asked = timeS === undefined ? last : now + BigInt(Math.round(timeS * 1e9));
  const intent: Intent = {
    ...rest,
    intent_id: ids.next(),
    policy_ctx: { ...rest.policy_ctx, origin: 'run' },
    deadline: toWireTime(asked < last ? asked : last),
    idempotency_key: key,
  };
  const runId = ids.next<string>();
  const queued = {
    ...{ intent_id: intent.intent_id, app, harness, parent_run_id: parent.state.run_id },
    ...(Object.keys(budget).length === 0 ? {} : { budget }),
    ...(digest === undefined || version === undefined ? {} : { package: { version, digest } }),
    ...more,
  };
  const events: NewEvent[] = [
    { kind: 'intent.accepted', run_id: runId, payload: { intent, app } },
    { kind: 'run.queued', run_id: runId, payload: queued },
    ...messages.map((said) => messageEvent(runId, ids.next<string>(), said, intent.policy_ctx)),
  ];
  await append(events);
  const view = store.get(runId)!;
  add(view);
  return view;
}

/** The part that this key opened before. */
export function partOf(
  { store }: Pick<BranchParts, 'store'>,
  parent: string,
  key: string,
): RunView | undefined {
  return store.children(parent).find(({ intent }) => intent.idempotency_key === key);
}
