import {
  type AgentEvent,
  type Clock,
  EdgeError,
  LIMITS,
  MOTION_LIMITS,
  type Robot,
  type Tool,
  toWireTime,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { closed, houseTool, Metres, Seconds, Words } from './kit.ts';
import { foldPlan, merged, type PlanStep, STEP_STATES, STEPS_MAX, type Success } from './plan.ts';

export type PlanParts = {
  readonly robot: Pick<Robot, 'state'>;
  readonly clock: Clock;
  /** Calls and returns of tools of a run, in order. */
  readonly history: (runId: string) => Iterable<AgentEvent>;
};

const input = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9][a-z0-9_.-]{0,31}$',
      description: 'name of the step; a name that is known changes that step',
    }),
    subgoal: Type.Optional(Words(500, 'what is to be achieved; needed for a new step')),
    status: Type.Optional(
      Type.Union(
        STEP_STATES.map((state) => Type.Literal(state)),
        { description: 'pending where a new step has none' },
      ),
    ),
    due_in_s: Type.Optional(Seconds(1, 86_400, 'should be done within, from now')),
    success: Type.Optional(
      Type.Union([
        Type.Object(
          {
            signal: Words(256, 'a signal of robot.state'),
            is: Type.Union([Type.Boolean(), Type.Number({ minimum: -1e9, maximum: 1e9 })], {
              description: 'the value it has to have',
            }),
          },
          closed,
        ),
        Type.Object(
          {
            x: Metres(
              -MOTION_LIMITS.PLACE_M,
              MOTION_LIMITS.PLACE_M,
              'place in map that the robot has to be at',
            ),
            y: Metres(
              -MOTION_LIMITS.PLACE_M,
              MOTION_LIMITS.PLACE_M,
              'place in map that the robot has to be at',
            ),
            within_m: Metres(0.05, 100, 'distance that counts as there'),
          },
          closed,
        ),
      ]),
    ),
  },
  closed,
);

/** The plan of a run, step by step, in its log. Whether a step is done is asked of the robot, not believed. */
export function planTool({ robot, clock, history }: PlanParts): Tool {
  return houseTool({
    name: 'plan.step',
    description:
      'Declares a step of the plan, or reports its progress: what it is to achieve, until when, and how to see that ' +
      'it did. A step that is said to be done is checked against its success condition. Answers with the plan.',
    input,
    effect: 'write',
    // Nothing happens but the log; the world is only looked at.
    replay: 'safe',
    deadlineMs: LIMITS.CELL_REQUEST_MS + 1_000,
    run: async (args, { runId }) => {
      const plan = foldPlan(history(runId));
      const before = plan.find(({ id }) => id === args.id);
      if (!before && args.subgoal === undefined) throw refusal('/subgoal: missing; this step is new');
      if (!before && plan.length >= STEPS_MAX) throw refusal(`/id: a plan has ${STEPS_MAX} steps at most`);
      const nowNs = clock.now();
      const due =
        args.due_in_s === undefined ? undefined : toWireTime(nowNs + BigInt(Math.round(args.due_in_s * 1e9)));
      const asked = merged(before, args, due, undefined);
      const verified = asked.state === 'done' ? await holds(asked.success, robot) : undefined;
      const step = { ...asked, verified };
      const all = before ? plan.map((one) => (one.id === step.id ? step : one)) : [...plan, step];
      return {
        result: {
          step: { ...shown(step, nowNs), ...(due === undefined ? {} : { due_ns: due }) },
          plan: all.map((one) => shown(one, nowNs)),
          ...(verified === false
            ? { warning: 'the success condition of this step does not hold: it is not done' }
            : {}),
        },
      };
    },
  });
}

/** Undefined where there is no condition, or the robot cannot say. */
async function holds(
  success: Success | undefined,
  robot: Pick<Robot, 'state'>,
): Promise<boolean | undefined> {
  if (!success) return undefined;
  const state = await robot.state().catch(() => undefined);
  if (!state) return undefined;
  if ('signal' in success)
    return Object.hasOwn(state.signals, success.signal) && state.signals[success.signal] === success.is;
  if (!state.pose) return undefined;
  return Math.hypot(state.pose.x - success.x, state.pose.y - success.y) <= success.within_m;
}

function shown({ id, subgoal, state, dueNs, verified }: PlanStep, nowNs: bigint): Record<string, unknown> {
  const open = state === 'pending' || state === 'active';
  const left = dueNs === undefined ? undefined : Math.round(Number(dueNs - nowNs) / 1e9);
  return {
    id,
    subgoal,
    status: state,
    ...(open && left !== undefined ? { left_s: left, overdue: left < 0 } : {}),
    ...(verified === undefined ? {} : { verified }),
  };
}

function refusal(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'plan.step', subject: 'plan.step', message });
}
