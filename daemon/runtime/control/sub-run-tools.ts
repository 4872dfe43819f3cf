import { LIMITS, type Tool, type ToolAnswer, type ToolScope, UUID_PATTERN } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { ChildRequest, SubRuns } from './sub-runs.ts';

const closed = { additionalProperties: false } as const;
const RunId = Type.String({ pattern: UUID_PATTERN, description: 'id of a run that this run asked for' });
const TIME_S_MAX = 86_400;

const ask = {
  intent: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'type of intent that an application serves',
  }),
  params: Type.Optional(
    Type.Object({}, { additionalProperties: true, description: 'parameters of that intent' }),
  ),
  priority: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 9, description: '9 is most urgent; never above that of this run' }),
  ),
  turns: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'calls of models it may make, at most' }),
  ),
  tokens: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000_000_000,
      description: 'tokens in and out it may use, at most',
    }),
  ),
  time_s: Type.Optional(
    Type.Number({ minimum: 0.1, maximum: TIME_S_MAX, description: 'wall time it may take, seconds' }),
  ),
};
const Spawn = Type.Object(ask, closed);
const Wait = Type.Object(
  {
    run_ids: Type.Array(RunId, { minItems: 1, maxItems: LIMITS.RUN_CHILDREN_MAX, uniqueItems: true }),
    time_s: Type.Number({ minimum: 0.1, maximum: TIME_S_MAX, description: 'longest wait, seconds' }),
  },
  closed,
);
const Cancel = Type.Object(
  { run_id: RunId, reason: Type.String({ minLength: 1, maxLength: 256, description: 'why' }) },
  closed,
);

/** Extra time of a wait until its answer is logged, milliseconds. */
const GRACE_MS = 1_000;
const SPAWN_MS = LIMITS.POLICY_HOOK_MS * 8 + LIMITS.CELL_REQUEST_MS;
const CANCEL_MS = LIMITS.RUN_CHILDREN_SETTLE_MS * 2;

const about =
  'It has never more turns, tokens and time than this run has left, and ends with this run at the latest.';

/** Tools by which a run asks for other runs. All of them may be repeated: the same call finds the same run. */
export function subRunTools(runs: SubRuns): readonly Tool[] {
  return [
    {
      spec: {
        name: 'run.spawn',
        description: `Asks for another run and continues at once; answers with its id. ${about}`,
        input: Spawn,
        effect: 'write',
        replay: 'safe',
        deadlineMs: SPAWN_MS,
        origin: 'house',
      },
      run: async (args, { runId, callId }) => {
        const { state, budget, intent } = await runs.spawn(runId, callId, requestOf(args));
        const { run_id, status } = state;
        return { result: { run_id, status, ...budget, deadline: intent.deadline ?? null } };
      },
    },
    {
      spec: {
        name: 'run.wait',
        description:
          'Waits until runs that this run asked for are over, or the time is; answers how they stand.',
        input: Wait,
        effect: 'read',
        replay: 'safe',
        deadlineMs: TIME_S_MAX * 1_000,
        origin: 'house',
      },
      deadlineMs: (args) => (args as Static<typeof Wait>).time_s * 1_000 + GRACE_MS,
      run: async (args, scope) => {
        const { run_ids, time_s } = args as Static<typeof Wait>;
        return { result: { runs: await waited(runs, scope, run_ids, time_s) } };
      },
    },
    {
      spec: {
        name: 'run.cancel',
        description:
          'Cancels a run that this run asked for, and all that asked for; the robot is stopped first.',
        input: Cancel,
        effect: 'write',
        replay: 'safe',
        deadlineMs: CANCEL_MS,
        origin: 'house',
      },
      run: async (args, { runId }) => {
        const { run_id, reason } = args as Static<typeof Cancel>;
        return { result: { ...(await runs.cancel(runId, run_id, reason)) } };
      },
    },
    {
      spec: {
        name: 'run.delegate',
        description: `Asks for another run and waits for its end; answers with its outcome. ${about}`,
        input: Spawn,
        effect: 'write',
        replay: 'safe',
        deadlineMs: TIME_S_MAX * 1_000,
        origin: 'house',
      },
      // The child has this time, and then some more to end.
      deadlineMs: (args) =>
        ((args as Static<typeof Spawn>).time_s ?? TIME_S_MAX) * 1_000 + SPAWN_MS + CANCEL_MS,
      run: (args, scope) => delegated(runs, args, scope),
    },
  ];
}

async function delegated(
  runs: SubRuns,
  args: Readonly<Record<string, unknown>>,
  { runId, callId, signal }: ToolScope,
): Promise<ToolAnswer> {
  const child = (await runs.spawn(runId, callId, requestOf(args))).state.run_id;
  const [end] = await runs.wait(runId, [child], signal);
  return { result: { ...end! } };
}

/** Returns the ends of the runs, or after `timeS` their states. */
async function waited(runs: SubRuns, { runId, clock, signal }: ToolScope, ids: string[], timeS: number) {
  const late = new AbortController();
  const timer = clock.after(timeS * 1_000, () => late.abort());
  try {
    return await runs.wait(runId, ids, AbortSignal.any([signal, late.signal]));
  } finally {
    timer.cancel();
  }
}

function requestOf(args: Readonly<Record<string, unknown>>): ChildRequest {
  const { intent, params, priority, turns, tokens, time_s } = args as Static<typeof Spawn>;
  return {
    intent,
    params: (params ?? {}) as Readonly<Record<string, unknown>>,
    ...(priority === undefined ? {} : { priority }),
    ...(turns === undefined ? {} : { turns }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(time_s === undefined ? {} : { timeS: time_s }),
  };
}
