import type { Tool } from '../../../contract/index.ts';
import { Plan } from '../../../contract/plan.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { SubRuns } from '../control/sub-runs.ts';
import { closed, Seconds, Words } from '../tools/kit.ts';
import { PLAN_INTENT } from './plan-desk.ts';

const TIME_S = 900;
const MAKE_S = 120;
/** What a run needs beyond its own time to end, milliseconds. */
const GRACE_MS = 20_000;

const Make = Type.Object(
  {
    goal: Words(1_024, 'what is to be reached, in words'),
    steps_max: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, description: 'steps at most' })),
    time_s: Type.Optional(Seconds(1, 600, `for making it; ${MAKE_S} where absent`)),
  },
  closed,
);
const Run = Type.Object(
  {
    goal: Type.Optional(Words(1_024, 'what is to be reached, in words; needed where no plan is given')),
    plan: Type.Optional(Plan),
    replans_max: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 16, description: 'further plans where a step fails' }),
    ),
    time_s: Type.Optional(Seconds(1, 86_400, `wall time for all of it; ${TIME_S} where absent`)),
  },
  closed,
);

/** Plans for agents: each is a run that this run asks for, with its own log, budget and end. */
export function planTools(runs: SubRuns): readonly Tool[] {
  return [
    {
      spec: {
        name: 'plan.make',
        description:
          'Makes a plan for a goal: typed steps that this robot can carry out, with deadlines and conditions of ' +
          'success, checked against what is known and what is allowed. Nothing is carried out.',
        input: Make,
        effect: 'write',
        replay: 'safe',
        deadlineMs: MAKE_S * 1_000 + GRACE_MS,
        origin: 'house',
      },
      deadlineMs: (args) => ((args as Static<typeof Make>).time_s ?? MAKE_S) * 1_000 + GRACE_MS,
      run: async (args, { runId, callId, signal }) => {
        const { goal, steps_max, time_s = MAKE_S } = args as Static<typeof Make>;
        const params = { goal, dry_run: true, ...(steps_max === undefined ? {} : { steps_max }) };
        return { result: await asked(runs, { runId, callId, signal }, params, time_s) };
      },
    },
    {
      spec: {
        name: 'plan.run',
        description:
          'Carries out a plan, or makes one for a goal and carries it out: each step is judged, bounded and checked ' +
          'by its conditions; a step that fails leads to another plan. Answers with how it ended.',
        input: Run,
        effect: 'write',
        replay: 'safe',
        deadlineMs: TIME_S * 1_000 + GRACE_MS,
        origin: 'house',
      },
      deadlineMs: (args) => ((args as Static<typeof Run>).time_s ?? TIME_S) * 1_000 + GRACE_MS,
      run: async (args, { runId, callId, signal }) => {
        const { time_s = TIME_S, ...params } = args as Static<typeof Run>;
        return { result: await asked(runs, { runId, callId, signal }, params, time_s) };
      },
    },
  ];
}

async function asked(
  runs: SubRuns,
  scope: { readonly runId: string; readonly callId: string; readonly signal: AbortSignal },
  params: Readonly<Record<string, unknown>>,
  timeS: number,
): Promise<Readonly<Record<string, unknown>>> {
  const child = await runs.spawn(scope.runId, scope.callId, { intent: PLAN_INTENT, params, timeS });
  const [end] = await runs.wait(scope.runId, [child.state.run_id], scope.signal);
  return { ...end! };
}
