import type { TSchema } from 'typebox';
import { AgentEvent } from '../agent-event.ts';
import { ErrorBody } from '../errors.ts';
import { Intent, IntentRequest } from '../intent.ts';
import { MOTION_GOALS } from '../motion/goals.ts';
import { RunState } from '../run-state.ts';
import { Skill } from '../skill.ts';
import { ToolCall } from '../tool-call.ts';

const SCHEMAS: readonly [string, TSchema][] = [
  ['intent', Intent],
  ['intent-request', IntentRequest],
  ['skill', Skill],
  ['tool-call', ToolCall],
  ['run-state', RunState],
  ['agent-event', AgentEvent],
  ['error', ErrorBody],
  ...Object.entries(MOTION_GOALS).map(([kind, goal]): [string, TSchema] => [`motion-${kind}`, goal]),
];

/** File name and text of each JSON Schema of the contract. */
export function schemaFiles(): [string, string][] {
  return SCHEMAS.map(([name, schema]) => [
    `${name}.json`,
    `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }, null, 2)}\n`,
  ]);
}
