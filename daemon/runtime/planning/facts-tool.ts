import {
  type ArmState,
  type CellBus,
  type Clock,
  LIMITS,
  METHODS,
  type Robot,
  type RobotState,
  type Tool,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { askExecution } from '../robot/ask-execution.ts';
import { closed, houseTool } from '../tools/kit.ts';
import { worldFacts } from './world-facts.ts';

export type FactParts = {
  readonly robot: Pick<Robot, 'state'>;
  readonly arm: { state(): Promise<ArmState> };
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
};

/**
 * What the robot knows of the world, as plans speak of it: a call of a tool like any other, so that a plan which is
 * followed again from the log sees what it saw then.
 */
export function factsTool({ robot, arm, bus, clock }: FactParts): Tool {
  return houseTool({
    name: 'robot.facts',
    description:
      'What is known of the world now, by the names that conditions of plans use: pose, motion, battery, signals, ' +
      'joints of the arm, controllers. What is absent is not known.',
    input: Type.Object({}, closed),
    effect: 'read',
    replay: 'safe',
    deadlineMs: LIMITS.CELL_REQUEST_MS + 500,
    run: async () => {
      const quiet = <T>(asked: Promise<T>) => asked.catch(() => undefined);
      const [state, joints, status, controllers] = await Promise.all([
        quiet<RobotState>(robot.state()),
        quiet<ArmState>(arm.state()),
        quiet(askExecution({ bus, clock }, METHODS.execution.status, {}, LIMITS.CELL_REQUEST_MS)),
        quiet(askExecution({ bus, clock }, METHODS.execution.controllerList, {}, LIMITS.CELL_REQUEST_MS)),
      ]);
      return { result: { facts: worldFacts(state, joints, status?.mapCoverage, controllers ?? []) } };
    },
  });
}
