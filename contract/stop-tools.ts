import { fieldsOf } from './body-check.ts';
import type { HookQuestion } from './ports/policy-hook.ts';
import type { PolicyVerdict } from './ports/policy-judge.ts';

/** The built-in tools that only stop the robot or a run. No policy, quota or person is asked about them. */
export const STOP_TOOLS = ['robot.stop', 'run.cancel'] as const;

const NAMES: ReadonlySet<string> = new Set(STOP_TOOLS);

/** Whether a tool of this name only stops. Tools of applications and servers have other names. */
export function isStopTool(name: string): boolean {
  return NAMES.has(name);
}

/** How the subject of a message to a run starts, which is judged as an intent. */
export const RUN_MESSAGE = 'message ';

/** Whether no policy is asked about it: what only stops the robot or a run is always allowed. */
export function isNeverJudged({
  point,
  subject,
  facts,
}: Pick<HookQuestion, 'point' | 'subject' | 'facts'>): boolean {
  if (point === 'tool') return isStopTool(subject);
  return (
    point === 'intent' && subject.startsWith(RUN_MESSAGE) && fieldsOf(facts['message'])['kind'] === 'stop'
  );
}

export const NEVER_JUDGED: PolicyVerdict = {
  decision: 'allow',
  reason: 'never judged: what only stops the robot or a run is always allowed',
  determining: [],
};
