import { mayMove, type Wanted } from '../../../contract/index.ts';
import { preempted } from '../law/preempted.ts';
import type { CallScope } from '../trace/trace-scope.ts';
import { isStop } from './call-records.ts';
import type { Ask, ToolGateParts } from './tool-gate-parts.ts';

/** What the work of a call knows of it. `ends` aborts with the call. */
export function scopeOf(
  { runId, agentOf, waitForRobot }: Pick<ToolGateParts, 'runId' | 'agentOf' | 'waitForRobot'>,
  traceparent: string,
  ends: AbortSignal,
  wanted: Wanted | undefined,
): CallScope {
  const both = (signal: AbortSignal | undefined) => (signal ? AbortSignal.any([ends, signal]) : ends);
  return {
    ...{ traceparent, runId, agentOf },
    ...(wanted === undefined ? {} : { wantedAtMs: wanted.atMs }),
    waitForRobot: waitForRobot && ((refusal, signal) => waitForRobot(refusal, both(signal))),
  };
}

/** A call that may move the robot does not start where the robot was stopped since it was made: `robot.preempted`. */
export function refusePreempted(
  { stops, instead }: Pick<ToolGateParts, 'stops' | 'instead'>,
  ask: Ask,
  wanted: Wanted | undefined,
): void {
  // In a replay the record says what came of it.
  if (instead || !stops || !wanted || !mayMove(ask) || isStop(ask)) return;
  if (stops.since(wanted)) throw preempted('call', ask.tool);
}
