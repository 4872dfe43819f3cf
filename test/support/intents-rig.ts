import { randomBytes } from 'node:crypto';
import {
  EdgeError,
  IdSource,
  type IntentRequest,
  isFinished,
  type NewEvent,
  type PolicyContext,
  type RunDetails,
  type RunStatus,
  TOPICS,
  toMs,
} from '../../contract/index.ts';
import { IntentDoor } from '../../daemon/execution/intents/intent-door.ts';
import { RunFollower } from '../../daemon/execution/intents/run-follower.ts';
import { serveRuntimeRequests } from '../../daemon/runtime/runtime-requests.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A runtime that opens runs by key and ends them when told to, behind the bus of a cell. */
export class IntentsRig {
  readonly clock = new ManualClock();
  readonly bus = new FakeBus(this.clock);
  readonly door = new IntentDoor({
    bus: this.bus,
    clock: this.clock,
    report: (_level, message) => void this.reports.push(message),
  });
  readonly follower = new RunFollower(this.door, this.clock, this.bus);
  readonly reports: string[] = [];
  readonly events: NewEvent[] = [];
  readonly opened: { request: IntentRequest; context: PolicyContext; details: RunDetails }[] = [];
  readonly cancelled: string[] = [];
  refusal: EdgeError | undefined;
  /** Intents that were refused by it. */
  refused = 0;
  /** Cancelling takes this long: the robot is stopped first. */
  stopMs = 0;
  readonly #ids = new IdSource(() => toMs(this.clock.now()), randomBytes);

  constructor() {
    const find = (runId: string) => {
      const found = this.opened.find(({ details }) => details.run.run_id === runId);
      if (!found) throw new EdgeError('run.not_found', { operation: 'find run', subject: runId });
      return found;
    };
    serveRuntimeRequests(this.bus, {
      submit: async (raw, context) => this.#submit(raw as IntentRequest, context) as never,
      run: (runId) => find(runId).details,
      runs: () => this.opened.map(({ details }) => details).reverse(),
      cancel: async (runId, reason) => {
        if (this.stopMs > 0)
          await new Promise<void>((resolve) => void this.clock.after(this.stopMs, resolve));
        if (!isFinished(find(runId).details.run.status)) this.end(runId, 'cancelled', reason);
        this.cancelled.push(runId);
        return find(runId).details.run;
      },
    });
    this.door.start();
  }

  #submit(request: IntentRequest, context: PolicyContext) {
    if (this.refusal) {
      this.refused += 1;
      throw this.refusal;
    }
    const known = this.opened.find(
      (one) =>
        one.request.idempotency_key === request.idempotency_key && request.idempotency_key !== undefined,
    );
    if (known) return { run: known.details.run, duplicate: true };
    const runId = this.#ids.next<string>();
    const intent = { intent_id: this.#ids.next<string>(), policy_ctx: context, ...request };
    const run = { run_id: runId, intent_id: intent.intent_id, status: 'running' };
    const details = { run, intent, app: 'test', phase: 'begin', reason: 'started' } as unknown as RunDetails;
    this.opened.push({ request, context, details });
    return { run, duplicate: false };
  }

  /** The run goes on, and the log of the runtime grows. */
  move(runId: string, status: RunStatus, phase: string, reason: string, more: object = {}): void {
    const found = this.opened.find(({ details }) => details.run.run_id === runId)!;
    Object.assign(found.details, { phase, reason, run: { ...found.details.run, status, ...more } });
    this.bus.tell(TOPICS.logGrew, { lastSeq: 1 });
  }

  end(runId: string, status: 'succeeded' | 'failed' | 'cancelled', reason: string): void {
    const found = this.opened.find(({ details }) => details.run.run_id === runId)!;
    Object.assign(found.details, { summary: { exit: status === 'succeeded' } });
    this.move(runId, status, 'end', reason, status === 'succeeded' ? { score: 0.75 } : {});
  }

  get lastRun(): string {
    return this.opened.at(-1)!.details.run.run_id;
  }

  /** Time passes in steps, each with turns enough for what it sets off. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left >= 0; left -= stepMs) {
      await this.clock.advance(Math.min(left, stepMs));
      for (let i = 0; i < 40; i++) await Promise.resolve();
    }
  }
}
