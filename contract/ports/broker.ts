export type BrokerMessage = {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker for who subscribes later. */
  readonly retain?: boolean;
  /** After this time the broker no longer hands it out, milliseconds. */
  readonly expiryMs?: number;
};

export type BrokerPlan = {
  /** Subscribed at each connection, before `hello` is published. */
  readonly topics: readonly string[];
  onMessage(message: BrokerMessage): void;
  /** Asked for each connection: what the broker publishes when it breaks, and what is published when it stands. */
  readonly presence?: () => { readonly will: BrokerMessage; readonly hello: BrokerMessage };
};

/**
 * A broker of messages, which need not be trusted. `open` returns at once, connects, and connects again for ever. `publish`
 * resolves when the broker took the message, and rejects with `link.unreachable`, `deadline.exceeded`, `api.too_large`
 * or `cell.overloaded` (what waits is bounded, in bytes). A message may arrive twice, or never.
 */
export interface Broker {
  open(plan: BrokerPlan): void;
  publish(message: BrokerMessage): Promise<void>;
  status(): { readonly connected: boolean; readonly reason: string };
  close(): Promise<void>;
}
