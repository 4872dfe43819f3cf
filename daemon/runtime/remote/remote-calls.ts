import {
  canonicalJson,
  EdgeError,
  type ErrorCode,
  LIMITS,
  type PastCall,
  parseJson,
  RUNTIME_LIMITS,
  type RunContext,
  type ToolSpec,
} from '../../../contract/index.ts';
import { safeCopy } from '../intents/json-safety.ts';
import { type CallRecord, type Ended, wireAnswer } from './wire-answers.ts';

type Known = {
  readonly tool: string;
  /** Canonical JSON. */
  readonly args: string;
  readonly effect: ToolSpec['effect'];
  readonly abort: AbortController;
  done: Promise<Ended>;
  ended: Ended | undefined;
};

/** The tool that only stops: it is carried out as often as it comes. */
const STOP = 'robot.stop';
/** Ids of one attempt that are remembered. */
const IDS_MAX = 20_000;
/** Errors for which the agent is to blame. */
const BLAMED: ReadonlySet<ErrorCode> = new Set([
  ...(['tool.not_found', 'schema.invalid', 'policy.denied', 'runtime.refused', 'cell.overloaded'] as const),
]);

export type RemoteCallsParts = {
  readonly context: Pick<RunContext, 'runId' | 'toolBox' | 'past'>;
  /** Too many refused calls in a row. */
  readonly wandering: (error: EdgeError) => void;
};

/**
 * The tool calls of one run, by the ids that its runtime gives them. A call that comes again has no effect and gets the
 * answer of the first one, also when an earlier attempt made it. Nothing here rejects.
 */
export class RemoteCalls {
  readonly #parts: RemoteCallsParts;
  readonly #known = new Map<string, Known>();
  /** Ids of earlier phases. */
  readonly #used = new Set<string>();
  /** Calls that an earlier attempt left open and that did not come again yet. */
  readonly #cutOff = new Map<string, PastCall>();
  readonly #repeated = new Set<Promise<unknown>>();
  readonly #effects: ReadonlyMap<string, ToolSpec['effect']>;
  #open = 0;
  #refusedInARow = 0;
  total = 0;

  constructor(parts: RemoteCallsParts) {
    this.#parts = parts;
    this.#effects = new Map(parts.context.toolBox.specs().map(({ name, effect }) => [name, effect]));
    for (const past of parts.context.past ?? []) this.#recall(past);
  }

  /** Calls in progress. */
  get open(): number {
    return this.#open;
  }

  /** Settles with the one answer of this call. */
  call(id: string, tool: string, given: unknown): Promise<Ended> {
    let args: string;
    try {
      args = canonicalJson(safeCopy(given, LIMITS.TOOL_ARGS_BYTES_MAX, `arguments of ${tool}`));
    } catch {
      // The tool box refuses it and writes it down.
      return this.#blame(this.#perform(id, tool, given, new AbortController()));
    }
    const known = this.#known.get(id);
    const used = known !== undefined || this.#used.has(id) || this.#cutOff.has(id);
    // A stop is not refused for its id.
    if (tool === STOP && used) return this.#perform(id, tool, given, new AbortController());
    if (known && known.tool === tool && known.args === args) return known.done;
    const past = this.#cutOff.get(id);
    const refusal = this.#refusal(id, tool, known !== undefined || (past && past.args !== args) === true);
    if (refusal) return this.#blame(Promise.resolve({ ok: false, error: refusal }));
    return this.#blame(this.#start(id, tool, args, given, past !== undefined));
  }

  cancel(id: string): void {
    this.#known.get(id)?.abort.abort(
      new EdgeError('run.cancelled', {
        ...{ operation: 'call', subject: id, message: 'the runtime cancelled the call' },
      }),
    );
  }

  /** Ends the running motions. */
  stopMotions(error: EdgeError): void {
    for (const { effect, abort, ended } of this.#known.values())
      if (effect === 'actuate' && !ended) abort.abort(error);
  }

  /** The calls since the phase was entered, the oldest first. */
  history(): readonly CallRecord[] {
    const cutOff = [...this.#cutOff].map(([call, { tool, args }]) => ({
      call,
      tool,
      args: parseJson(args),
    }));
    const known = [...this.#known].map(([call, { tool, args, ended }]) => ({
      ...{ call, tool, args: parseJson(args) as unknown },
      ...(ended ? { answer: wireAnswer(withoutPictures(ended)) } : {}),
    }));
    return [...known, ...cutOff];
  }

  /** A phase was entered: what was called before belongs to the one before. */
  newPhase(): void {
    for (const id of [...this.#known.keys(), ...this.#cutOff.keys()]) this.#used.add(id);
    this.#known.clear();
    this.#cutOff.clear();
  }

  #recall({ originId, tool, args, answer }: PastCall): void {
    if (originId === undefined) return;
    if (!answer) {
      this.#cutOff.set(originId, { originId, tool, args, answer });
      return;
    }
    const ended: Ended = answer.ok
      ? { ok: true, answer: { result: answer.result } }
      : { ok: false, error: EdgeError.fromBody(answer.error) };
    const effect = this.#effects.get(tool) ?? 'read';
    this.#known.set(originId, {
      ...{ tool, args, effect, abort: new AbortController(), ended },
      done: Promise.resolve(ended),
    });
  }

  #refusal(id: string, tool: string, differs: boolean): EdgeError | undefined {
    const say = (code: ErrorCode, message: string, hint: string) =>
      new EdgeError(code, { operation: 'call', subject: tool.slice(0, 128), message, hint });
    if (differs || this.#used.has(id))
      return say('runtime.refused', `the id ${id} was used for another call`, 'use each id once in a run');
    if (tool === STOP) return undefined;
    if (this.#open >= RUNTIME_LIMITS.CALLS_AT_ONCE)
      return say('cell.overloaded', `${this.#open} calls of this run are in progress`, 'wait for a result');
    if (this.#known.size >= RUNTIME_LIMITS.CALLS_PER_PHASE)
      return say(
        'cell.overloaded',
        `${this.#known.size} calls were made in this phase`,
        'enter another phase: events with run.phase',
      );
    if (this.#used.size + this.#known.size < IDS_MAX) return undefined;
    return say('cell.overloaded', `${IDS_MAX} calls were made in this run`, 'finish it, and start another');
  }

  #start(id: string, tool: string, args: string, given: unknown, again: boolean): Promise<Ended> {
    const abort = new AbortController();
    const known: Known = {
      ...{ tool, args, effect: this.#effects.get(tool) ?? 'read', abort, ended: undefined },
      done: Promise.resolve({
        ok: false,
        error: new EdgeError('internal.fault', { operation: '', subject: '' }),
      }),
    };
    this.#cutOff.delete(id);
    this.#known.set(id, known);
    this.#open++;
    const work = again ? this.#perform(id, tool, given, abort) : this.#afterRepeated(id, tool, given, abort);
    known.done = work.then((ended) => {
      known.ended = ended;
      this.#open--;
      return ended;
    });
    if (again) {
      const settled = known.done.finally(() => this.#repeated.delete(settled));
      this.#repeated.add(settled);
    }
    return known.done;
  }

  /** A new decision waits for calls that are repeated: the gate abandons the open ones when something new comes. */
  async #afterRepeated(id: string, tool: string, given: unknown, abort: AbortController): Promise<Ended> {
    if (tool !== STOP) {
      for (const [cut, past] of this.#cutOff) this.#giveUp(cut, past);
      this.#cutOff.clear();
      if (this.#repeated.size > 0) await Promise.all(this.#repeated);
    }
    return await this.#perform(id, tool, given, abort);
  }

  #giveUp(id: string, { tool, args }: PastCall): void {
    const message = 'it was interrupted and the runtime did something else since';
    const error = new EdgeError('run.interrupted', { operation: 'call', subject: tool, message });
    this.#recall({ originId: id, tool, args, answer: { ok: false, error: error.toBody() } });
  }

  async #perform(id: string, tool: string, args: unknown, { signal }: AbortController): Promise<Ended> {
    this.total++;
    try {
      const answer = await this.#parts.context.toolBox.call(tool, args, { originId: id, signal });
      return { ok: true, answer };
    } catch (thrown) {
      return { ok: false, error: EdgeError.from(thrown, 'tool.failed', 'call', tool) };
    }
  }

  #blame(done: Promise<Ended>): Promise<Ended> {
    void done.then((ended) => {
      const refused = !ended.ok && BLAMED.has(ended.error.code);
      this.#refusedInARow = refused ? this.#refusedInARow + 1 : 0;
      if (this.#refusedInARow < RUNTIME_LIMITS.REFUSED_MAX) return;
      const message = `${this.#refusedInARow} calls in a row were refused`;
      this.#parts.wandering(
        new EdgeError('runtime.refused', { operation: 'call', subject: this.#parts.context.runId, message }),
      );
    });
    return done;
  }
}

function withoutPictures(ended: Ended): Ended {
  return ended.ok ? { ok: true, answer: { result: ended.answer.result } } : ended;
}
