import type { TSchema } from 'typebox';
import {
  AgentEvent,
  ErrorBody,
  Intent,
  IntentRequest,
  ProjectionEvent,
  RunState,
  Skill,
  ToolCall,
} from '../index.ts';

const SCHEMAS: readonly [string, TSchema][] = [
  ['intent', Intent],
  ['intent-request', IntentRequest],
  ['skill', Skill],
  ['tool-call', ToolCall],
  ['run-state', RunState],
  ['agent-event', AgentEvent],
  ['projection-event', ProjectionEvent],
  ['error', ErrorBody],
];

/** File name and text of each JSON Schema of the contract. */
export function schemaFiles(): [string, string][] {
  return SCHEMAS.map(([name, schema]) => [
    `${name}.json`,
    `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }, null, 2)}\n`,
  ]);
}
