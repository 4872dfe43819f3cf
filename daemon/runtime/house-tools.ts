import type { AgentEvent, CellBus, Clock, Robot, Tool, ToolSpec } from '../../contract/index.ts';
import { branchTool } from './control/branch-tool.ts';
import type { Branches } from './control/branches.ts';
import { loopToolsOf, type Rounds } from './control/rounds.ts';
import { subRunTools } from './control/sub-run-tools.ts';
import type { SubRuns } from './control/sub-runs.ts';
import { factsTool } from './planning/facts-tool.ts';
import type { ArmProxy } from './robot/arm-proxy.ts';
import { armTools } from './tools/arm-tools.ts';
import { controllerTool } from './tools/controller-tool.ts';
import { lakeTools } from './tools/lake-tools.ts';
import { motionTools } from './tools/motion-tools.ts';
import { permissionTool } from './tools/permission-tool.ts';
import { personTool } from './tools/person-tool.ts';
import { planTool } from './tools/plan-tool.ts';
import type { QuestionDesk } from './tools/question-desk.ts';
import { runTools } from './tools/run-tools.ts';
import { type SightParts, sightTools } from './tools/sight-tools.ts';
import { skillTool } from './tools/skill-tool.ts';

export type HouseParts = Omit<SightParts, 'robot'> & {
  readonly robot: Robot;
  readonly arm: ArmProxy;
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
  readonly desk: QuestionDesk;
  readonly history: (runId: string) => Iterable<AgentEvent>;
  readonly shelfOf: Parameters<typeof skillTool>[0];
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
    permissionTool(),
    skillTool(shelfOf),
  ];
}

/** What each tool of a run is. Nothing stands behind them: they are read, and cannot be called. */
export function houseSpecs(): readonly ToolSpec[] {
  const nothing = {} as HouseParts & SubRuns & Branches & Rounds;
  return [...houseTools(nothing), ...subRunTools(nothing), branchTool(nothing), ...loopToolsOf(nothing)].map(
    ({ spec }) => spec,
  );
}
