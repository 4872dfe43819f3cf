import { LIMITS, type Tool } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { PARALLEL_TOOL } from '../flow/flow-check.ts';
import type { Branches } from './branches.ts';

const TIME_S_MAX = 86_400;
/** Branches end some time after their deadline, milliseconds. */
const GRACE_MS = LIMITS.POLICY_HOOK_MS * 8 + LIMITS.CELL_REQUEST_MS + LIMITS.RUN_CHILDREN_SETTLE_MS * 2;

const Input = Type.Object(
  {
    time_s: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: TIME_S_MAX,
        description: 'wall time the branches may take, seconds',
      }),
    ),
  },
  { additionalProperties: false },
);

/** The tool by which a step of a flow runs its parallel parts. A flow has it without naming it; an agent has not. */
export function branchTool(branches: Branches): Tool {
  return {
    spec: {
      name: PARALLEL_TOOL,
      description:
        'Runs the branches of the step that the flow is in, and waits for their end; answers how each ended. ' +
        'Branches never outlive their flow, and move the robot one after the other.',
      input: Input,
      effect: 'write',
      // Under the same call there are the same branches.
      replay: 'safe',
      deadlineMs: TIME_S_MAX * 1_000,
      origin: 'house',
    },
    deadlineMs: (args) => ((args as Static<typeof Input>).time_s ?? TIME_S_MAX) * 1_000 + GRACE_MS,
    run: async (args, { runId, callId, signal }) => {
      const { time_s } = args as Static<typeof Input>;
      return { result: { ...(await branches.run(runId, callId, time_s, signal)) } };
    },
  };
}
