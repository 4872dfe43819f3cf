import {
  EdgeError,
  type ErrorCode,
  type FlowDefinition,
  type Harness,
  type RunContext,
  type RunOutcome,
} from '../../contract/index.ts';
import { FlowHarness } from './flow/flow-harness.ts';

/** Phases of a run before its flow has one of its own. */
const AGENT = 'agent';
const DEGRADED = 'degraded';

/**
 * An agent with a flow that stands by: when no model answers any more the flow carries the mission on, from its
 * beginning in the world as it is now, and says so: by a `run.phase`, and in reason and summary of the run. Once
 * degraded a run stays so, also over restarts: two minds do not take turns at one robot.
 */
export class DegradingHarness implements Harness {
  readonly kind = 'pi';
  readonly #agent: Harness;
  readonly #flow: FlowHarness;

  /** Throws `config.invalid` when the flow has a fault, or a state of a name that stands for something else here. */
  constructor(agent: Harness, flow: FlowDefinition) {
    const taken = [AGENT, DEGRADED].filter((name) => Object.hasOwn(flow.states, name));
    if (taken.length > 0)
      throw new EdgeError('config.invalid', {
        operation: 'load flow',
        subject: flow.name,
        message: `beside an agent a flow may have no state "${taken.join('", "')}"`,
      });
    this.#agent = agent;
    this.#flow = new FlowHarness(flow);
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const phase = context.resume?.phase;
    if (phase === DEGRADED) return await this.#carry({ ...context, resume: undefined });
    if (phase !== undefined && phase !== AGENT) return await this.#carry(context);
    try {
      return await this.#agent.execute(context);
    } catch (thrown) {
      if (context.signal.aborted || !isOutage(thrown)) throw thrown;
      const { code, message } = thrown;
      const payload = {
        phase: DEGRADED,
        previous: AGENT,
        reason: `no model answers (${code}: ${message}): the flow carries on`.slice(0, 512),
      };
      await context.emit([{ kind: 'run.phase', run_id: context.runId, payload }]);
      // A pause holds for the flow too, whoever ordered it.
      await context.unpaused();
      return await this.#carry({ ...context, resume: undefined });
    }
  }

  async #carry(context: RunContext): Promise<RunOutcome> {
    const outcome = await this.#flow.execute(context);
    const reason = `degraded, without a model: ${outcome.reason}`.slice(0, 512);
    return { ...outcome, reason, summary: { ...outcome.summary, degraded: true } };
  }
}

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
