import type { Application } from '../../../contract/index.ts';
import { PlanAsk } from '../../../contract/plan.ts';
import { PLAN_INTENT } from './plan-desk.ts';

export const PLANNER = 'planner';
/** Wall time of one plan from its making to its end, milliseconds, where its intent sets no earlier deadline. */
const RUN_MS = 4 * 3_600_000;
/** Plans that are made or carried out at a time; the robot moves by one of them. */
const RUNS_MAX = 8;

/** The application that serves the intent `plan`. Its tools are the subgoals of this robot and what it looks by. */
export function plannerApp(subgoals: readonly string[]): Application {
  return {
    name: PLANNER,
    version: '0.1.0',
    description: 'Makes a plan of typed steps for a goal in words, checks it, and carries it out',
    harness: 'flow',
    intents: [
      {
        type: PLAN_INTENT,
        description: 'Make a plan for a goal and carry it out; with dry_run only make it',
        params: PlanAsk,
      },
    ],
    deadlineMs: RUN_MS,
    afterCut: 'resume',
    agent: {
      instructions: '',
      prompt: () => '',
      tools: [...subgoals.filter((name) => !name.includes('/')), 'robot.facts', 'robot.look', 'run.delegate'],
      turnsMax: 64,
    },
    sharing: {
      runsMax: RUNS_MAX,
      // Two plans do not take turns at one robot.
      concurrencyKey: (params) => (params['dry_run'] === true ? undefined : 'plan'),
    },
  };
}
