import type {
  AgentEvent,
  EventKind,
  EventPayload,
  PlanView,
  RunDetails,
  StepView,
} from '../../../contract/index.ts';

export const PLAN_KINDS = [
  'plan.made',
  'plan.step_started',
  'plan.step_ended',
  'plan.replanned',
] as const satisfies readonly EventKind[];

/** Folds what the log says of a plan. Pure. */
export function foldPlan(details: RunDetails, events: Iterable<AgentEvent>): PlanView {
  const { run, intent, reason } = details;
  let made: EventPayload<'plan.made'> | undefined;
  let steps: StepView[] = [];
  const givenUp: string[] = [];
  const change = (id: string, more: Partial<StepView>) => {
    steps = steps.map((step) => (step.step_id === id ? { ...step, ...more } : step));
  };
  for (const event of events) {
    switch (event.kind) {
      case 'plan.made':
        made = event.payload;
        steps = made.plan.steps.map(({ step_id, subgoal, params, deadline_ms, fallback }) => ({
          ...{ step_id, subgoal, params, deadline_ms, fallback },
          ...{ state: 'pending', reason: '', attempt: 0 },
        }));
        break;
      case 'plan.step_started':
        change(event.payload.step_id, { state: 'running', attempt: event.payload.attempt });
        break;
      case 'plan.step_ended':
        change(event.payload.step_id, { state: event.payload.outcome, reason: event.payload.reason });
        break;
      case 'plan.replanned':
        givenUp.push(event.payload.reason);
        break;
      default:
    }
  }
  const { goal, plan, dry_run } = intent.params as {
    goal?: string;
    plan?: { goal: string };
    dry_run?: boolean;
  };
  return {
    run_id: run.run_id,
    status: run.status,
    goal: made?.plan.goal ?? goal ?? plan?.goal ?? '',
    dry_run: dry_run === true,
    revision: made?.revision ?? 0,
    replans: givenUp.length,
    reason,
    made,
    steps,
    given_up: givenUp,
  };
}
