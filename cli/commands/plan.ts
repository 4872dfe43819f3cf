import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EdgeError, type PlanView } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

/** A plan as the API returns it. */
type Told = Omit<PlanView, 'made'> & { readonly plan?: unknown; readonly model?: string };

type Options = {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly file?: string;
  readonly steps?: number;
  readonly replans?: number;
  readonly timeout: number;
  readonly camera?: boolean;
};

const LOOK_MS = 300;
const OVER = ['succeeded', 'failed', 'cancelled'];
/** The daemon answers by its own deadline; the client waits a little longer. */
const SPARE_MS = 5_000;

export function addPlanCommand(program: Command): void {
  program
    .command('plan [goal]')
    .description('plan for a goal in words and carry it out, step by step; or only look at the plan')
    .option('--dry-run', 'make and check the plan, do nothing')
    .option('--wait', 'wait for its end and show each step')
    .option('--file <json>', 'carry out this plan instead of asking a model for one')
    .option('--steps <count>', 'steps at most', integer)
    .option('--replans <count>', 'further plans where a step fails', integer)
    .option('--camera', 'show the model what the camera sees')
    .option('--timeout <ms>', 'for making the plan, milliseconds', integer, 60_000)
    .addHelpText(
      'after',
      '\nExamples:\n  auraison plan "drive two metres ahead and look left" --dry-run\n  auraison plan "go to the door" --wait\n  auraison plan --file plan.json --wait\n  auraison plan "…" --dry-run --json | jq .plan > plan.json',
    )
    .action(
      action(async ({ api, out }, goal: string | undefined, options: Options) => {
        const ask = {
          ...(goal === undefined ? {} : { goal }),
          ...(options.file === undefined ? {} : { plan: planOf(options.file) }),
          ...(options.dryRun === true ? { dry_run: true } : {}),
          ...(options.steps === undefined ? {} : { steps_max: options.steps }),
          ...(options.replans === undefined ? {} : { replans_max: options.replans }),
          ...(options.camera === true ? { camera: true } : {}),
          deadline_ms: options.timeout,
        };
        let plan = await api.post<Told>('/v1/plans', ask, options.timeout + SPARE_MS);
        while (options.wait === true && !OVER.includes(plan.status)) {
          await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
          plan = await api.get<Told>(`/v1/plans/${plan.run_id}`);
        }
        const isOpen = options.dryRun !== true && !OVER.includes(plan.status);
        out.result(
          plan,
          () => `${planText(plan)}${isOpen ? '\nauraison plans shows how it ends; --wait waits for it' : ''}`,
        );
        return plan.status === 'failed' || plan.status === 'cancelled' ? 1 : 0;
      }),
    );
  program
    .command('plans')
    .description('plans of this robot, the newest first')
    .addHelpText('after', '\nExample:\n  auraison plans --json | jq ".[0].steps"')
    .action(
      action(async ({ api, out }) => {
        const { plans } = await api.get<{ plans: Told[] }>('/v1/plans');
        out.result(plans, () =>
          plans.length === 0
            ? 'no plans'
            : table(
                ['RUN', 'STATUS', 'STEPS', 'REPLANS', 'GOAL', 'REASON'],
                plans.map(({ run_id, status, steps, replans, goal, reason }) => [
                  run_id,
                  status,
                  String(steps.length),
                  String(replans),
                  cut(goal, 60),
                  cut(reason, 60),
                ]),
              ),
        );
        return 0;
      }),
    );
}

function planText(plan: Told): string {
  const head = `${plan.goal}\n${plan.run_id} ${plan.status}${plan.reason === '' || plan.reason === plan.status ? '' : `: ${plan.reason}`}`;
  if (plan.steps.length === 0) return head;
  const rows = plan.steps.map(({ step_id, subgoal, params, state, deadline_ms, fallback, reason }) => [
    step_id,
    plan.dry_run ? '' : state,
    subgoal,
    cut(JSON.stringify(params), 60),
    `${Math.round(deadline_ms / 100) / 10} s`,
    fallback,
    cut(reason, 60),
  ]);
  const lines = [head, '', table(['STEP', 'STATE', 'SUBGOAL', 'PARAMS', 'WITHIN', 'ELSE', 'REASON'], rows)];
  for (const why of plan.given_up) lines.push(`abandoned: ${cut(why, 160)}`);
  return lines.join('\n');
}

function planOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new EdgeError('schema.invalid', {
      operation: 'plan',
      subject: file,
      message: `${file}: ${(cause as Error).message}`,
      cause,
    });
  }
}

function integer(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new EdgeError('schema.invalid', {
    operation: 'plan',
    subject: text,
    message: `${text} is no whole number`,
  });
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
