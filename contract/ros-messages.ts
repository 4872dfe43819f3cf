import type { GraphSnapshot, MessageValue, ParameterValue } from './ports/ros-graph.ts';
import type { Qos } from './sample.ts';

/** Bodies and answers of the `ros.*` methods of the execution cell. Names with a leading slash; types in full. */
export type RosCallRequest = {
  readonly service: string;
  readonly type: string;
  readonly request: MessageValue;
  readonly timeoutMs: number;
};
export type RosGoalRequest = {
  readonly action: string;
  readonly type: string;
  readonly goal: MessageValue;
  readonly timeoutMs: number;
};
/** Feedback with a `feedbackSeq` above `after`; the newest hundred are kept. */
export type RosGoalQuery = { readonly goalId: string; readonly after?: number };
export type RosGoalCancel = { readonly goalId: string; readonly timeoutMs: number };
export type RosGoalView = {
  readonly goalId: string;
  readonly action: string;
  readonly type: string;
  readonly state: 'running' | 'succeeded' | 'canceled' | 'aborted' | 'rejected' | 'lost';
  /** Why it was lost. */
  readonly reason: string;
  readonly feedbackSeq: number;
  readonly feedback: readonly { readonly seq: number; readonly value: MessageValue }[];
  readonly result?: MessageValue;
};
export type RosParamsRequest = {
  readonly node: string;
  /** None: list their names. */
  readonly names?: readonly string[];
  readonly set?: Readonly<Record<string, ParameterValue>>;
  readonly timeoutMs: number;
};
export type RosLifecycleRequest = {
  readonly node: string;
  readonly transition?: 'configure' | 'cleanup' | 'activate' | 'deactivate' | 'shutdown';
  readonly timeoutMs: number;
};
/** Without frames: the tree. */
export type RosTfRequest = { readonly target?: string; readonly source?: string };

/** An event about quality of service, counted since the daemon started. */
export type RosQosReport = {
  readonly topic: string;
  readonly direction: 'in' | 'out';
  readonly kind: 'incompatible' | 'deadline' | 'liveliness' | 'type';
  readonly count: number;
  readonly ours: Qos;
  readonly message: string;
  readonly hint: string;
};

/** What `ros.graph` answers. */
export type RosGraphReply = GraphSnapshot & { readonly qosEvents: readonly RosQosReport[] };
/** What `ros.params` answers: names, or values, or why values were refused, by name. */
export type RosParamsReply =
  | { readonly names: readonly string[] }
  | { readonly values: Readonly<Record<string, ParameterValue>> }
  | { readonly refused: Readonly<Record<string, string>> };
