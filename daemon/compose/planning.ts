import {
  type Application,
  type CellContext,
  EdgeError,
  type Harness,
  type IdSource,
  type Nanoseconds,
  type PolicyHook,
} from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { FlowHarness } from '../runtime/flow/flow-harness.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import { PlanHarness } from '../runtime/planning/plan-harness.ts';
import type { PlanningRules } from '../runtime/planning/plan-maker.ts';
import { PLANNER, plannerApp } from '../runtime/planning/planner-app.ts';
import { RobotProxy } from '../runtime/robot/robot-proxy.ts';

export type Planning = {
  /** The application that serves the intent `plan`. */
  readonly app: Application;
  readonly harness: () => Harness;
};

export function rulesOf({ planning, models }: Pick<Config, 'planning' | 'models'>): PlanningRules {
  return {
    subgoals: planning.subgoals,
    stepsMax: planning.steps_max,
    replansMax: planning.replans_max,
    budgetMs: planning.duration_max,
    planMs: planning.timeout,
    answersMax: planning.answers_max,
    maxTokens: planning.max_tokens,
    // By the configuration and not by who answers: a plan that is made again looks again.
    camera: planning.camera === 'auto' && models.some(({ vision }) => vision) ? 'auto' : 'never',
    need: planning.prefer.length > 0 ? { prefer: planning.prefer } : {},
  };
}

export type PlanningParts = {
  readonly hooks: readonly PolicyHook[];
  readonly ids: IdSource;
  /** Whose intents may be steps; asked when a plan is made. */
  readonly others: () => readonly Application[];
  /** In place of that of the robot: a replay asks no robot, and what ended then is in the record. */
  readonly robotTime?: () => Promise<Nanoseconds>;
};

/** Plans of this robot; undefined where the configuration wants none. */
export function makePlanning(
  config: Config,
  { clock, bus, emit }: Pick<CellContext, 'clock' | 'bus' | 'emit'>,
  { hooks, ids, others, robotTime }: PlanningParts,
): Planning | undefined {
  if (!config.planning.enabled) return undefined;
  const rules = rulesOf(config);
  const robot = new RobotProxy(bus, clock, ids);
  const gate = new PolicyGate(hooks, clock);
  return {
    app: plannerApp(rules.subgoals),
    harness: () =>
      new PlanHarness({
        clock,
        rules,
        // Packages come and go.
        get intents() {
          return others().flatMap(({ intents }) => intents);
        },
        hooks: gate,
        note: (events) => emit(events),
        robotTime: robotTime ?? (async () => (await robot.state()).time),
      }),
  };
}

/** What runs applications of the flow harness: their flow, or the planner its plans. Throws `config.invalid`. */
export function flowHarness(planning: Planning | undefined): (app: Application) => Harness {
  return (app) => {
    if (planning && app.name === PLANNER) return planning.harness();
    if (app.flow) return new FlowHarness(app.flow);
    throw new EdgeError('config.invalid', {
      operation: 'load application',
      subject: app.name,
      message: 'its harness is flow and it has no flow',
    });
  };
}
