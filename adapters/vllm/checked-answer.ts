import {
  type Checker,
  checker,
  EdgeError,
  type ModelRequest,
  type ModelToolCall,
  parseJson,
} from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { fencedText } from '../../formats/openai/index.ts';
import { forced, offered } from './json-tools.ts';

/** Compiled schemas of one model; a daemon has few, an MCP server may bring many. */
const COMPILED_MAX = 256;

/** As models see `robot.stop`. */
const STOP = 'robot_stop';

/**
 * Checks the constraints that a server promised to enforce. vLLM has answered a forced call with the arguments `true`,
 * and servers ignore unknown constraints: an answer counts only when it fits.
 */
export class AnswerCheck {
  readonly #subject: string;
  readonly #compiled = new Map<string, Checker<unknown>>();

  constructor(subject: string) {
    this.#subject = subject;
  }

  /** The answer by its schema. Throws `model.failed`. */
  json(text: string, schema: Readonly<Record<string, unknown>>, stopReason: string): unknown {
    let value: unknown;
    try {
      value = parseJson(fencedText(text) ?? text);
    } catch (cause) {
      const why = stopReason === 'length' ? 'it was cut at maxTokens' : 'it is no JSON';
      throw this.#broken(`the answer does not fit its schema: ${why}`, cause);
    }
    const fault = this.#fault(schema, value);
    if (fault !== undefined) throw this.#broken(`the answer does not fit its schema: ${fault}`);
    return value;
  }

  /** A forced call has to be there, of an offered tool, with arguments that fit. */
  calls(request: ModelRequest, calls: readonly ModelToolCall[], stopReason: string): void {
    if (!forced(request)) return;
    const tools = offered(request);
    if (calls.length === 0) {
      throw this.#broken(
        stopReason === 'length'
          ? 'the call of a tool was cut at maxTokens'
          : 'no tool was called where one has to be',
      );
    }
    for (const { name, argumentsText } of calls) {
      const tool = tools.find((one) => one.name === name);
      if (tool === undefined) {
        throw this.#broken(`${name} was called where it was not offered`);
      }
      // A stop is executed with any arguments.
      if (name === STOP) continue;
      let value: unknown;
      try {
        value = parseJson(argumentsText);
      } catch (cause) {
        throw this.#broken(`the arguments of ${name} are no JSON`, cause);
      }
      const fault = this.#fault(tool.parameters, value);
      if (fault !== undefined) throw this.#broken(`the arguments of ${name} do not fit: ${fault}`);
    }
  }

  #fault(schema: Readonly<Record<string, unknown>>, value: unknown): string | undefined {
    let check: Checker<unknown>;
    try {
      check = this.#checker(schema);
      // Compiled at first use.
      check.is(null);
    } catch (cause) {
      throw new EdgeError('schema.invalid', {
        operation: 'complete',
        subject: this.#subject,
        message: `the schema itself cannot be used: ${(cause as Error).message}`,
        cause,
      });
    }
    try {
      return check.fault(value);
    } catch (cause) {
      // A value that is nested too deeply.
      throw this.#broken(`the answer cannot be checked: ${(cause as Error).message}`, cause);
    }
  }

  #checker(schema: Readonly<Record<string, unknown>>): Checker<unknown> {
    const key = JSON.stringify(schema);
    const known = this.#compiled.get(key);
    if (known) return known;
    if (this.#compiled.size >= COMPILED_MAX) this.#compiled.clear();
    const made: Checker<unknown> = checker(parseJson(key) as TSchema);
    this.#compiled.set(key, made);
    return made;
  }

  #broken(message: string, cause?: unknown): EdgeError {
    return new EdgeError('model.failed', { operation: 'complete', subject: this.#subject, message, cause });
  }
}
