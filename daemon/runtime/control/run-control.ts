import { createHash } from 'node:crypto';
import {
  type AgentEvent,
  type Application,
  type BlobStore,
  type Clock,
  canonicalJson,
  EdgeError,
  type ForkOptions,
  type IdSource,
  isFinished,
  isTakenOver,
  LIMITS,
  type NewEvent,
  type PolicyContext,
  RUN_MESSAGE,
  type RunControlApi,
  type RunDetails,
  type RunMessage,
  type RunState,
  type SessionEntryView,
  type Submitted,
  withDeadline,
} from '../../../contract/index.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import { isLoopRun } from '../loop/loop-harness.ts';
import type { RunScheduler } from '../queue/run-scheduler.ts';
import { messageEvent } from '../runs/run-message-event.ts';
import type { SaidMessage } from '../runs/run-messages.ts';
import type { Opening } from '../runs/run-opening.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { RunView } from '../runs/run-view.ts';
import { renewBlobs } from '../runs/session-blobs.ts';
import { sessionView } from '../runs/session-view.ts';
import { StopInWords, type StopOrder, stopIn } from './stop-in-words.ts';

export type RunControlParts = {
  readonly store: RunStore;
  /** The version of a run. Undefined: it is not loaded any longer. */
  readonly appOf: (view: RunView) => Application | undefined;
  readonly scheduler: RunScheduler;
  readonly hooks: PolicyGate;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly submit: (request: unknown, who: PolicyContext, opening: Opening) => Promise<Submitted>;
  readonly details: (view: RunView) => RunDetails;
  readonly blobs: BlobStore | undefined;
  readonly stopRobot: StopOrder;
  /** Ends what moves for this run. */
  readonly stopRun: (runId: string, reason: string, by: string) => Promise<unknown>;
};

/** If the disk does not answer by then, a fork fails and nothing is started, milliseconds. */
const RENEW_MS = 30_000;
/** Prefix of the reason of a run that is paused together with its parent. */
const WITH_PARENT = 'with the run that asked for it: ';

/** Control of runs by people: pause, resume, messages, forks. Nothing is answered before it is durable. */
export class RunControl implements RunControlApi {
  readonly #parts: RunControlParts;
  /** Number of messages that are being logged, by run. */
  readonly #saying = new Map<string, number>();
  /**
   * Those with an id of their sender, by run and id. If such a message is sent again meanwhile, it is the same message.
   */
  readonly #named = new Map<string, Promise<RunState>>();
  /** Runs that are paused for nothing but the loss of their runtime. */
  readonly #lost = new Set<string>();
  /** Orders to stop in words, as messages and as words that are to open a run. */
  readonly stops: StopInWords;

  constructor(parts: RunControlParts) {
    this.#parts = parts;
    this.stops = new StopInWords({
      stop: parts.stopRobot,
      find: (runId) => parts.store.get(runId),
      isActive: (runId) => parts.scheduler.messages(runId) !== undefined,
      isSaid: (runId, messageId) => this.#said(runId, messageId),
      newId: () => parts.ids.next<string>(),
      append: parts.append,
      say: (runId, message, who, messageId) => this.#once(runId, message, who, messageId),
    });
  }

  async pause(runId: string, reason: string, by?: string): Promise<RunState> {
    // It is this pause now that holds the run, whatever else did.
    this.#lost.delete(runId);
    return await this.#pause(runId, reason, by);
  }

  /** The pause of a run whose foreign runtime is lost. One that is paused already stays as it is. */
  async pauseLost(runId: string, reason: string): Promise<void> {
    if (this.#view(runId).state.status === 'paused') return;
    this.#lost.add(runId);
    await this.#pause(runId, reason);
  }

  /** Ends that pause, unless somebody else paused the run or took the robot since. */
  async resumeLost(runId: string): Promise<void> {
    if (this.#lost.delete(runId)) await this.resume(runId, 'its runtime is back');
  }

  async #pause(runId: string, reason: string, by?: string): Promise<RunState> {
    const { scheduler } = this.#parts;
    this.#unfinished(runId);
    // The run itself is paused first. It then starts no more runs, and none of its children starts.
    await scheduler.pause(runId, reason, by);
    await this.#below(runId, (child) => scheduler.pause(child.state.run_id, `${WITH_PARENT}${reason}`, by));
    return this.#view(runId).state;
  }

  async resume(runId: string, reason = 'resumed', by?: string): Promise<RunState> {
    const { scheduler } = this.#parts;
    this.#lost.delete(runId);
    this.#unfinished(runId);
    await scheduler.proceed(runId, reason, by);
    await this.#below(runId, async (child) => {
      const withIt = child.reason.startsWith(WITH_PARENT) || isTakenOver(child.reason);
      if (child.state.status !== 'paused' || !withIt) return;
      await scheduler.proceed(child.state.run_id, 'resumed with the run that asked for it', by);
    });
    return this.#view(runId).state;
  }

  /** See `RunScheduler.takenOver`. */
  async takenOver(reason: string): Promise<void> {
    this.#lost.clear();
    await this.#parts.scheduler.takenOver(reason);
  }

  /** Runs that a takeover paused and that were not resumed yet. */
  takenRuns(): readonly string[] {
    return this.#parts.store
      .unfinished()
      .filter(({ state, reason }) => state.status === 'paused' && isTakenOver(reason))
      .map(({ state }) => state.run_id);
  }

  async message(
    runId: string,
    message: RunMessage,
    who: PolicyContext,
    options: { readonly messageId?: string } = {},
  ): Promise<RunState> {
    const { messageId } = options;
    const words = stopIn(message);
    // Before it is looked for in the log: who says it again wants the robot to stop again.
    if (words !== undefined)
      return (await this.stops.obey(runId, words, who, messageId)) ?? this.#view(runId).state;
    if (messageId === undefined) return await this.#message(runId, message, this.#parts.ids.next(), who);
    return await this.#once(runId, message, who, messageId);
  }

  /** A message that was said before counts no second time; a stop ends the motion of now once more. */
  async #once(runId: string, message: RunMessage, who: PolicyContext, messageId: string): Promise<RunState> {
    const name = `${runId} ${messageId}`;
    const under = this.#named.get(name);
    const isAgain = under !== undefined || this.#said(runId, messageId);
    if (isAgain && message.kind === 'stop' && message.text === undefined)
      await this.#parts.stopRun(runId, 'a stop of the session that was sent again', who.principal);
    if (under) return await under;
    const view = this.#view(runId);
    if (isAgain) return view.state;
    const saying = this.#message(runId, message, messageId, who).finally(() => this.#named.delete(name));
    this.#named.set(name, saying);
    return await saying;
  }

  async #message(
    runId: string,
    message: RunMessage,
    messageId: string,
    who: PolicyContext,
  ): Promise<RunState> {
    const view = this.#view(runId);
    this.#unfinished(runId);
    checkLength(message, runId);
    this.#refuseUntaken(view, message);
    if (message.kind !== 'stop') this.#refuseBeyond(runId);
    this.#saying.set(runId, (this.#saying.get(runId) ?? 0) + 1);
    try {
      return await this.#say(view, message, messageId, who);
    } finally {
      const left = (this.#saying.get(runId) ?? 1) - 1;
      if (left > 0) this.#saying.set(runId, left);
      else this.#saying.delete(runId);
    }
  }

  async #say(view: RunView, message: RunMessage, messageId: string, who: PolicyContext): Promise<RunState> {
    const { hooks, append, scheduler, clock } = this.#parts;
    const runId = view.state.run_id;
    const stops = message.kind === 'stop';
    const facts = { run_id: runId, type: view.intent.type, message: { ...message } };
    const about = { app: view.app, intent: view.intent.type };
    // With its run, so that the policies of its package are asked.
    const asked = {
      point: 'intent',
      subject: `${RUN_MESSAGE}${runId}`,
      context: who,
      facts,
      about,
      runId,
    } as const;
    // No policy may prevent a stop.
    const verdict = stops ? { refusal: undefined, events: [] } : await hooks.ask(asked, runId);
    if (verdict.refusal) {
      await append(verdict.events);
      throw verdict.refusal;
    }
    this.#unfinished(runId);
    // The words of a stop are for the log.
    const said: SaidMessage = stops ? { kind: 'stop', messageId } : { ...message, messageId };
    // A stop does not wait for the log, which a full disk may hold up.
    const early = stops ? scheduler.messages(runId)?.deliver(said) : undefined;
    early?.catch(() => {});
    await append([...verdict.events, messageEvent(runId, messageId, message, who)]);
    const taken = early ?? scheduler.messages(runId)?.deliver(said);
    await this.#taken(taken, runId, clock);
    return this.#view(runId).state;
  }

  session(runId: string): readonly SessionEntryView[] {
    return sessionView(this.#parts.store.session(this.#view(runId)));
  }

  async fork(
    runId: string,
    entryId: string,
    who: PolicyContext,
    { text, model, idempotencyKey }: ForkOptions = {},
  ): Promise<RunState> {
    await this.stops.refuse('fork', text, who);
    const origin = this.#entry(runId, entryId);
    const { intent } = origin;
    if (this.#isLoop({ ...origin, round: undefined }))
      throw new EdgeError('run.not_supported', {
        operation: 'fork',
        subject: runId,
        message: `${origin.app} works in rounds, and the first one starts with a session of its own`,
      });
    const messages: RunMessage[] = [];
    if (model !== undefined) messages.push({ kind: 'model', model });
    if (text !== undefined) messages.push({ kind: 'steer', text });
    for (const message of messages) checkLength(message, runId);
    const { type, params, targets, priority, attended } = intent;
    const request = { type, params, targets, priority, ...(attended ? { attended } : {}) };
    const body = canonicalJson({ runId, entryId, messages, idempotencyKey });
    const key = `fork:${createHash('sha256').update(body).digest('hex')}`;
    const keyed = idempotencyKey === undefined ? request : { ...request, idempotency_key: key };
    const forkedFrom = { run_id: runId, entry_id: entryId };
    const { store, blobs, clock } = this.#parts;
    const before = () =>
      withDeadline(clock, RENEW_MS, renewBlobs(store.branch(forkedFrom), blobs), 'fork run', runId);
    return (await this.#parts.submit(keyed, who, { forkedFrom, messages, before })).run;
  }

  tree(runId: string): readonly RunDetails[] {
    const { store, details } = this.#parts;
    const found = [this.#view(runId)];
    for (const view of found) found.push(...store.children(view.state.run_id));
    return found.map(details);
  }

  /** Every unfinished run below this one, nearest first. */
  async #below(runId: string, work: (child: RunView) => Promise<void>): Promise<void> {
    const children = this.#parts.store.children(runId).filter(({ state }) => !isFinished(state.status));
    await Promise.all(
      children.map(async (child) => {
        await work(child);
        await this.#below(child.state.run_id, work);
      }),
    );
  }

  #view(runId: string): RunView {
    const view = this.#parts.store.get(runId);
    if (view) return view;
    throw new EdgeError('run.not_found', { operation: 'find run', subject: runId });
  }

  #unfinished(runId: string): void {
    const { state } = this.#view(runId);
    if (!isFinished(state.status)) return;
    throw new EdgeError('run.finished', {
      operation: 'control run',
      subject: runId,
      message: `the run is over: ${state.status}`,
    });
  }

  #entry(runId: string, entryId: string): RunView {
    const view = this.#view(runId);
    if (this.#parts.store.session(view).some(({ payload }) => payload.entry_id === entryId)) return view;
    throw new EdgeError('run.not_found', {
      operation: 'fork',
      subject: runId,
      message: `the session of this run has no entry ${entryId.slice(0, 128)}`,
      hint: `auraison runs session ${runId}`,
    });
  }

  #said(runId: string, messageId: string): boolean {
    const said = this.#parts.store.events(runId, ['run.message']) as Iterable<AgentEvent<'run.message'>>;
    for (const { payload } of said) if (payload.message_id === messageId) return true;
    return false;
  }

  /** Whether this run only carries out the rounds of its application: then nothing in it hears a message. */
  #isLoop(view: RunView): boolean {
    const app = this.#parts.appOf(view);
    return app !== undefined && isLoopRun(app, { round: view.round, attended: view.intent.attended });
  }

  #refuseLoop(view: RunView): void {
    if (!this.#isLoop(view)) return;
    const runId = view.state.run_id;
    const open = this.#parts.store
      .children(runId)
      .find(({ round, state }) => round !== undefined && !isFinished(state.status))?.state.run_id;
    throw new EdgeError('run.not_supported', {
      operation: 'message',
      subject: runId,
      message: `this run works in rounds and hears nothing itself; ${
        open === undefined ? 'no round is open now' : `its round is run ${open}`
      }`,
      hint: open === undefined ? `auraison runs tree ${runId}` : `send the message to run ${open}`,
    });
  }

  /** A flow takes messages only if it says so. An agent that is about to start will take them. */
  #refuseUntaken(view: RunView, { kind }: RunMessage): void {
    const runId = view.state.run_id;
    if ((kind === 'stop' || kind === 'close') && view.intent.attended !== true)
      throw new EdgeError('run.not_supported', {
        operation: 'message',
        subject: runId,
        message: `no person talks with this run, so there is nothing to ${kind}`,
        hint: `auraison runs cancel ${runId}`,
      });
    this.#refuseLoop(view);
    const messages = this.#parts.scheduler.messages(runId);
    if (messages?.taken || view.state.harness !== 'flow') return;
    throw new EdgeError('run.not_supported', {
      operation: 'message',
      subject: runId,
      message: `the ${view.state.harness} harness of this run takes no ${kind}`,
    });
  }

  /** Messages that are being logged count too. For a run that has not started, all its messages count. */
  #refuseBeyond(runId: string): void {
    const { scheduler, store } = this.#parts;
    const untaken = scheduler.messages(runId)?.untaken ?? [...store.events(runId, ['run.message'])].length;
    if (untaken + (this.#saying.get(runId) ?? 0) < LIMITS.RUN_MESSAGES_WAITING_MAX) return;
    throw new EdgeError('cell.overloaded', {
      operation: 'message',
      subject: runId,
      message: `${LIMITS.RUN_MESSAGES_WAITING_MAX} messages wait for the harness of this run`,
    });
  }

  /** Waits a short time for the harness to take the message. Otherwise the message is in the log and is taken later. */
  async #taken(taken: Promise<void> | undefined, runId: string, clock: Clock): Promise<void> {
    if (!taken) return;
    await withDeadline(clock, LIMITS.RUN_MESSAGE_MS, taken, 'message', runId).catch((thrown: unknown) => {
      const error = EdgeError.from(thrown, 'run.not_supported', 'message', runId);
      if (error.code !== 'deadline.exceeded') throw error;
    });
  }
}

function checkLength(message: RunMessage, runId: string): void {
  const said = 'model' in message ? message.model : 'text' in message ? (message.text ?? '') : '';
  if (said.length <= LIMITS.RUN_MESSAGE_CHARS_MAX) return;
  throw new EdgeError('schema.invalid', {
    operation: 'message',
    subject: runId,
    message: `/text: ${said.length} characters, at most ${LIMITS.RUN_MESSAGE_CHARS_MAX} are allowed`,
  });
}
