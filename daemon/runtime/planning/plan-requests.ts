import { type CellBus, EdgeError, METHODS, neededText } from '../../../contract/index.ts';
import type { PlanDesk } from './plan-desk.ts';

/** Longest that another cell may wait for a plan, milliseconds. */
const DEADLINE_MS_MAX = 600_000;

/** What the execution cell asks for nodes of the robot: `ai/inference/plan`. */
export function servePlans(bus: Pick<CellBus, 'handle'>, desk: Pick<PlanDesk, 'infer'>): void {
  const open = new Map<string, AbortController>();
  bus.handle(METHODS.runtime.inferPlan, async (body) => {
    const { ask, context, deadlineMs, callId, traceparent } = body;
    if (!(deadlineMs > 0)) {
      throw new EdgeError('deadline.exceeded', {
        operation: 'plan',
        subject: 'plan',
        message: 'the deadline was over before it started',
      });
    }
    const abort = new AbortController();
    if (callId !== undefined) open.set(callId, abort);
    try {
      return await desk.infer(ask, context, Math.min(deadlineMs, DEADLINE_MS_MAX), {
        signal: abort.signal,
        ...(traceparent === undefined ? {} : { traceparent }),
      });
    } finally {
      if (callId !== undefined) open.delete(callId);
    }
  });
  // An unknown call is no error.
  bus.handle(METHODS.runtime.planCancel, async (body) =>
    open.get(neededText(METHODS.runtime.planCancel, body, 'callId'))?.abort(),
  );
}
