import { Type } from 'typebox';
import { By, Count, closed, Name, Text } from './common.ts';

const Milliseconds = (description: string) => Type.Number({ minimum: 0, description });
const PolicyHash = Text(128, 'SHA-256 of the policy, as it reports it; empty before its first answer');

/** Payloads of the events of controllers. Part of `EVENT_PAYLOADS`. */
export const CONTROL_PAYLOADS = {
  'controller.state': Type.Object(
    {
      controller: Name('controller'),
      state: Text(64, 'running, or how it ended'),
      reason: Text(512, 'the task where it starts, why where it ends'),
      policy_hash: PolicyHash,
      by: By,
    },
    closed,
  ),
  /** What a controller did since the last event of this kind; the steps themselves are samples of its own topic. */
  'control.chunk': Type.Object(
    {
      controller: Name('controller'),
      policy_hash: PolicyHash,
      steps: Count('steps in which something was applied'),
      starved: Count('of them without an action'),
      clamped: Count('of them within the limits of the gate, and not as asked'),
      refused: Count('of them refused by the gate, or not sent'),
      chunks: Count('chunks taken'),
      last_chunk: Count('number of the newest chunk since the controller started'),
      failures: Count('questions without an answer'),
      turned_down: Type.Record(
        Type.String({ maxLength: 64 }),
        Count('chunks that were not taken, by reason'),
      ),
      path_p50_ms: Type.Optional(Milliseconds('from an observation to its chunk, lately')),
      path_p99_ms: Type.Optional(Milliseconds('the same, 99th percentile')),
    },
    closed,
  ),
} as const;
