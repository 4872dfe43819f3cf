import { EdgeError } from '../contract/index.ts';

/**
 * What a robot sends and asks for is its own. `shown`: the robot whose credentials came with the request; undefined: those of
 * all robots. Throws `api.forbidden`.
 */
export function requireOwn(robot: string, shown: string | undefined): void {
  if (shown === undefined || shown === robot) return;
  throw new EdgeError('api.forbidden', {
    operation: 'authorise',
    subject: robot,
    message: `these are the credentials of ${shown}`,
    hint: 'daemon.name is the name that the robot was enrolled under',
  });
}
