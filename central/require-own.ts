import { EdgeError } from '../contract/index.ts';

/** Who sent a request, by the credentials that came with it. */
export type Caller = { readonly name: string; mayActFor(robot: string): boolean };

/** Where no credentials are required, or somebody else has checked them. */
export const ANYBODY: Caller = { name: 'anybody', mayActFor: () => true };

/** What a robot sends and asks for is its own. Throws `api.forbidden`. */
export function requireOwn(robot: string, caller: Caller): void {
  if (caller.mayActFor(robot)) return;
  throw new EdgeError('api.forbidden', {
    operation: 'authorise',
    subject: robot,
    message: `these are the credentials of ${caller.name}`,
    hint: "the token of a robot is in the file robots/NAME of the coordinator's data directory; NAME is its daemon.name",
  });
}
