import { EdgeError } from '../../../contract/index.ts';

/** What was wanted before the robot was stopped does not start after it. */
export function preempted(operation: string, subject: string): EdgeError {
  return new EdgeError('robot.preempted', {
    ...{
      operation,
      subject: subject.slice(0, 64),
      message: 'the robot was stopped after this was asked for',
    },
    hint: 'ask again if it is still wanted',
  });
}
