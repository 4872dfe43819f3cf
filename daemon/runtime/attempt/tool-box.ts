import {
  type BlobStore,
  type Checker,
  type Clock,
  checker,
  EdgeError,
  type Intent,
  LIMITS,
  type Robot,
  type Tool,
  type ToolAnswer,
  type ToolBox,
  type ToolImage,
  type ToolReturn,
  type ToolScope,
  type ToolSpec,
  traceparentOf,
} from '../../../contract/index.ts';
import { BoundRobot } from '../flow/bound-robot.ts';
import type { Answered, ImageNote, ToolGate } from '../gate/tool-gate.ts';
import { safeCopy } from '../intents/json-safety.ts';
import { readStored, tooMuch } from './stored-images.ts';

/** Arguments of a foreign tool up to this size get an error that names the faulty place, characters of JSON. */
const STRANGE_CHARS_MAX = 512;

/** Schemas are compiled once, not once per run. */
const compiled = new WeakMap<ToolSpec['input'], Checker<unknown>>();

export type ToolBoxParts = {
  readonly runId: string;
  readonly intent: Intent;
  readonly clock: Clock;
  readonly gate: ToolGate;
  /** Where images are stored. Without it a tool that returns images fails. */
  readonly blobs: BlobStore | undefined;
  readonly tools: readonly Tool[];
  /** For tools of applications. */
  readonly robot?: Robot;
};

/** The built-in tool that only stops. */
const STOP = 'robot.stop';
/** It ends a run, its motion first: only the id of that run has to be right. */
const CANCEL = 'run.cancel';
/** The length of its reason that is kept, characters. */
const STOP_REASON_CHARS = 256;

/** The tools of one run: checks the arguments strictly, then calls the tool gate. */
export class GatedToolBox implements ToolBox {
  readonly #parts: ToolBoxParts;
  readonly #tools = new Map<string, { readonly tool: Tool; readonly input: Checker<unknown> }>();

  constructor(parts: ToolBoxParts) {
    this.#parts = parts;
    for (const tool of parts.tools)
      this.#tools.set(tool.spec.name, { tool, input: compile(tool.spec.input) });
  }

  specs(): readonly ToolSpec[] {
    return [...this.#tools.values()].map(({ tool }) => tool.spec);
  }

  async call(
    name: string,
    args: unknown,
    options: { readonly originId?: string; readonly signal?: AbortSignal } = {},
  ): Promise<ToolAnswer> {
    const { gate, runId, intent, clock, robot } = this.#parts;
    const { originId } = options;
    const known = this.#tools.get(name);
    let plain: Record<string, unknown>;
    try {
      if (!known) throw this.#unknown(name);
      const given = name === CANCEL ? cancelArgs(args) : args;
      plain = name === STOP ? stopArgs(args) : strict(given, known.input, known.tool.spec);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'schema.invalid', 'call', name);
      await this.refuse(name, args, error, originId);
      throw error;
    }
    const { tool } = known;
    const { spec } = tool;
    const scope = (signal: AbortSignal, callId: string): ToolScope => ({
      runId,
      callId,
      intent,
      clock,
      signal,
      traceparent: traceparentOf({ runId, traceparent: intent.traceparent }, callId),
      ...(robot
        ? { robot: new BoundRobot(robot, signal, (kind, goal) => gate.allowMotion(spec.name, kind, goal)) }
        : {}),
    });
    const fresh = new Map<string, Uint8Array>();
    const answered = await gate.callTool({
      tool: spec.name,
      args: plain,
      effect: spec.effect,
      replay: spec.replay === 'probe' && !tool.probe ? 'never' : spec.replay,
      deadlineMs: tool.deadlineMs?.(plain) ?? spec.deadlineMs,
      originId,
      signal: options.signal,
      work: async (signal, callId) =>
        await this.#kept(await tool.run(plain, scope(signal, callId)), name, fresh),
      ...(tool.probe
        ? {
            probe: async (signal: AbortSignal, callId: string) => {
              const happened = await tool.probe!(plain, scope(signal, callId));
              return happened && (await this.#kept(happened, name, fresh));
            },
          }
        : {}),
    });
    return await this.#whole(answered, fresh);
  }

  refuse(name: string, args: unknown, error: EdgeError, originId?: string): Promise<void> {
    return this.#parts.gate.refuse({ tool: name, args: shown(args), originId }, error);
  }

  /** Stores images before an event names them, and makes results fit for the log. */
  async #kept(
    { result, images = [], stored = [] }: ToolReturn,
    name: string,
    fresh: Map<string, Uint8Array>,
  ): Promise<Answered> {
    const plain = safeCopy(result, LIMITS.TOOL_RESULT_BYTES_MAX, `result of ${name}`) as Answered['result'];
    // What the log would refuse is refused here, before anything is stored, with an error that says why.
    const long = Object.keys(plain).find((key) => key.length > LIMITS.TOOL_RESULT_KEY_CHARS_MAX);
    if (long !== undefined)
      throw tooMuch(name, `a key of ${long.length} characters`, LIMITS.TOOL_RESULT_KEY_CHARS_MAX);
    const count = images.length + stored.length;
    if (count === 0) return { result: plain };
    if (count > LIMITS.TOOL_RESULT_IMAGES_MAX)
      throw tooMuch(name, `${count} images`, LIMITS.TOOL_RESULT_IMAGES_MAX);
    const { blobs } = this.#parts;
    if (!blobs) throw new EdgeError('tool.failed', { operation: 'keep image', subject: name });
    const notes: ImageNote[] = [];
    for (const { mime, data } of images) {
      const sha256 = await blobs.put(data);
      fresh.set(sha256, data);
      notes.push({ mime, sha256, bytes: data.byteLength });
    }
    for (const { mime, sha256, bytes } of stored) {
      fresh.set(sha256, await readStored(blobs, { mime, sha256, bytes }, name));
      notes.push({ mime, sha256, bytes });
    }
    return { result: plain, images: notes };
  }

  /** Adds the bytes of images: those of this call are in memory, those of a logged answer are read. */
  async #whole({ result, images }: Answered, fresh: ReadonlyMap<string, Uint8Array>): Promise<ToolAnswer> {
    if (!images) return { result };
    const found: ToolImage[] = [];
    for (const { mime, sha256 } of images) {
      const data = fresh.get(sha256) ?? (await this.#parts.blobs?.get(sha256));
      if (data) found.push({ mime, data });
    }
    return { result, images: found };
  }

  #unknown(name: string): EdgeError {
    return new EdgeError('tool.not_found', {
      operation: 'call',
      subject: name.slice(0, 128),
      message: `there is no tool ${name.slice(0, 128)} here`,
      hint: `tools: ${[...this.#tools.keys()].join(', ')}`.slice(0, 1024),
    });
  }
}

/** Wrong arguments never prevent a stop. Only a reason that can be logged is kept. */
function stopArgs(args: unknown): Record<string, unknown> {
  const reason =
    typeof args === 'object' && args !== null ? (args as { reason?: unknown }).reason : undefined;
  if (typeof reason !== 'string' || reason === '') return {};
  return { reason: reason.slice(0, STOP_REASON_CHARS).toWellFormed() };
}

function cancelArgs(args: unknown): unknown {
  const { run_id } = (args ?? {}) as { run_id?: unknown };
  return { reason: 'an agent asked for it', ...stopArgs(args), ...(run_id === undefined ? {} : { run_id }) };
}

function compile(schema: ToolSpec['input']): Checker<unknown> {
  const known = compiled.get(schema);
  if (known) return known;
  const made = checker(schema);
  compiled.set(schema, made);
  return made;
}

/**
 * Throws `schema.invalid` with the path of the fault. With a schema of a foreign tool the path is given only for short
 * arguments: the search for it matches patterns and duplicates, which may never end on long ones.
 */
function strict(
  args: unknown,
  input: Checker<unknown>,
  { name, origin }: Pick<ToolSpec, 'name' | 'origin'>,
): Record<string, unknown> {
  // Undefined means no arguments. Null is a value, and never an object.
  const copy = safeCopy(args === undefined ? {} : args, LIMITS.TOOL_ARGS_BYTES_MAX, `arguments of ${name}`);
  if (input.is(copy)) return copy as Record<string, unknown>;
  const isLong = origin === 'mcp' && JSON.stringify(copy).length > STRANGE_CHARS_MAX;
  const fault = isLong ? '/: it does not fit the schema of this tool' : (input.fault(copy) ?? '');
  throw new EdgeError('schema.invalid', { operation: 'check arguments', subject: name, message: fault });
}

/** The form in which the log shows arguments that reached no tool. */
function shown(args: unknown): Record<string, unknown> {
  try {
    return safeCopy(args ?? {}, LIMITS.TOOL_ARGS_BYTES_MAX, 'arguments') as Record<string, unknown>;
  } catch {
    return {};
  }
}
