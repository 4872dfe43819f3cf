import { ACP_LIMITS, EdgeError } from '../../contract/core.ts';
import type { CallAnswer, HostedRun, RunOutcome } from './hosted-run.ts';
import { objectSchema } from './tool-schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** A tool as the agent sees it. */
export type OfferedTool = {
  /** As agents may name it: letters, digits, `_`. */
  readonly name: string;
  /** As the daemon names it. */
  readonly tool: string;
  readonly description: string;
  readonly input: Json;
  readonly effect: string;
};

/** The bridge's own tool: how an agent says that its task is done or cannot be done. */
export const FINISH = 'run_finish';
/** The daemon's tool that judges what an agent wants to do outside of the robot. It is not offered to the agent. */
export const PERMISSION = 'agent.permission';

const FINISH_TOOL: OfferedTool = {
  name: FINISH,
  tool: FINISH,
  description: 'Ends the run. Call it once, when the task is done or cannot be done; then stop.',
  effect: 'write',
  input: {
    type: 'object',
    properties: {
      status: { type: 'string', enum: ['succeeded', 'failed'] },
      reason: { type: 'string', maxLength: 512, description: 'in one sentence, for people' },
    },
    required: ['status', 'reason'],
    additionalProperties: false,
  },
};

/**
 * The tools of one run, as its agent uses them. Every call goes to the daemon under the identity of the run; here are
 * only the ids of calls, the phases that the contract wants, and the end of what is open.
 */
export class RunTools {
  readonly #run: HostedRun;
  /** Distinguishes the calls of this life of the run from those before it was interrupted. */
  readonly #life: string;
  readonly #offered: ReadonlyMap<string, OfferedTool>;
  readonly #open = new Map<string, Promise<unknown>>();
  readonly #facts: () => Json;
  #gate: Promise<unknown> = Promise.resolve();
  #count = 0;
  #inPhase: number;
  /** Calls of former lives. */
  readonly #before: number;
  #phase: number;
  #closed = false;
  /** What the agent said by `run_finish`. */
  outcome: RunOutcome | undefined;
  /** A call started or ended. */
  onActivity: () => void = () => {};

  /** `facts`: what a later attempt needs. */
  constructor(run: HostedRun, life: string, facts: () => Json) {
    this.#run = run;
    this.#life = life;
    this.#facts = facts;
    this.#phase = Number(/^agent-(\d+)$/.exec(run.resume?.phase ?? '')?.[1] ?? 0);
    this.#inPhase = run.calls.length + run.callsLeftOut;
    this.#before = this.#inPhase + Number(run.resume?.facts['calls'] ?? 0);
    const offered = run.tools
      .filter(({ name }) => name !== PERMISSION && name !== 'run.finish')
      .map((spec) => ({
        name: String(spec['name'])
          .replaceAll(/[^A-Za-z0-9_]/g, '_')
          .slice(0, 64),
        tool: String(spec['name']),
        description: String(spec['description'] ?? ''),
        input: objectSchema((spec['input'] ?? {}) as Json),
        effect: String(spec['effect'] ?? 'write'),
      }));
    this.#offered = new Map([...offered, FINISH_TOOL].map((one) => [one.name, one]));
  }

  list(): readonly OfferedTool[] {
    return [...this.#offered.values()];
  }

  /** Calls in progress. */
  get open(): number {
    return this.#open.size;
  }

  /** True where the application lets its agent ask for things outside of the robot. */
  get permits(): boolean {
    return this.#run.tools.some(({ name }) => name === PERMISSION);
  }

  /** Calls a tool by the name that the agent knows. The daemon judges it, and names it where it does not exist. */
  async call(name: string, args: Json, signal?: AbortSignal): Promise<CallAnswer> {
    if (name === FINISH) return this.#finish(args);
    if (this.outcome) return refusal('run.cancelled', `${FINISH} was called: nothing is called after it`);
    return await this.ask(this.#offered.get(name)?.tool ?? name, args, signal);
  }

  /** Calls a tool by its name in the daemon. Rejects when the run is over. */
  async ask(tool: string, args: Json, signal?: AbortSignal): Promise<CallAnswer> {
    // Calls wait while a phase is being entered: the contract allows that only between calls.
    await this.#gate;
    if (this.#inPhase >= ACP_LIMITS.CALLS_PER_PHASE && this.#open.size === 0) {
      this.#gate = this.enterPhase('many calls were made').catch(() => {});
      await this.#gate;
    }
    if (this.#closed || signal?.aborted) throw new Error('the run is over, or the call was cancelled');
    const id = `${this.#life}-${++this.#count}`;
    this.#inPhase++;
    const onAbort = () => this.#cancel(id);
    signal?.addEventListener('abort', onAbort, { once: true });
    const answer = this.#run.ask(tool, args, id);
    this.#open.set(id, answer);
    this.onActivity();
    try {
      return await answer;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#open.delete(id);
      this.onActivity();
    }
  }

  /** Where a later attempt starts. */
  async enterPhase(reason: string): Promise<void> {
    await this.#run.phase(`agent-${++this.#phase}`, reason, {
      ...this.#facts(),
      calls: this.#before + this.#count,
    });
    this.#inPhase = 0;
  }

  /** Settles when no call is in progress; never rejects. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled([...this.#open.values()]);
  }

  /** Ends every call in progress: motions stop. No further call is made. */
  close(): void {
    this.#closed = true;
    for (const id of this.#open.keys()) this.#cancel(id);
  }

  #cancel(id: string): void {
    try {
      this.#run.cancel(id);
    } catch {
      // The run is over: the daemon has ended its calls.
    }
  }

  #finish({ status, reason }: Json): CallAnswer {
    if (status !== 'succeeded' && status !== 'failed')
      return refusal('schema.invalid', '/status: expected "succeeded" or "failed"');
    this.outcome ??= { status, reason: String(reason ?? '').slice(0, 512) || status };
    this.onActivity();
    return { ok: true, result: { noted: true } };
  }
}

function refusal(code: 'schema.invalid' | 'run.cancelled', message: string): CallAnswer {
  const error = new EdgeError(code, { operation: 'call', subject: FINISH, message });
  return { ok: false, error: error.toBody() as unknown as Json };
}
