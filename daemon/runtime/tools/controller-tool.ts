import type { CellBus, Clock, Tool } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { controllerDeadlineMs, runController } from '../robot/run-controller.ts';
import { closed, houseTool, Seconds, Topic, Words } from './kit.ts';

const SECONDS_MAX = 600;

/** Fields of a call; the flow's `tools.runController` is checked by the same. */
export const ControllerRunArgs = Type.Object(
  {
    controller: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
      description: 'of [[controllers]], for example pick_place',
    }),
    task: Type.Optional(Words(1_024, 'in words, for policies that take it')),
    seconds: Seconds(0.1, SECONDS_MAX, 'at most this long, robot time'),
    until: Type.Optional(Topic('std_msgs/Bool of the robot; the controller is stopped when it is true')),
    plan_step: Type.Optional(Words(128, 'step of a plan that it serves, for the record')),
  },
  closed,
);

/** System 1 as a tool: a learned policy acts for a while. */
export function controllerTool(port: {
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
}): Tool {
  return houseTool({
    name: 'controller.run',
    description:
      'Lets a learned policy move the robot until a signal of the robot is true or its time is over; it stands when ' +
      'this returns. Ends with an outcome: succeeded, time_over or stopped.',
    input: ControllerRunArgs,
    effect: 'actuate',
    // What a policy did to the world before an interruption is unknown here.
    replay: 'never',
    deadlineMs: controllerDeadlineMs(SECONDS_MAX),
    callDeadlineMs: ({ seconds }) => controllerDeadlineMs(seconds),
    run: async (args, { signal, callId }) => ({
      result: { ...(await runController(port, args, callId, signal)) },
    }),
  });
}
