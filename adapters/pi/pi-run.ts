import type { AgentSession, SessionManager } from '@earendil-works/pi-coding-agent';
import {
  type AgentDefinition,
  type BlobStore,
  EdgeError,
  type LanguageModel,
  LIMITS,
  type NewEvent,
  type RunContext,
  type RunOutcome,
  type SessionEntry,
  type ToolSpec,
  toMs,
  withDeadline,
} from '../../contract/core.ts';
import {
  CHOOSE_A_TOOL,
  type Entry,
  endingOf,
  FORKED,
  LOOK_AGAIN,
  type Message,
  messagesOf,
  RETURNED,
  type Standing,
  standingOf,
  turnsOf,
} from './ending.ts';
import { ANY_MODEL, ModelDoor, PROVIDER } from './model-door.ts';
import type { AgentInternals, PiLibrary } from './pi-library.ts';
import { openSession } from './pi-session.ts';
import { type CallResult, callTool, FINISH, notMade, refusedCall, STOP } from './pi-tools.ts';
import { type MaybeRefused, refusalError } from './refusals.ts';
import type { PiExtension } from './resources.ts';
import { RunInbox } from './run-inbox.ts';
import { SessionJournal } from './session-journal.ts';
import { modelNames } from './tool-naming.ts';
import { argumentsOf } from './transcript.ts';

/** Pi needs a folder; this one is empty, and models do not see it. */
const NOWHERE = '/var/empty';

export type PiRunParts = {
  readonly pi: PiLibrary;
  readonly context: RunContext;
  readonly agent: AgentDefinition;
  readonly model: LanguageModel;
  readonly blobs: BlobStore | undefined;
  /** Blocks that stand below the instructions of the agent, such as its skills. */
  readonly promptBlocks: readonly string[];
  readonly extensions: readonly PiExtension[];
  readonly command: (text: string) => (() => Promise<void>) | undefined;
  readonly onExtensionError: (path: string, event: string, error: string) => void;
  readonly patienceMs: number;
  readonly onText: (kind: 'text' | 'thinking', text: string) => void;
};

/** One attempt at a run by a Pi session. The next step of the session depends only on its entries. */
export class PiRun {
  readonly #parts: PiRunParts;
  readonly #journal: SessionJournal;
  readonly #tools: ReadonlyMap<string, ToolSpec>;
  #manager!: SessionManager;
  #session!: AgentSession;
  #door!: ModelDoor;
  #inbox!: RunInbox;
  #ending: RunOutcome | undefined;
  /** The session waits for a person, and the log says so. */
  #rested: RunOutcome | undefined;
  #announced = 0;

  constructor(parts: PiRunParts) {
    const { context, blobs } = parts;
    this.#parts = parts;
    this.#journal = new SessionJournal(context, blobs);
    const specs = context.toolBox.specs();
    const byName = new Map(specs.map((spec) => [spec.name, spec]));
    const names = modelNames(specs.map(({ name }) => name));
    this.#tools = new Map([...names].map(([shown, name]) => [shown, byName.get(name)!]));
  }

  /** Rejects with the fault of the model when none answers, and with `run.cancelled` when the run is over. */
  async run(): Promise<RunOutcome> {
    const { context } = this.#parts;
    await this.#open();
    // Messages from before this attempt are delivered now.
    context.onMessage((message) => this.#inbox.take(message));
    await new Promise((resolve) => setImmediate(resolve));
    for (let seen = -1; ; ) {
      await this.#journal.post();
      context.signal.throwIfAborted();
      if (!this.#inbox.stopped) this.#inbox.hear();
      const rest = this.#rest();
      if (rest) {
        await this.#wait(rest);
        if (this.#inbox.closed && !this.#inbox.busy) return await this.#settled(this.#rested!);
        seen = -1;
        continue;
      }
      const outcome = this.#outcome();
      if (outcome) return await this.#settled(outcome);
      const entries = this.#entries().length;
      if (entries === seen) throw stuck(context.runId);
      seen = entries;
      await this.#step(standingOf(messagesOf(this.#entries())));
      if (this.#door.fault && !this.#attended) throw this.#door.fault;
    }
  }

  /** Releases everything; events of the session are ignored from now on. */
  abandon(): void {
    this.#journal.close();
    try {
      this.#session?.dispose();
    } catch {
      // A session that cannot be disposed of is abandoned: it has access to nothing.
    }
  }

  async #open(): Promise<void> {
    const { pi, context, model, agent, patienceMs, onText } = this.#parts;
    const journal = this.#journal;
    // Sent once: an interrupted attempt may have sent it already.
    const own = context.session.slice(context.inherited);
    const forked = context.inherited > 0 && !own.some(({ entry }) => entry['customType'] === FORKED);
    this.#manager = await journal.open(pi, context.session, NOWHERE);
    if (forked) this.#manager.appendCustomEntry(FORKED, {});
    const returned = this.#returns(own);
    if (returned !== undefined) this.#manager.appendCustomEntry(RETURNED, { returned });
    this.#door = new ModelDoor({
      pi,
      context,
      model,
      agent,
      tools: this.#tools,
      patienceMs,
      onText,
      settle: () => journal.post(),
      turn: () => 1 + this.#manager.getEntries().filter(isAnswer).length,
      halt: () => this.#inbox.halt,
      unpaused: () => this.#unpaused(),
    });
    const chosen = this.#manager.buildSessionContext().model;
    this.#session = await openSession({
      ...this.#parts,
      cwd: NOWHERE,
      manager: this.#manager,
      door: this.#door,
      tools: this.#tools,
      model: chosen?.provider === PROVIDER ? chosen.modelId : ANY_MODEL,
      keepTokens: () => this.#inbox.keepTokens,
      ended: () => this.#ending !== undefined || context.signal.aborted,
      call: (name, callId, signal) => this.#call(name, callId, signal),
      beforeRequest: () => this.#beforeRequest(),
      finishTurn: () => this.#finishTurn(),
    });
    this.#inbox = new RunInbox({
      journal,
      manager: this.#manager,
      session: this.#session,
      door: this.#door,
      command: this.#parts.command,
      now: () => toMs(context.clock.now()),
    });
    if (this.#parts.extensions.length > 0) await this.#bind();
    if (returned !== undefined) this.#inbox.add(LOOK_AGAIN);
  }

  /** The number of this return from a flow, unless the session already has it. */
  #returns(own: readonly SessionEntry[]): number | undefined {
    const returned = this.#parts.context.resume?.facts['returned'];
    if (typeof returned !== 'number') return undefined;
    const said = own.some(
      ({ entry }) =>
        entry['customType'] === RETURNED &&
        (entry['data'] as { readonly returned?: unknown } | undefined)?.returned === returned,
    );
    return said ? undefined : returned;
  }

  async #bind(): Promise<void> {
    const { context, onExtensionError } = this.#parts;
    const bound = this.#session.bindExtensions({
      mode: 'print',
      onError: ({ extensionPath, event, error }) => onExtensionError(extensionPath, event, error),
    });
    await withDeadline(context.clock, LIMITS.AGENT_START_MS, bound, 'start', 'extensions');
  }

  async #step(standing: Standing): Promise<void> {
    const { context, agent } = this.#parts;
    if (standing.at === 'new')
      return await this.#inbox.during(() =>
        this.#session.prompt(agent.prompt(context.intent.params, context.intent.type), {
          expandPromptTemplates: false,
        }),
      );
    if (standing.at === 'calls') return await this.#settleCalls(standing);
    if (standing.at === 'failed') this.#omitLast();
    this.#rested = undefined;
    const said = this.#inbox.waiting();
    const nudge =
      standing.at === 'text' && said.length === 0 && !this.#attended
        ? [this.#inbox.message(CHOOSE_A_TOOL)]
        : [];
    const internals = this.#session as unknown as AgentInternals;
    await this.#inbox.during(() => internals._runAgentPrompt([...said, ...nudge]));
  }

  get #attended(): boolean {
    return this.#parts.context.intent.attended === true;
  }

  /** Why an attended session waits for a person; undefined: it has something to do. */
  #rest(): RunOutcome | undefined {
    if (!this.#attended) return undefined;
    const { fault } = this.#door;
    if (this.#inbox.stopped) return { status: 'succeeded', reason: 'stopped', summary: {} };
    if (fault)
      return { status: 'succeeded', reason: `${fault.code}: ${fault.message}`.slice(0, 512), summary: {} };
    return this.#outcome();
  }

  /** Until somebody says something. Calls that a stop left without a result get one: none of them is made later. */
  async #wait(rest: RunOutcome): Promise<void> {
    const { context } = this.#parts;
    const standing = standingOf(messagesOf(this.#entries()));
    if (standing.at === 'calls') await this.#settleCalls(standing);
    // A stop that met words before the agent heard them leaves the session where it was: the log says already that it waits.
    if (!this.#rested) await this.#journal.flush(() => [this.#waiting(rest)]);
    this.#ending = undefined;
    this.#door.fault = undefined;
    this.#announced = 0;
    await this.#inbox.words(context.signal);
    this.#door.fault = undefined;
  }

  #waiting(rest: RunOutcome): NewEvent {
    this.#rested = { ...(this.#rest() ?? rest), status: 'succeeded' };
    const reason = this.#rested.reason.slice(0, 512);
    const payload = { phase: 'waiting', reason, facts: { turn: turnsOf(this.#entries()) } };
    return { kind: 'run.phase', run_id: this.#parts.context.runId, payload };
  }

  /** The end of what was asked for: in an attended session each message of a person starts again. */
  #end(): RunOutcome | undefined {
    const entries = this.#entries();
    if (!this.#attended) return endingOf(entries, this.#parts.agent);
    const from = entries.findLastIndex(isWords);
    return endingOf(entries.slice(Math.max(0, from)), { ...this.#parts.agent, toolChoice: 'auto' });
  }

  /** The end of the run by the content of the session, unless a new message came. */
  #outcome(): RunOutcome | undefined {
    if (this.#ending) return this.#ending;
    const ending = this.#end();
    const waits = this.#inbox.busy && ending?.status === 'succeeded';
    return waits ? undefined : ending;
  }

  async #settled(outcome: RunOutcome): Promise<RunOutcome> {
    await this.#journal.flush();
    return outcome;
  }

  /** Before a model is asked, messages of people are taken in, and the phase of the run is logged with the entries. */
  async #beforeRequest(): Promise<void> {
    const { context } = this.#parts;
    await this.#journal.post();
    await this.#unpaused();
    await this.#inbox.settle();
    await this.#journal.post();
    await this.#journal.post(() => {
      const turn = turnsOf(this.#entries()) + 1;
      if (this.#inbox.stopped || turn === this.#announced) return [];
      this.#announced = turn;
      const payload = { phase: 'agent', reason: `turn ${turn}`, facts: { turn } };
      return [{ kind: 'run.phase', run_id: context.runId, payload }];
    });
  }

  /** A stop does not wait for the end of a pause: what it ends is not continued. */
  async #unpaused(): Promise<void> {
    const { halt } = this.#inbox;
    if (halt.aborted) return;
    const { promise: halted, resolve } = Promise.withResolvers<void>();
    const end = () => resolve();
    halt.addEventListener('abort', end, { once: true });
    try {
      await Promise.race([this.#parts.context.unpaused(), halted]);
    } finally {
      halt.removeEventListener('abort', end);
    }
  }

  /** Whether Pi's loop ends after a turn. */
  async #finishTurn(): Promise<boolean> {
    await this.#journal.post();
    // Messages to a paused run count before its next turn: Pi reads them after this.
    await this.#unpaused().catch(() => {});
    // What people said meanwhile has its chance to arrive.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#inbox.stopped) return true;
    this.#inbox.hear();
    const ending = this.#end();
    if (ending && !(this.#inbox.busy && ending.status === 'succeeded')) {
      this.#ending = ending;
      return true;
    }
    const { at } = standingOf(messagesOf(this.#entries()));
    if (at === 'text' && !ending && !this.#inbox.busy) this.#inbox.steer(CHOOSE_A_TOOL);
    return false;
  }

  async #call(name: string, callId: string, signal: AbortSignal | undefined): Promise<CallResult> {
    await this.#journal.post();
    const block = this.#findCall(callId);
    const tool = this.#tools.get(name)?.name ?? name;
    const args = block && argumentsOf(block);
    const { refused } = (block ?? {}) as MaybeRefused;
    if (this.#inbox.stopped) return notMade(STOP);
    const { halt } = this.#inbox;
    const ends = signal ? AbortSignal.any([signal, halt]) : halt;
    if (!refused) return await callTool(this.#parts.context, tool, args, callId, ends);
    const error = refusalError(refused, tool);
    await this.#parts.context.toolBox.refuse(tool, args, error, callId);
    return refusedCall(error);
  }

  /** Calls that a cut left without a result: the gate knows their results. */
  async #settleCalls({ calls, cutShort }: Extract<Standing, { at: 'calls' }>): Promise<void> {
    const { context } = this.#parts;
    await this.#journal.flush();
    // A fork with a new message does not want these calls.
    const dropped = context.resume === undefined && this.#inbox.busy;
    for (const block of calls) {
      context.signal.throwIfAborted();
      const name = String(block['name']);
      const callId = String(block['id']);
      const { content, isError, result } = cutShort
        ? notMade('the answer was truncated at its token limit')
        : dropped
          ? notMade('the run continues with another message')
          : await this.#call(name, callId, undefined);
      const finished = this.#tools.get(name)?.name === FINISH && result;
      this.#manager.appendMessage({
        role: 'toolResult',
        toolCallId: callId,
        toolName: name,
        content,
        details: (finished ? { result } : {}) as never,
        isError,
        timestamp: toMs(context.clock.now()),
      });
    }
    this.#session.refreshContext();
  }

  /** An answer that failed or was broken off stays in the tree and is left out of what models see. */
  #omitLast(): void {
    const last = this.#entries().findLast(isAnswer) as { id?: string } | undefined;
    if (last?.id !== undefined) this.#manager.appendContextEdit(last.id, null);
    this.#session.refreshContext();
  }

  #findCall(callId: string): ({ type: string } & Record<string, unknown>) | undefined {
    const content = messagesOf(this.#entries()).findLast(({ role }) => role === 'assistant')?.['content'];
    if (!Array.isArray(content)) return undefined;
    return content.find(
      (block: Record<string, unknown>) => block['type'] === 'toolCall' && block['id'] === callId,
    );
  }

  #entries(): readonly Entry[] {
    return this.#manager.getBranch() as unknown as readonly Entry[];
  }
}

function isAnswer(entry: { readonly type: string }): boolean {
  return (
    entry.type === 'message' &&
    (entry as unknown as { message: { role: string } }).message.role === 'assistant'
  );
}

function isWords({ type, message }: Entry): boolean {
  return type === 'message' && (message as Message | undefined)?.role === 'user';
}

function stuck(runId: string): EdgeError {
  const message = 'the session makes no progress';
  return new EdgeError('internal.fault', { operation: 'drive session', subject: runId, message });
}
