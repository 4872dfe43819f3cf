import {
  checker,
  EdgeError,
  type ErrorCode,
  type ModelRequest,
  type ModelToolCall,
  parseJson,
  type ToolSpec,
} from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { STOP } from './choices.ts';

/** Why a call of an answer is not made. It is stored in the session with the call, so that a cut changes nothing. */
export type Refusal = { readonly code: ErrorCode; readonly message: string; readonly hint: string };
export type MaybeRefused = { readonly refused?: Refusal };

/**
 * The calls of one answer that are executed. A call of `robot.stop` goes first, and nothing of the same answer moves
 * the robot after it. Calls beyond what may be chosen now are refused with the reason. Pure.
 */
export function judgedCalls(
  calls: readonly ModelToolCall[],
  { choices, tools = [] }: Pick<ModelRequest, 'choices' | 'tools'>,
  specs: ReadonlyMap<string, ToolSpec>,
): readonly (ModelToolCall & MaybeRefused)[] {
  const stops = calls.filter(({ name }) => specs.get(name)?.name === STOP);
  const others = calls
    .filter((call) => !stops.includes(call))
    .map((call) => {
      const moves = stops.length > 0 && specs.get(call.name)?.effect === 'actuate';
      const refused = moves ? AFTER_STOP : choices && refusalOf(call, choices, tools);
      return refused ? { ...call, refused } : call;
    });
  return [...stops, ...others];
}

/** Undefined where the tool box decides: it knows the tools of the run and their schemas. */
function refusalOf(
  { name, argumentsText }: ModelToolCall,
  choices: NonNullable<ModelRequest['choices']>,
  tools: NonNullable<ModelRequest['tools']>,
): Refusal | undefined {
  const known = tools.find((tool) => tool.name === name);
  if (!known) return undefined;
  const hint = `choose one of: ${choices.map((choice) => choice.name).join(', ')}`.slice(0, 1_024);
  const choice = choices.find((one) => one.name === name);
  if (!choice) return { code: 'tool.not_found', message: `${name} cannot be chosen in this turn`, hint };
  if (choice.parameters === known.parameters) return undefined;
  const fault = faultOf(choice.parameters, argumentsText);
  if (fault === undefined) return undefined;
  return { code: 'schema.invalid', message: `the arguments cannot be chosen in this turn: ${fault}`, hint };
}

/** Text that is no JSON is refused by the tool box. */
function faultOf(schema: Readonly<Record<string, unknown>>, argumentsText: string): string | undefined {
  let args: unknown;
  try {
    args = argumentsText.trim() === '' ? {} : parseJson(argumentsText);
  } catch {
    return undefined;
  }
  try {
    return checker(schema as TSchema).fault(args);
  } catch (thrown) {
    return `they cannot be checked: ${(thrown as Error).message}`;
  }
}

export function refusalError({ code, message, hint }: Refusal, tool: string): EdgeError {
  return new EdgeError(code, { operation: 'choose', subject: tool.slice(0, 128), message, hint });
}

const AFTER_STOP: Refusal = {
  code: 'tool.failed',
  message: 'the same answer stops the robot: nothing of it moves the robot afterwards',
  hint: 'the robot stands; call this alone if it is still wanted',
};
