import type { Tool, ToolReturn, ToolScope, ToolSpec } from '../../../contract/index.ts';
import { type Static, type TSchema, Type } from '../../../contract/schema-kit.ts';

/** What the tools of the house are made with: closed schemas whose every number has a unit and a range. */
export const closed = { additionalProperties: false } as const;

export const Metres = (minimum: number, maximum: number, description: string) =>
  Type.Number({ minimum, maximum, description: `${description}, metres` });
export const Seconds = (minimum: number, maximum: number, description: string) =>
  Type.Number({ minimum, maximum, description: `${description}, seconds` });
export const Words = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, description });
/** A ROS name with its leading slash. */
export const Topic = (description: string) =>
  Type.String({ pattern: '^/[A-Za-z0-9_~/]{1,255}$', maxLength: 256, description });

type Parts<S extends TSchema> = Omit<ToolSpec, 'input' | 'origin'> & {
  readonly input: S;
  run(args: Static<S>, scope: ToolScope): Promise<ToolReturn>;
  probe?(args: Static<S>, scope: ToolScope): Promise<ToolReturn | undefined>;
  callDeadlineMs?(args: Static<S>): number;
};

/** A tool of the house. Its arguments have been checked against `input` before `run` sees them. */
export function houseTool<S extends TSchema>(parts: Parts<S>): Tool {
  const { run, probe, callDeadlineMs, ...spec } = parts;
  return {
    spec: { ...spec, origin: 'house' },
    run: (args, scope) => run(args as Static<S>, scope),
    ...(probe ? { probe: (args, scope) => probe(args as Static<S>, scope) } : {}),
    ...(callDeadlineMs ? { deadlineMs: (args) => callDeadlineMs(args as Static<S>) } : {}),
  };
}

/** Numbers for models: no more digits than anybody needs. */
export function rounded(value: number, digits = 3): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}
