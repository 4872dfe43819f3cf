import type { AgentEvent, CellBus, Clock, Intent, Robot, SkillShelf, Tool } from '../../../contract/index.ts';
import type { ArmProxy } from '../arm-proxy.ts';
import { factsTool } from '../planning/facts-tool.ts';
import { armTools } from './arm-tools.ts';
import { controllerTool } from './controller-tool.ts';
import { lakeTools } from './lake-tools.ts';
import { motionTools } from './motion-tools.ts';
import { personTool } from './person-tool.ts';
import { planTool } from './plan-tool.ts';
import type { QuestionDesk } from './question-desk.ts';
import { runTools } from './run-tools.ts';
import { type SightParts, sightTools } from './sight-tools.ts';
import { skillTool } from './skill-tool.ts';

export type HouseParts = Omit<SightParts, 'robot'> & {
  readonly robot: Robot;
  readonly arm: ArmProxy;
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
  readonly desk: QuestionDesk;
  readonly history: (runId: string) => Iterable<AgentEvent>;
  readonly shelfOf: (intent: Intent) => SkillShelf | undefined;
};

/** Every tool of this house, each described in docs/tools.md. Which of them an agent has, its definition says. */
export function houseTools(parts: HouseParts): readonly Tool[] {
  const { robot, arm, bus, clock, desk, shelfOf } = parts;
  return [
    ...motionTools(robot, clock),
    ...sightTools(parts),
    factsTool({ robot, arm, bus, clock }),
    ...armTools(arm, clock),
    controllerTool({ bus, clock }),
    ...lakeTools(parts),
    ...runTools(bus, clock),
    planTool(parts),
    personTool(desk),
    skillTool(shelfOf),
  ];
}
