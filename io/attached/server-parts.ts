import type { Clock } from '../../contract/core.ts';
import type { ApiCaller } from './api-caller.ts';
import type { RobotView } from './attached-robot.ts';
import type { Door } from './robot-door.ts';

/** What a server of attached clients needs, whatever protocol it speaks. */
export type ServerParts = {
  readonly clock: Clock;
  readonly robot: RobotView;
  readonly hasRos: boolean;
  callerOf(token: string | undefined): ApiCaller;
  doorOf(caller: ApiCaller): Door;
  report(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void;
};
