/** The part of rclnodejs that this room uses. It ships no types that fit raw messages. */
export type Qos = object;

export type QosClass = {
  new (history: number, depth: number, reliability: number, durability: number, liveliness: number): Qos;
};

export type FieldDef = {
  readonly name: string;
  readonly default_value?: unknown;
  readonly type: {
    readonly pkgName: string | null;
    readonly type: string;
    readonly isArray: boolean;
    readonly arraySize?: number | null;
    readonly isUpperBound?: boolean;
    readonly isFixedSizeArray?: boolean | null;
    readonly stringUpperBound?: number | null;
    readonly isPrimitiveType?: boolean;
  };
};

/** A generated class. Its constructor takes a complete plain object. */
export type MessageClass = {
  new (value?: unknown): Message;
  readonly ROSMessageDef?: { readonly fields: readonly FieldDef[] };
};
export type Message = { toPlainObject(typedArrays?: boolean): { [field: string]: unknown } };
export type ServiceClass = { readonly Request: MessageClass; readonly Response: MessageClass };
export type ActionClass = {
  readonly Goal: MessageClass;
  readonly Result: MessageClass;
  readonly Feedback: MessageClass;
};
/** What a subscription needs of a class; for types that are not installed it is made up. */
export type TypeName = {
  type(): { pkgName: string; subFolder: string; interfaceName: string };
};

/** Counts are numbers or bigint, by version. */
export type EventData = {
  readonly total_count_change?: bigint | number;
  readonly last_policy_kind?: number;
  readonly alive_count?: number;
  readonly not_alive_count?: number;
  readonly not_alive_count_change?: number;
};

export type EventCallbacks = {
  incompatibleQos?: (event: EventData) => void;
  messageLost?: (event: EventData) => void;
  deadline?: (event: EventData) => void;
  liveliness?: (event: EventData) => void;
  incompatibleType?: (event: EventData) => void;
};

export type Publisher = {
  readonly subscriptionCount: number;
  publish(message: Buffer): void;
};

export type Client = {
  isServiceServerAvailable(): boolean;
  sendRequestAsync(
    request: unknown,
    options: { readonly timeout: number; readonly signal?: AbortSignal },
  ): Promise<{ [field: string]: unknown }>;
};
export type ServiceResponse = { send(value: unknown): void };

export type UuidMessage = { readonly uuid: Uint8Array };
export type ActionClient = {
  isActionServerAvailable(): boolean;
  sendGoal(
    goal: Message,
    onFeedback: (value: { [field: string]: unknown }) => void,
    goalId: UuidMessage,
  ): Promise<ClientGoal>;
  _cancelGoal(
    goal: ClientGoal,
  ): Promise<{ readonly return_code: number; readonly goals_canceling: unknown[] }>;
  destroy(): void;
};
export type ClientGoal = {
  readonly accepted: boolean;
  readonly status: number;
  getResult(): Promise<{ [field: string]: unknown }>;
  cancelGoal(): Promise<{ readonly return_code: number; readonly goals_canceling: unknown[] }>;
};
export type ServerGoal = {
  readonly goalId: UuidMessage;
  readonly isActive: boolean;
  execute(): void;
  publishFeedback(value: unknown): void;
  succeed(): void;
  abort(): void;
  canceled(): void;
};
export type ActionServer = {
  processGoalRequest(header: unknown, request: { goal_id: UuidMessage; goal: Message }): void;
  destroy(): void;
};

export type GraphEndpoint = {
  readonly node_name: string;
  readonly node_namespace: string;
  readonly topic_type: string;
  readonly topic_type_hash?: { readonly version: number; readonly value: Uint8Array };
  readonly qos_profile: {
    readonly depth: number;
    readonly history: number;
    readonly reliability: number;
    readonly durability: number;
    readonly lifespan: RmwTime;
    readonly deadline: RmwTime;
    readonly liveliness: number;
    readonly liveliness_lease_duration: RmwTime;
  };
};
export type RmwTime = { readonly seconds: bigint; readonly nanoseconds: number };
export type NamesAndTypes = readonly { readonly name: string; readonly types: readonly string[] }[];

export type Subscription = object;

export type Node = {
  createSubscription(
    type: string | TypeName,
    topic: string,
    options: { isRaw: true; qos: Qos },
    onMessage: (message: Buffer) => void,
    events?: EventCallbacks,
  ): Subscription;
  /** Events of a publisher are waited for only from the next change of entities on, or from this call on. */
  syncHandles(): void;
  destroySubscription(subscription: Subscription): void;
  destroyPublisher(publisher: Publisher): void;
  createClient(type: string, name: string, options: { qos: Qos }): Client;
  destroyClient(client: Client): void;
  createService(
    type: string,
    name: string,
    options: { qos: Qos },
    handle: (request: { [field: string]: unknown }, response: ServiceResponse) => void,
  ): object;
  destroyService(service: object): void;
  getNodeNamesAndNamespacesWithEnclaves(): readonly {
    readonly name: string;
    readonly namespace: string;
    readonly enclave: string;
  }[];
  getTopicNamesAndTypes(): NamesAndTypes;
  getServiceNamesAndTypes(): NamesAndTypes;
  getPublishersInfoByTopic(topic: string): readonly GraphEndpoint[];
  getSubscriptionsInfoByTopic(topic: string): readonly GraphEndpoint[];
  getClock(): { now(): { readonly nanoseconds: bigint } };
  /** Replaced by a guarded one. */
  execute: (handles: unknown) => void;
  createPublisher(type: string, topic: string, options: { qos: Qos }, events?: EventCallbacks): Publisher;
  spin(timeoutMs?: number): void;
  destroy(): void;
};

export type Rclnodejs = {
  init(context?: unknown, argv?: string[]): Promise<void>;
  createNode(name: string, namespace?: string, context?: unknown, options?: unknown): Node;
  require(type: string): MessageClass;
  shutdownAll(): void;
  readonly NodeOptions: new (
    startParameterServices: boolean,
    parameterOverrides: readonly unknown[],
  ) => object;
  readonly Parameter: new (name: string, type: number, value: unknown) => object;
  readonly ParameterType: { readonly PARAMETER_BOOL: number };
  readonly ActionClient: new (node: Node, type: string, name: string) => ActionClient;
  readonly ActionServer: new (
    node: Node,
    type: string,
    name: string,
    execute: (goal: ServerGoal) => Promise<Message>,
    accept: () => number,
    accepted: (goal: ServerGoal) => void,
    cancel: (goal: ServerGoal) => number,
  ) => ActionServer;
  getActionNamesAndTypes?(node: Node): NamesAndTypes;
  readonly QoS: QosClass;
};

/** They throw where the distribution is older than Jazzy. */
export type EventClasses = {
  readonly SubscriptionEventCallbacks: new () => EventCallbacks;
  readonly PublisherEventCallbacks: new () => EventCallbacks;
};

export type Vendor = { readonly rcl: Rclnodejs; readonly events: EventClasses };
