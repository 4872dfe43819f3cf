import {
  EdgeError,
  type ErrorCode,
  type FlowDefinition,
  type Harness,
  LIMITS,
  type ModelNeed,
  type NewEvent,
  type RunContext,
  type RunOutcome,
  type SessionEntry,
  withDeadline,
} from '../../../contract/index.ts';
import { FlowHarness } from './flow-harness.ts';

/** Phases of a run before its flow has one of its own. */
const AGENT = 'agent';
const DEGRADED = 'degraded';

export type DegradingOptions = {
  /** What the agent needs of a model; the try before its return asks for the same. */
  readonly need?: ModelNeed | undefined;
  /** Until a model is tried again for the first time, milliseconds; doubles with each relief. */
  readonly returnMs?: number;
};

/**
 * An agent with a flow that stands by. When no model answers, or the model does nothing that can be done, the robot is
 * stopped first; then the flow carries the mission on, from its start in the world as it is now. The run says so:
 * by a phase `degraded`, in the reason of every later phase, and in its reason and summary. Between two states of the
 * flow the model is tried again after a while; when it answers, the robot is stopped and the agent continues. Each
 * relief doubles that while, so that two minds do not take turns at one robot.
 */
export class DegradingHarness implements Harness {
  readonly kind = 'pi';
  readonly #agent: Harness;
  readonly #flow: FlowHarness;
  readonly #options: DegradingOptions;

  /** Throws `config.invalid` when the flow has a fault, or a state of a name that stands for something else here. */
  constructor(agent: Harness, flow: FlowDefinition, options: DegradingOptions = {}) {
    const taken = [AGENT, DEGRADED].filter((name) => Object.hasOwn(flow.states, name));
    if (taken.length > 0)
      throw new EdgeError('config.invalid', {
        operation: 'load flow',
        subject: flow.name,
        message: `beside an agent a flow may have no state "${taken.join('", "')}"`,
      });
    this.#agent = agent;
    this.#flow = new FlowHarness(flow);
    this.#options = options;
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const session = new GrowingSession(context);
    const phase = context.resume?.phase;
    let carried = phase !== undefined && phase !== AGENT;
    let resume = phase === DEGRADED ? undefined : context.resume;
    let waitMs = this.#options.returnMs ?? LIMITS.AGENT_RETURN_MS;
    for (let returns = 1; ; returns++) {
      if (!carried) {
        const end = await this.#byAgent(session.context(resume));
        if (!('fault' in end)) return end;
        await relieve(context, end.fault);
        // A pause holds for the flow too, whatever ordered it.
        await context.unpaused();
        resume = undefined;
      }
      const outcome = await this.#byFlow({ ...context, resume }, waitMs);
      if (outcome !== RETURN) return outcome;
      waitMs = Math.min(waitMs * 2, LIMITS.AGENT_RETURN_MS_MAX);
      const facts = { returned: returns };
      await stopped(context, 'a model answers again: the agent continues');
      const payload = { phase: AGENT, previous: DEGRADED, reason: 'a model answers again', facts };
      await context.emit([{ kind: 'run.phase', run_id: context.runId, payload }]);
      // A pause holds for the agent too.
      await context.unpaused();
      resume = { phase: AGENT, facts };
      carried = false;
    }
  }

  /** The outcome, or why no model carries the mission. */
  async #byAgent(context: RunContext): Promise<RunOutcome | { readonly fault: string }> {
    try {
      const outcome = await this.#agent.execute(context);
      const relieved = outcome.status === 'failed' && outcome.summary['model_failed'] === true;
      return relieved && !context.signal.aborted ? { fault: outcome.reason } : outcome;
    } catch (thrown) {
      if (context.signal.aborted || !isOutage(thrown)) throw thrown;
      return { fault: `no model answers (${thrown.code}: ${thrown.message})` };
    }
  }

  async #byFlow(context: RunContext, waitMs: number): Promise<RunOutcome | typeof RETURN> {
    const { clock } = context;
    let tryAt = clock.monotonicMs() + waitMs;
    let inState = false;
    const emit = async (events: readonly NewEvent[]) => {
      const enters = events.some(({ kind }) => kind === 'run.phase');
      if (enters && inState && clock.monotonicMs() >= tryAt) {
        if (await this.#answersAgain(context)) throw RETURN;
        tryAt = clock.monotonicMs() + waitMs;
      }
      inState ||= enters;
      await context.emit(events.map(marked));
    };
    try {
      const outcome = await this.#flow.execute({ ...context, emit });
      const reason = `${WITHOUT_MODEL}${outcome.reason}`.slice(0, 512);
      return { ...outcome, reason, summary: { ...outcome.summary, degraded: true } };
    } catch (thrown) {
      if (thrown === RETURN) return RETURN;
      throw thrown;
    }
  }

  /** Asks a model for one word. The call is in the log like any other, so that a replay decides the same. */
  async #answersAgain({ model, signal }: RunContext): Promise<boolean> {
    if (!model) return false;
    const { need } = this.#options;
    try {
      await model.complete(
        {
          messages: [{ role: 'user', text: 'Answer with the word ready.' }],
          maxTokens: 8,
          temperature: 0,
          deadlineMs: LIMITS.AGENT_RETURN_PROBE_MS,
          purpose: 'return to agent',
          ...(need ? { need } : {}),
        },
        { signal },
      );
      return true;
    } catch {
      return false;
    }
  }
}

const RETURN = Symbol('return to the agent');
const WITHOUT_MODEL = 'degraded, without a model: ';

/** Every phase says that no model decides, and not the first one alone. */
function marked(event: NewEvent): NewEvent {
  if (event.kind !== 'run.phase') return event;
  const payload = event.payload as { readonly reason: string };
  const reason = `${WITHOUT_MODEL}${payload.reason}`.slice(0, 512);
  return { ...event, payload: { ...payload, reason } } as NewEvent;
}

/** The robot stands before anybody else decides where it goes. */
async function relieve(context: RunContext, fault: string): Promise<void> {
  await stopped(context, `degraded: ${fault}`);
  const reason = `${fault}: the flow carries on`.slice(0, 512);
  const payload = { phase: DEGRADED, previous: AGENT, reason };
  await context.emit([{ kind: 'run.phase', run_id: context.runId, payload }]);
}

/**
 * A stop that is not confirmed keeps no run from continuing: each later motion is refused by a robot out of reach.
 */
async function stopped({ robot, clock }: RunContext, reason: string): Promise<void> {
  const stop = robot.stop(reason.slice(0, 256));
  await withDeadline(clock, LIMITS.ROBOT_STOP_MS, stop, 'robot.stop', 'robot').catch(() => undefined);
}

/** The session as an agent that returns finds it: what the log held at first, and what the agent added since. */
class GrowingSession {
  readonly #context: RunContext;
  readonly #entries: SessionEntry[];

  constructor(context: RunContext) {
    this.#context = context;
    this.#entries = [...context.session];
  }

  context(resume: RunContext['resume']): RunContext {
    return {
      ...this.#context,
      session: [...this.#entries],
      resume,
      emit: async (events) => {
        await this.#context.emit(events);
        for (const event of events) this.#note(event);
      },
    };
  }

  #note({ kind, payload }: NewEvent): void {
    if (kind !== 'session.entry') return;
    const { entry_id: entryId, parent_id: parentId, entry } = payload as SessionEntryPayload;
    this.#entries.push({ entryId, parentId, entry });
  }
}

type SessionEntryPayload = {
  readonly entry_id: string;
  readonly parent_id?: string;
  readonly entry: SessionEntry['entry'];
};

/** Models that cannot be reached, do not work or may not be paid for, and a host that lacks what asks them. */
const OUTAGES: ReadonlySet<ErrorCode> = new Set([
  'model.unavailable',
  'model.failed',
  'deadline.exceeded',
  'quota.exceeded',
  'host.missing',
]);

function isOutage(thrown: unknown): thrown is EdgeError {
  return thrown instanceof EdgeError && OUTAGES.has(thrown.code);
}
