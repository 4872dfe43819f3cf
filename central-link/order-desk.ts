import {
  type ApprovalAnswer,
  type CallAsk,
  type CallReply,
  type CellBus,
  type Clock,
  centralPrincipal,
  EdgeError,
  type IntentSubmit,
  isUuidv7,
  type LinkOrder,
  METHODS,
  type OrderReport,
  type PolicyContext,
  type RunBrief,
  type RunBriefsRequest,
  type RunCancel,
  type RuntimeCall,
} from '../contract/core.ts';
import { Backoff } from '../io/backoff.ts';
import type { FetchDesk } from './fetch-desk.ts';

export type OrderDeskOptions = {
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
  readonly tenant: string;
  readonly roles: readonly string[];
  readonly random: () => number;
  /** Undefined: no files go to central. */
  readonly fetches?: FetchDesk;
};

const SUBMIT_MS = 8_000;
/** For this long after a submit without an answer the intent may still be accepted. */
const DOUBT_MS = 60_000;
const CANCEL_MS = 10_000;
/** A stop that is longer ago counts for no order that was fetched after it: the clocks of central and robot may differ. */
const POSTED_MS_MAX = 60 * 60_000;
/** Nothing was decided: the order stays and is tried again. So it does where no policy answered in time. */
const UNDECIDED: ReadonlySet<string> = new Set([
  ...['cell.unavailable', 'cell.restarted', 'cell.overloaded', 'deadline.exceeded'],
  ...['log.failed', 'run.limit', 'quota.exceeded'],
]);

/**
 * Carries out the orders of central through the runtime. It needs no memory: the key of an intent is its
 * order, so a repeated order finds its run, and central keeps an order until its result is reported.
 */
export class OrderDesk {
  readonly #options: OrderDeskOptions;
  readonly #later = new Map<string, Backoff>();
  /** Intents whose last submit got no answer, and since when: they may have been accepted. */
  readonly #doubted = new Map<string, number>();
  /** When intents were first tried, by the clock of the host: what was asked for before a stop does not start after it. */
  readonly #firstMs = new Map<string, number>();
  /** Intents that are not submitted again, and the cancellations that wait for their results. */
  readonly #cancelling = new Map<string, string>();

  constructor(options: OrderDeskOptions) {
    this.#options = options;
  }

  /** Orders that are tried again later. */
  get waiting(): number {
    return this.#later.size;
  }

  /** Milliseconds until the first of `orders` may be tried. */
  restMs(orders: readonly LinkOrder[]): number {
    const now = this.#options.clock.monotonicMs();
    // An intent that waits for its cancellation is not tried again; its time does not count.
    const tried = orders.filter(({ order_id }) => !this.#cancelling.has(order_id));
    return Math.min(...tried.map(({ order_id }) => this.#later.get(order_id)?.restMs(now) ?? 0));
  }

  /** Forgets orders that central no longer lists. */
  keepOnly(orders: readonly LinkOrder[]): void {
    const asked = new Set(orders.map(({ order_id }) => order_id));
    for (const map of [this.#later, this.#doubted, this.#firstMs])
      for (const id of map.keys()) if (!asked.has(id)) map.delete(id);
    for (const [target, by] of this.#cancelling)
      if (!asked.has(target) || !asked.has(by)) this.#cancelling.delete(target);
  }

  /** What to report to central; empty: not decided yet, or not its turn. Never rejects. */
  async settle(order: LinkOrder): Promise<readonly OrderReport[]> {
    const { clock, random } = this.#options;
    const { order_id } = order;
    if (this.#cancelling.has(order_id)) return [];
    const backoff = this.#later.get(order_id) ?? new Backoff(random);
    if (backoff.restMs(clock.monotonicMs()) > 0) return [];
    try {
      const reports = await this.#do(order);
      this.#forget(order_id);
      return reports;
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', order.kind, order_id);
      const isUnanswered = error.code === 'policy.denied' && error.retryable;
      if (UNDECIDED.has(error.code) || isUnanswered) {
        backoff.failed(clock.monotonicMs());
        this.#later.set(order_id, backoff);
        if (order.kind === 'intent' && error.code === 'deadline.exceeded')
          this.#doubted.set(order_id, clock.monotonicMs());
        return [];
      }
      this.#forget(order_id);
      return [{ order_id, state: 'refused', reason: error.message.slice(0, 512), error: error.toBody() }];
    }
  }

  #forget(orderId: string): void {
    this.#later.delete(orderId);
    this.#doubted.delete(orderId);
    this.#firstMs.delete(orderId);
    this.#cancelling.delete(orderId);
  }

  /** Ends of runs that central waits for. Rejects where the runtime does not answer. */
  async ended(open: readonly { order_id: string; run_id: string }[]): Promise<readonly OrderReport[]> {
    const runIds = open.map(({ run_id }) => run_id);
    const runs = await this.#ask(METHODS.runtime.runBriefs, { runIds }, SUBMIT_MS);
    return open.flatMap(({ order_id, run_id }) => {
      const run = runs.find((one) => one.run_id === run_id);
      // The log that knew it is gone: nothing more will ever be known about it.
      if (!run) return [finished(order_id, 'failed', 'this robot no longer knows the run: its log was lost')];
      const { status, reason, score, summary, error } = run;
      if (status !== 'succeeded' && status !== 'failed' && status !== 'cancelled') return [];
      return [
        {
          ...finished(order_id, status, reason),
          run_id,
          ...(score === undefined ? {} : { score }),
          ...(summary === undefined ? {} : { summary }),
          ...(error === undefined ? {} : { error }),
        },
      ];
    });
  }

  async #do(order: LinkOrder): Promise<readonly OrderReport[]> {
    switch (order.kind) {
      case 'intent':
        return [await this.#intent(order)];
      case 'cancel':
        return await this.#cancel(order);
      case 'approval':
        return [await this.#approval(order)];
      case 'grant':
        return [await this.#grant(order)];
      case 'fetch':
        return [await this.#fetch(order)];
    }
  }

  async #intent(order: LinkOrder): Promise<OrderReport> {
    const request = { ...order.body, idempotency_key: keyOf(order.order_id) };
    const body: IntentSubmit = { request, context: this.#context(order) };
    const run = await this.#ask(METHODS.runtime.intentSubmit, body, SUBMIT_MS, this.#wantedAtMs(order));
    return {
      order_id: order.order_id,
      state: 'accepted',
      run_id: run.run_id,
      reason: run.reason.slice(0, 512),
    };
  }

  /**
   * When the order was posted, as far as this robot knows: by the clock of central, never later than its first try and at
   * most `POSTED_MS_MAX` before it, since the two clocks may differ.
   */
  #wantedAtMs({ order_id, posted_ns }: LinkOrder): number {
    const { clock } = this.#options;
    const known = this.#firstMs.get(order_id);
    if (known !== undefined) return known;
    const agoMs = Number(clock.now() - BigInt(posted_ns)) / 1e6;
    const wanted = clock.monotonicMs() - Math.min(Math.max(0, agoMs), POSTED_MS_MAX);
    this.#firstMs.set(order_id, wanted);
    return wanted;
  }

  /** Also for an intent that was not accepted yet: it never will be. */
  async #cancel(order: LinkOrder): Promise<readonly OrderReport[]> {
    const { order_id: target, run_id: told, reason = 'cancelled by central' } = order.body;
    if (!isUuidv7(target)) throw invalid('/order_id: the order to be cancelled');
    const runId = isUuidv7(told) ? told : (await this.#runOf(target))?.run_id;
    const done = finished(order.order_id, 'done', String(reason).slice(0, 512));
    if (runId === undefined) {
      this.#requireNoDoubt(target, order.order_id);
      this.#forget(target);
      return [
        {
          order_id: target,
          state: 'refused',
          reason: `cancelled before it was taken: ${done.reason}`.slice(0, 512),
        },
        done,
      ];
    }
    const cancel: RunCancel = { runId, reason: done.reason };
    await this.#ask(METHODS.runtime.runCancel, cancel, CANCEL_MS);
    this.#cancelling.delete(target);
    return [done];
  }

  /** Throws while an unanswered submit may still open a run. */
  #requireNoDoubt(target: string, by: string): void {
    const sinceMs = this.#doubted.get(target);
    if (sinceMs === undefined || this.#options.clock.monotonicMs() - sinceMs > DOUBT_MS) return;
    this.#cancelling.set(target, by);
    throw new EdgeError('deadline.exceeded', {
      operation: 'cancel order',
      subject: target,
      message: 'whether the intent was taken is not known yet',
    });
  }

  async #runOf(orderId: string): Promise<RunBrief | undefined> {
    const { tenant } = this.#options;
    const runs = await this.#ask(
      METHODS.runtime.runBriefs,
      { key: { tenant, origin: 'central', idempotency_key: keyOf(orderId) } } satisfies RunBriefsRequest,
      SUBMIT_MS,
    );
    return runs[0];
  }

  async #approval(order: LinkOrder): Promise<OrderReport> {
    const { approval_id: approvalId, decision, reason = '' } = order.body;
    if (!isUuidv7(approvalId)) throw invalid('/approval_id: the approval to be answered');
    if (decision !== 'allow' && decision !== 'deny') throw invalid('/decision: allow or deny');
    const who = this.#context(order);
    const answer: ApprovalAnswer = { approvalId, decision, who, reason: String(reason).slice(0, 512) };
    await this.#ask(METHODS.runtime.approvalAnswer, answer, SUBMIT_MS);
    return finished(order.order_id, 'done', `${decision} is taken`);
  }

  /** Accepted by the signature in it, which is not central's: the runtime checks it and its robot. */
  async #grant(order: LinkOrder): Promise<OrderReport> {
    // The schema of the call refuses what is not a signed grant.
    const signed = order.body as CallAsk<'grant.install'>;
    const { grant_id, state } = await this.#ask(METHODS.runtime.grantInstall, signed, SUBMIT_MS);
    return finished(order.order_id, 'done', `grant ${grant_id} is ${state}`);
  }

  /** Reported when central has it; until then the order is tried again. */
  async #fetch(order: LinkOrder): Promise<OrderReport> {
    const { fetches } = this.#options;
    if (!fetches) throw invalid('files of this robot do not go to central (link.bags)');
    if (await fetches.fetch(order)) return finished(order.order_id, 'done', 'central has it');
    throw new EdgeError('cell.overloaded', {
      operation: 'fetch',
      subject: order.order_id,
      message: 'it is on its way',
    });
  }

  #context({ posted_by }: LinkOrder): PolicyContext {
    const { tenant, roles } = this.#options;
    return {
      tenant,
      principal: centralPrincipal(posted_by),
      roles: [...roles],
      origin: 'central',
    };
  }

  #ask<N extends RuntimeCall>(
    method: N,
    body: CallAsk<N>,
    timeoutMs: number,
    wantedAtMs?: number,
  ): Promise<CallReply<N>> {
    return this.#options.bus.request<N>('runtime', method, body, timeoutMs, wantedAtMs);
  }
}

function keyOf(orderId: string): string {
  return `order/${orderId}`;
}

function finished(order_id: string, status: NonNullable<OrderReport['status']>, reason: string): OrderReport {
  return { order_id, state: 'finished', status, reason: reason.slice(0, 512) };
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'read order', subject: 'order', message });
}
