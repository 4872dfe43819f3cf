import { type Broker, type BrokerMessage, type BrokerPlan, EdgeError } from '../../contract/index.ts';

/** A broker in this process. It keeps what was published, so that a test may publish it again. */
export class TinyBroker {
  readonly log: BrokerMessage[] = [];
  readonly #plans = new Set<BrokerPlan>();
  readonly #retained = new Map<string, BrokerMessage>();

  client(): Broker & { cut(): void } {
    let plan: BrokerPlan | undefined;
    let will: BrokerMessage | undefined;
    const cut = () => {
      if (plan) this.#plans.delete(plan);
      if (will) this.publish(will);
      will = undefined;
      plan = undefined;
    };
    return {
      open: (made) => {
        plan = made;
        this.#plans.add(made);
        for (const message of this.#retained.values()) deliver(made, message);
        const presence = made.presence?.();
        will = presence?.will;
        if (presence) this.publish(presence.hello);
      },
      publish: async (message) => {
        if (!plan) throw new EdgeError('link.unreachable', { operation: 'publish', subject: 'broker' });
        this.publish(message);
      },
      status: () => ({ connected: plan !== undefined, reason: plan ? '' : 'the broker is gone' }),
      close: async () => cut(),
      cut,
    };
  }

  publish(message: BrokerMessage): void {
    this.log.push(message);
    if (message.retain) this.#retained.set(message.topic, message);
    for (const plan of this.#plans) queueMicrotask(() => deliver(plan, message));
  }
}

function deliver(plan: BrokerPlan, message: BrokerMessage): void {
  const fits = (filter: string) =>
    new RegExp(`^${filter.replaceAll('.', '\\.').replaceAll('+', '[^/]+')}$`).test(message.topic);
  if (plan.topics.some(fits)) plan.onMessage(message);
}
