import {
  A2A_LIMITS,
  type Clock,
  EdgeError,
  type HostedOutcome,
  type HostedRun,
  type HostedSaid,
  pause,
  settledWithin,
  withDeadline,
} from '../../../contract/core.ts';
import { carryOut, RunEnd } from '../../../io/hosted-work.ts';
import { AgentTask } from './agent-task.ts';
import { agentError, type RemoteAgent, wordsOf } from './remote-agent.ts';
import { type AskedCall, callsIn, firstMessage, nextMessage, resultOf, runCallId } from './tool-turns.ts';

type Json = Readonly<Record<string, unknown>>;

export type A2aParts = {
  readonly clock: Clock;
  /** As errors name the agent. */
  readonly name: string;
  /** An agent from which nothing comes for so long is left. */
  readonly timeoutMs: number;
  open(signal: AbortSignal): Promise<RemoteAgent>;
  readonly report: (level: 'info' | 'warn', message: string, facts: Record<string, unknown>) => void;
};

/** Bytes of facts that list the calls of former phases. */
const HISTORY_BYTES = 8 * 1024;

/**
 * Carries out one run with a remote agent: sends it the task, makes the calls that it asks for, and takes its answer
 * for the result. At its end open calls are ended first, then the task. Rejects with the cause where the agent is away,
 * silent, or breaks the protocol.
 */
export async function a2aRun(run: HostedRun, parts: A2aParts): Promise<HostedOutcome> {
  return await carryOut(new A2aRun(run, parts));
}

class A2aRun {
  readonly #run: HostedRun;
  readonly #parts: A2aParts;
  readonly #task = new AgentTask();
  /** Ends every request. */
  readonly #leave = new AbortController();
  readonly #over: RunEnd;
  readonly #said: HostedSaid[] = [];
  readonly #open = new Map<string, Promise<unknown>>();
  /** Calls of this run, those of former phases too, as an agent that starts again is shown them. */
  readonly #done: Json[];
  #leftOut: number;
  #agent: RemoteAgent | undefined;
  /** The task that the facts of the present phase name. */
  #entered: string;
  #phase: number;
  #inPhase: number;
  #messages = 0;
  #ended = false;

  constructor(run: HostedRun, parts: A2aParts) {
    this.#run = run;
    this.#over = new RunEnd(run);
    this.#parts = parts;
    const { calls, callsLeftOut, resume } = run;
    const { history, left_out: before } = resume?.facts ?? {};
    this.#done = [...(Array.isArray(history) ? (history as Json[]) : []), ...calls];
    this.#leftOut = callsLeftOut + Number(before ?? 0);
    this.#entered = String(resume?.facts['task'] ?? '');
    this.#inPhase = calls.length + callsLeftOut;
    this.#phase = Number(/^task-(\d+)$/.exec(resume?.phase ?? '')?.[1] ?? 0);
    run.onMessage = (said) => {
      if (this.#said.length < 64) this.#said.push(said);
    };
  }

  async work(): Promise<HostedOutcome> {
    const { clock, name, open, timeoutMs } = this.#parts;
    const opened = withDeadline(clock, timeoutMs, open(this.#leave.signal), 'read the card', name);
    this.#agent = await this.#over.race(opened).catch((thrown: unknown) => {
      throw silentOr(thrown, name, timeoutMs);
    });
    if (!(await this.#found(this.#agent))) {
      const { usesTools } = this.#agent;
      await this.#follow(firstMessage(this.#run, usesTools, this.#done, this.#leftOut));
    }
    for (let turn = 0; turn < A2A_LIMITS.TURNS_MAX; turn++) {
      const { outcome } = this.#task;
      // What a person said meanwhile is another task of the same context.
      if (outcome && (outcome.status !== 'succeeded' || this.#said.length === 0)) return outcome;
      await this.#turn(outcome !== undefined);
    }
    throw agentError('runtime.refused', name, `${A2A_LIMITS.TURNS_MAX} turns are over`);
  }

  /** Ends open calls, then the task, then every request: the robot stands before the agent hears of it. */
  async end(): Promise<void> {
    const { clock, name, report } = this.#parts;
    this.#ended = true;
    this.#run.onMessage = () => {};
    for (const id of this.#open.keys()) this.#cancelCall(id);
    if (!this.#run.signal.aborted)
      await settledWithin(clock, A2A_LIMITS.SETTLE_MS, Promise.allSettled([...this.#open.values()]));
    const { id } = this.#task;
    if (this.#agent && id !== '' && this.#task.outcome === undefined) {
      const cancelled = this.#agent.cancel(id, this.#leave.signal).catch((thrown: unknown) => {
        report('warn', 'the task could not be cancelled', { agent: name, task: id, error: wordsOf(thrown) });
      });
      await settledWithin(clock, A2A_LIMITS.CANCEL_MS, cancelled);
    }
    this.#leave.abort();
  }

  /** The task of the attempt before, where the agent still has it. */
  async #found(agent: RemoteAgent): Promise<boolean> {
    const { task, context } = this.#run.resume?.facts ?? {};
    if (typeof task !== 'string' || task === '') return false;
    try {
      this.#task.whole(await this.#over.race(agent.task(task, this.#leave.signal)));
    } catch (thrown) {
      if (this.#run.signal.aborted) throw thrown;
      const { report, name } = this.#parts;
      report('warn', 'the agent has not its former task', { agent: name, task, error: wordsOf(thrown) });
      return false;
    }
    if (typeof context === 'string' && this.#task.context === '') this.#task.context = context;
    await this.#poll();
    return true;
  }

  /** Answers what the agent asks for. `again`: it is done, and a person said something. */
  async #turn(again: boolean): Promise<void> {
    const { name } = this.#parts;
    let calls: readonly AskedCall[] | undefined;
    try {
      calls = again ? undefined : callsIn(this.#task.parts);
    } catch (thrown) {
      throw agentError('runtime.refused', name, wordsOf(thrown), 'contract/A2A-TOOLS.md has the form');
    }
    if (calls === undefined && this.#said.length === 0)
      throw agentError('runtime.refused', name, `it asks: ${this.#task.words || '(without words)'}`);
    await this.#enterPhase((calls?.length ?? 0) + this.#inPhase > A2A_LIMITS.CALLS_PER_PHASE);
    const results = await this.#over.race(Promise.all((calls ?? []).map((call) => this.#call(call))));
    const said = this.#said.splice(0);
    const task = again ? '' : this.#task.id;
    const of = {
      id: `${this.#run.id}-${this.#run.attempt}-${++this.#messages}`,
      task,
      context: this.#task.context,
    };
    await this.#follow(nextMessage(of, results, said));
  }

  async #call({ id, name, args }: AskedCall): Promise<Json> {
    const own = runCallId(this.#task.id, id);
    const answer = this.#run.ask(name, args, own);
    this.#open.set(own, answer);
    this.#inPhase++;
    try {
      const ended = await answer;
      const { ok, error } = ended;
      this.#done.push({ call: own, tool: name, args, answer: ok === true ? { ok } : { ok: false, error } });
      return resultOf(id, ended);
    } finally {
      this.#open.delete(own);
    }
  }

  /** Where a later attempt starts: with this task, and with the calls so far for an agent that lost it. */
  async #enterPhase(wanted: boolean): Promise<void> {
    const { id: task, context } = this.#task;
    if (task === '' || (!wanted && this.#entered === task)) return;
    this.#entered = task;
    const history = fitting(this.#done);
    const left_out = this.#leftOut + this.#done.length - history.length;
    await this.#run.phase(`task-${++this.#phase}`, 'the agent has the task', {
      task,
      context,
      history,
      left_out,
    });
    this.#inPhase = 0;
  }

  /** Sends a message, and takes what comes until the task rests. */
  async #follow(message: ReturnType<typeof nextMessage>): Promise<void> {
    const { clock, name, timeoutMs } = this.#parts;
    this.#task.sent();
    const events = this.#agent!.send(message, this.#leave.signal);
    try {
      while (!this.#task.rests) {
        const next = withDeadline(clock, timeoutMs, events.next(), 'wait for agent', name);
        const { done, value } = await this.#over.race(next);
        if (done === true) break;
        this.#task.take(value);
        if (this.#task.said !== '') this.#run.say(`${this.#task.said}\n`);
      }
    } catch (thrown) {
      if (this.#run.signal.aborted || thrown instanceof EdgeError) throw silentOr(thrown, name, timeoutMs);
      // A task that the agent has taken outlives the connection.
      if (this.#task.id === '') throw agentError('runtime.refused', name, wordsOf(thrown));
    } finally {
      void events.return().catch(() => {});
    }
    await this.#poll();
  }

  async #poll(): Promise<void> {
    const { clock, name, timeoutMs } = this.#parts;
    const until = clock.monotonicMs() + timeoutMs;
    let failed = 0;
    while (!this.#task.rests) {
      if (this.#task.id === '') throw agentError('runtime.refused', name, 'it answered nothing');
      if (clock.monotonicMs() >= until) throw silent(name, timeoutMs);
      await this.#over.race(pause(clock, A2A_LIMITS.POLL_MS, this.#leave.signal));
      try {
        this.#task.whole(await this.#over.race(this.#agent!.task(this.#task.id, this.#leave.signal)));
        failed = 0;
      } catch (thrown) {
        if (this.#run.signal.aborted || this.#ended) throw thrown;
        if (++failed >= A2A_LIMITS.LOOKS_FAILED_MAX)
          throw agentError('link.unreachable', name, wordsOf(thrown));
      }
    }
    if (this.#task.waits) await this.#enterPhase(false);
  }

  #cancelCall(id: string): void {
    try {
      this.#run.cancel(id);
    } catch {
      // The run is over: the daemon has ended its calls.
    }
  }
}

function silent(name: string, timeoutMs: number): EdgeError {
  return agentError('deadline.exceeded', name, `nothing came from it for ${Math.round(timeoutMs / 1_000)} s`);
}

function silentOr(thrown: unknown, name: string, timeoutMs: number): unknown {
  return thrown instanceof EdgeError && thrown.code === 'deadline.exceeded'
    ? silent(name, timeoutMs)
    : thrown;
}

/** The newest calls that fit into the facts of a phase. */
function fitting(calls: readonly Json[]): readonly Json[] {
  let bytes = 0;
  const from = calls.findLastIndex((call) => {
    bytes += JSON.stringify(call).length;
    return bytes > HISTORY_BYTES;
  });
  return calls.slice(from + 1);
}
