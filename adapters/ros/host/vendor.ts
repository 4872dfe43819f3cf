/** The part of rclnodejs that this room uses. It ships no types that fit raw messages. */
export type Qos = object;

export type QosClass = {
  new (history: number, depth: number, reliability: number, durability: number): Qos;
};

export type MessageClass = {
  readonly ROSMessageDef?: {
    readonly fields: readonly {
      readonly type: { readonly pkgName: string | null; readonly type: string; readonly isArray: boolean };
    }[];
  };
};

export type EventCallbacks = {
  incompatibleQos?: (event: unknown) => void;
  messageLost?: (event: { total_count_change: bigint | number }) => void;
};

export type Publisher = {
  readonly subscriptionCount: number;
  publish(message: Buffer): void;
};

export type Node = {
  createSubscription(
    type: string,
    topic: string,
    options: { isRaw: true; qos: Qos },
    onMessage: (message: Buffer) => void,
    events?: EventCallbacks,
  ): object;
  createPublisher(type: string, topic: string, options: { qos: Qos }, events?: EventCallbacks): Publisher;
  spin(timeoutMs?: number): void;
  destroy(): void;
};

export type Rclnodejs = {
  init(context?: unknown, argv?: string[]): Promise<void>;
  createNode(name: string, namespace?: string): Node;
  require(type: string): MessageClass;
  shutdownAll(): void;
  readonly QoS: QosClass;
};

/** They throw where the distribution is older than Jazzy. */
export type EventClasses = {
  readonly SubscriptionEventCallbacks: new () => EventCallbacks;
  readonly PublisherEventCallbacks: new () => EventCallbacks;
};

export type Vendor = { readonly rcl: Rclnodejs; readonly events: EventClasses };
