import { type Static, Type } from 'typebox';
import { closed, Json, Name, Uuid } from './common.ts';
import { ErrorBody } from './errors.ts';

/**
 * A request to act or to read, answered by exactly one of `result` and `error`. `replay` says what happens
 * to an interrupted call: `never` repeated, `safe` to repeat under the same id, `probe` the world first.
 */
export const ToolCall = Type.Object(
  {
    call_id: Uuid('UUIDv7'),
    run_id: Uuid('UUIDv7'),
    tool: Name('tool'),
    input_schema: Type.Optional(Json),
    output_schema: Type.Optional(Json),
    args: Json,
    result: Type.Optional(Json),
    error: Type.Optional(ErrorBody),
    effect: Type.Enum(['read', 'write', 'actuate']),
    replay: Type.Enum(['never', 'safe', 'probe']),
    deadline_ms: Type.Integer({
      minimum: 1,
      description: 'from the call, milliseconds',
    }),
  },
  { ...closed, $id: 'auraison/v1/tool-call', title: 'ToolCall' },
);
export type ToolCall = Static<typeof ToolCall>;
