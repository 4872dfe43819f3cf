import type { BodyOf } from '../bodies/kit.ts';
import type * as ros from '../bodies/ros.ts';

/**
 * A decoded ROS message as plain values by field name, as formats/ros2 decodes it: 64-bit integers are bigint,
 * byte and number arrays are typed arrays, times are `{sec, nanosec}`. What a person typed may hold numbers for
 * 64-bit integers and plain arrays; missing fields take the default of the definition, unknown ones are refused.
 */
export type MessageValue = { readonly [field: string]: unknown };

export type EndpointInfo = BodyOf<typeof ros.EndpointInfo>;

export type GraphTopic = BodyOf<typeof ros.GraphTopic>;

/** What is in the ROS graph now. Types as `package/msg/Type`, `package/srv/Type`, `package/action/Type`. */
export type GraphSnapshot = BodyOf<typeof ros.GraphSnapshot>;

/**
 * The ROS graph, whatever carries it (rclnodejs, or the rmw_zenoh conventions without ROS). `snapshot` never
 * blocks for long: it answers with what discovery has found. `watch` calls at once and after each change, at
 * most ten times a second, never re-entrantly.
 */
export interface RosGraph {
  snapshot(): Promise<GraphSnapshot>;
  watch(onChange: (graph: GraphSnapshot) => void): { cancel(): void };
}

export type CallOptions = {
  /** Milliseconds until the promise settles with `deadline.exceeded`, a missing server included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

/**
 * Services, both ways. A call to a service without a server waits for a server until its deadline. Errors:
 * `ros.not_found` (no server by the deadline), `deadline.exceeded` (a server that is silent), `sample.unknown_type`
 * (with the package to install), `schema.invalid` (a field that does not fit), `ros.failed`.
 */
export interface RosServices {
  call(name: string, type: string, request: MessageValue, options: CallOptions): Promise<MessageValue>;
  /**
   * Answers until it is closed; a handler that throws or is later than `timeoutMs` gives the caller no answer, and is
   * reported.
   */
  serve(
    name: string,
    type: string,
    handle: (request: MessageValue) => Promise<MessageValue>,
    options?: { readonly timeoutMs?: number },
  ): Promise<{ close(): Promise<void> }>;
}

/** How a goal ended, by the names of action_msgs/GoalStatus, or `rejected` where it was never accepted. */
export type GoalStatus = 'succeeded' | 'canceled' | 'aborted' | 'rejected';
export type GoalResult = { readonly status: GoalStatus; readonly result: MessageValue };

export type GoalHandle = {
  /** UUID of the goal, 32 hexadecimal digits. */
  readonly goalId: string;
  /** Settles with the result of the server; rejects `robot.unreachable` when the server vanished. */
  readonly result: Promise<GoalResult>;
  /** Asks the server to cancel; settles when it answered (accepted or not), at the latest after `timeoutMs`. */
  cancel(timeoutMs: number): Promise<boolean>;
};

/** What an action server of this daemon gets for each goal. `canceled` aborts when a client cancels. */
export type ServedGoal = {
  readonly goalId: string;
  readonly goal: MessageValue;
  readonly canceled: AbortSignal;
  feedback(value: MessageValue): void;
};

/** Actions, both ways. Errors as in `RosServices`. The death of the server of an accepted goal is reported. */
export interface RosActions {
  /** Resolves when the server accepted or rejected the goal. */
  send(
    name: string,
    type: string,
    goal: MessageValue,
    options: CallOptions & { readonly onFeedback?: (value: MessageValue) => void },
  ): Promise<GoalHandle>;
  serve(
    name: string,
    type: string,
    handlers: {
      /** False refuses the goal. */
      accept(goal: MessageValue): boolean;
      execute(goal: ServedGoal): Promise<GoalResult>;
    },
  ): Promise<{ close(): Promise<void> }>;
}

/** A parameter value by its ROS kind; `unset` where the node has none by that name. */
export type ParameterValue = ros.ParameterValue;

/** Parameters of other nodes, through their standard services. Errors as in `RosServices`. */
export interface RosParameters {
  list(node: string, options: CallOptions): Promise<readonly string[]>;
  get(
    node: string,
    names: readonly string[],
    options: CallOptions,
  ): Promise<Readonly<Record<string, ParameterValue>>>;
  /** Per parameter: undefined when it was set, else why the node refused it. */
  set(
    node: string,
    values: Readonly<Record<string, ParameterValue>>,
    options: CallOptions,
  ): Promise<Readonly<Record<string, string | undefined>>>;
}

export type LifecycleState =
  | 'unknown'
  | 'unconfigured'
  | 'inactive'
  | 'active'
  | 'finalized'
  | 'transitioning';
export type LifecycleTransition = 'configure' | 'cleanup' | 'activate' | 'deactivate' | 'shutdown';

/**
 * Managed nodes, through their standard services. Errors as in `RosServices`; a refused transition is `ros.refused`.
 */
export interface RosLifecycle {
  state(node: string, options: CallOptions): Promise<LifecycleState>;
  /** Resolves with the state that was reached. */
  change(node: string, transition: LifecycleTransition, options: CallOptions): Promise<LifecycleState>;
}

/** Everything of ROS 2 that is not a stream of samples. */
export type RosApi = {
  readonly graph: RosGraph;
  readonly services: RosServices;
  readonly actions: RosActions;
  readonly parameters: RosParameters;
  readonly lifecycle: RosLifecycle;
};
