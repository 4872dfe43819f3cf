import type { Counter, Gauge } from 'prom-client';
import {
  type CellBus,
  LIMITS,
  METHODS,
  type ServedPolicy,
  type WireServerView,
} from '../../contract/index.ts';

type Make<T> = (name: string, help: string, labelNames?: string[]) => T;

/** Asked of the execution cell at each scrape; values it does not have are empty. */
export type PolicyViews = {
  readonly policies: readonly ServedPolicy[];
  readonly wires: readonly WireServerView[];
};

export async function askPolicies(bus: Pick<CellBus, 'request'>): Promise<PolicyViews> {
  const { policyList, wireList } = METHODS.execution;
  const [{ policies }, { wires }] = await Promise.all([
    bus.request('execution', policyList, {}, LIMITS.STATUS_PART_MS).catch(() => ({ policies: [] })),
    bus.request('execution', wireList, {}, LIMITS.STATUS_PART_MS).catch(() => ({ wires: [] })),
  ]);
  return { policies, wires };
}

/** Figures of policies and of the servers they are offered by. Labels are names of the configuration. */
export class PolicyMetrics {
  readonly #waiting: Gauge;
  readonly #sessions: Gauge;
  readonly #seconds: Gauge;
  readonly #calls: Counter;
  readonly #failures: Counter;
  readonly #clients: Gauge;
  readonly #questions: Counter;
  readonly #wireFailures: Counter;
  readonly #refused: Counter;

  constructor(gauge: Make<Gauge>, counter: Make<Counter>) {
    this.#waiting = gauge('policy_questions_waiting', 'questions that wait for a policy', ['policy']);
    this.#sessions = gauge('policy_sessions', 'callers that have a place at a policy', ['policy']);
    this.#seconds = gauge('policy_inference_seconds', 'of its last calls, by quantile', [
      'policy',
      'quantile',
    ]);
    this.#calls = counter('policy_calls_total', 'questions that a policy was asked', ['policy']);
    this.#failures = counter('policy_failures_total', 'questions without an answer', ['policy']);
    this.#clients = gauge('wire_clients', 'clients of a server of policies', ['wire']);
    this.#questions = counter('wire_questions_total', 'questions that came by a wire', ['wire']);
    this.#wireFailures = counter('wire_failures_total', 'questions of a wire without an answer', ['wire']);
    this.#refused = counter('wire_refused_total', 'connections and requests that were turned away', ['wire']);
  }

  show({ policies, wires }: PolicyViews): void {
    for (const gauge of [this.#waiting, this.#sessions, this.#seconds, this.#clients]) gauge.reset();
    for (const counter of [this.#calls, this.#failures]) counter.reset();
    for (const counter of [this.#questions, this.#wireFailures, this.#refused]) counter.reset();
    for (const { name: policy, waiting, sessions, calls, failures, p50Ms, p99Ms } of policies) {
      this.#waiting.set({ policy }, waiting);
      this.#sessions.set({ policy }, sessions);
      this.#calls.inc({ policy }, calls);
      this.#failures.inc({ policy }, failures);
      if (p50Ms !== undefined) this.#seconds.set({ policy, quantile: '0.5' }, p50Ms / 1_000);
      if (p99Ms !== undefined) this.#seconds.set({ policy, quantile: '0.99' }, p99Ms / 1_000);
    }
    for (const { wire, clients, questions, failures, refused } of wires) {
      this.#clients.set({ wire }, clients);
      this.#questions.inc({ wire }, questions);
      this.#wireFailures.inc({ wire }, failures);
      this.#refused.inc({ wire }, refused);
    }
  }
}
