import type { BagAdopted, PlayNamed, PlayOptions, PlayOrder, PlayState } from './bag-messages.ts';
import type {
  ApprovalAnswer,
  ApprovalQuery,
  ClipInfo,
  ClipRequest,
  EpisodeDiscard,
  EpisodeInfo,
  EpisodeOrder,
  ExecutionStatus,
  ImageReply,
  ImageRequest,
  InferPlan,
  IntentSubmit,
  LinkStatus,
  LinkSyncReply,
  LinkSyncRequest,
  METHODS,
  MemoryStatus,
  PlanReply,
  RunBrief,
  RunBriefsRequest,
  RunCancel,
  RuntimeStatus,
  ScanReply,
  ScanRequest,
  SegmentInfo,
} from './cell-messages.ts';
import type { CellName } from './cell-name.ts';
import type {
  ChatCancel,
  ChatNext,
  ChatNextReply,
  ChatOpen,
  PolicyDescribeRequest,
  PolicyInferReply,
  PolicyInferRequest,
  PolicyListReply,
  PolicyReloadRequest,
} from './inference-messages.ts';
import type { LakeQueryRequest, LakeReadReply, LakeReadRequest, LakeSyncReply } from './lake-messages.ts';
import { LIMITS } from './limits.ts';
import type { Approval } from './ports/approvals.ts';
import type { ControllerView } from './ports/controllers.ts';
import type { GrantView } from './ports/governance.ts';
import type { LakePage, LakeRows } from './ports/lake.ts';
import type { PolicyDescription } from './ports/policy.ts';
import type { ServedPolicy, WireServerView } from './ports/policy-desk.ts';
import type { MessageValue } from './ports/ros-graph.ts';
import type { EStopState, LeaseView } from './ports/safety.ts';
import type {
  RosCallRequest,
  RosGoalCancel,
  RosGoalQuery,
  RosGoalRequest,
  RosGoalView,
  RosGraphReply,
  RosLifecycleRequest,
  RosParamsReply,
  RosParamsRequest,
  RosTfRequest,
} from './ros-messages.ts';

/**
 * The budget of a call between cells: the caller checks the size of its question, the other cell that of its answer.
 */
export type CallBudget = {
  readonly askBytes: number;
  readonly replyBytes: number;
  /** How long the caller waits by default, milliseconds. */
  readonly deadlineMs: number;
};

/** A call to a cell. `types` exists for the compiler only. */
export type Call<To extends CellName, Ask, Reply> = CallBudget & {
  readonly to: To;
  readonly types?: (ask: Ask) => Reply;
};

const KIB = 1024;
const MIB = 1024 * KIB;

/** Budget of most calls: a few fields each way; lists of what a robot has are larger. */
const USUAL: CallBudget = { askBytes: 64 * KIB, replyBytes: MIB, deadlineMs: LIMITS.CELL_REQUEST_MS };
/** Bodies of API requests that are passed on as they are, with what the cell adds. */
const API_BODY = { askBytes: LIMITS.API_BODY_BYTES_MAX + 64 * KIB };
const LIST = { replyBytes: 8 * MIB };
/** One row may fill an answer of the lake. The lake counts its values; this counts the message around them too. */
const ROWS = { askBytes: 256 * KIB, replyBytes: 4 * LIMITS.LAKE_ANSWER_BYTES_MAX };
const PICTURES = { askBytes: 2 * LIMITS.CHAT_REQUEST_BYTES_MAX };

const execution = <Ask, Reply>(budget: Partial<CallBudget> = {}): Call<'execution', Ask, Reply> => ({
  ...{ to: 'execution', ...USUAL, ...budget },
});
const runtime = <Ask, Reply>(budget: Partial<CallBudget> = {}): Call<'runtime', Ask, Reply> => ({
  ...{ to: 'runtime', ...USUAL, ...budget },
});
const memory = <Ask, Reply>(budget: Partial<CallBudget> = {}): Call<'memory', Ask, Reply> => ({
  ...{ to: 'memory', ...USUAL, ...budget },
});
const link = <Ask, Reply>(budget: Partial<CallBudget> = {}): Call<'link', Ask, Reply> => ({
  ...{ to: 'link', ...USUAL, ...budget },
});

type Nothing = Readonly<Record<string, never>>;
/** The body is not declared here yet: both sides cast. */
type Open = unknown;

/**
 * Every call between cells: the cell that answers, the types of question and answer, and the budget. Names are those of
 * `METHODS`.
 */
export const CALLS = {
  'execution.status': execution<Nothing, ExecutionStatus>(LIST),
  'robot.state': execution<Open, Open>(),
  'robot.map': execution<Open, Open>({ replyBytes: LIMITS.SAMPLE_BYTES_MAX }),
  'robot.navigate': execution<Open, Open>(),
  'robot.maneuver': execution<Open, Open>(),
  'robot.cancel': execution<Open, Open>(),
  'robot.stop': execution<Open, Open>(),
  'arm.state': execution<Open, Open>(),
  'arm.figure': execution<Open, Open>(LIST),
  'arm.follow': execution<Open, Open>({ askBytes: 4 * MIB }),
  'arm.gripper': execution<Open, Open>(),
  'arm.stop': execution<Open, Open>(),
  'recorder.seal': execution<Nothing, readonly SegmentInfo[]>(),
  'recorder.clip': execution<ClipRequest, ClipInfo>(),
  'recorder.clips': execution<Nothing, readonly ClipInfo[]>(LIST),
  'episode.start': execution<EpisodeOrder, EpisodeInfo>(),
  'episode.stop': execution<EpisodeOrder, EpisodeInfo>(),
  'episode.discard': execution<EpisodeDiscard, void>(),
  'episode.relabel': execution<EpisodeOrder, EpisodeInfo>(),
  'episode.list': execution<Nothing, readonly EpisodeInfo[]>(LIST),
  'bag.play': execution<PlayOptions, PlayState>(API_BODY),
  'bag.play_state': execution<PlayNamed, PlayState>(),
  'bag.play_stop': execution<PlayNamed, PlayState>(),
  'bag.play_control': execution<PlayNamed & PlayOrder, PlayState>(),
  'bag.adopt': execution<{ readonly bag: string }, BagAdopted>(),
  'look.image': execution<ImageRequest, ImageReply>({ replyBytes: 20 * MIB }),
  'look.scan': execution<ScanRequest, ScanReply>({ replyBytes: 2 * MIB }),
  'ros.graph': execution<Nothing, RosGraphReply>(LIST),
  'ros.call': execution<RosCallRequest, MessageValue>({ ...API_BODY, ...LIST }),
  'ros.goal_send': execution<RosGoalRequest, RosGoalView>({ ...API_BODY, ...LIST }),
  'ros.goal_view': execution<RosGoalQuery, RosGoalView>(LIST),
  'ros.goal_cancel': execution<RosGoalCancel, { readonly cancelled: boolean }>(LIST),
  'ros.params': execution<RosParamsRequest, RosParamsReply>({ ...API_BODY, ...LIST }),
  'ros.lifecycle': execution<RosLifecycleRequest, { readonly state: string }>(LIST),
  'ros.tf': execution<RosTfRequest, Readonly<Record<string, unknown>>>(LIST),
  'policy.list': execution<Nothing, PolicyListReply>(LIST),
  'policy.infer': execution<PolicyInferRequest, PolicyInferReply>({
    // The bytes as received, or the float32 values of a JSON question.
    askBytes: LIMITS.POLICY_PAYLOAD_BYTES_MAX + 4 * LIMITS.POLICY_VALUES_MAX,
    ...LIST,
  }),
  'policy.describe': execution<PolicyDescribeRequest, PolicyDescription>(LIST),
  'policy.reload': execution<PolicyReloadRequest, ServedPolicy>(),
  'policy.cancel': execution<{ readonly call: string }, { readonly cancelled: boolean }>(),
  'wire.list': execution<Nothing, { readonly wires: readonly WireServerView[] }>(),
  'controller.list': execution<Nothing, readonly ControllerView[]>(LIST),
  'controller.start': execution<Open, Open>(API_BODY),
  'controller.stop': execution<Open, Open>(),
  'lease.state': execution<Nothing, LeaseView>(),
  'lease.take': execution<Open, Open>(),
  'lease.renew': execution<Open, Open>(),
  'lease.return': execution<Open, Open>(),
  'teleop.command': execution<Open, Open>(),
  'estop.state': execution<Nothing, EStopState>(),
  'estop.engage': execution<Open, Open>(),
  'estop.release': execution<Open, Open>(),

  'runtime.status': runtime<Nothing, RuntimeStatus>(LIST),
  'intent.submit': runtime<IntentSubmit, RunBrief>(API_BODY),
  'run.briefs': runtime<RunBriefsRequest, readonly RunBrief[]>({ replyBytes: 32 * MIB }),
  'run.cancel': runtime<RunCancel, RunBrief>(),
  'approval.list': runtime<ApprovalQuery, readonly Approval[]>(LIST),
  'approval.answer': runtime<ApprovalAnswer, Approval>(),
  'grant.install': runtime<unknown, GrantView>(API_BODY),
  'infer.plan': runtime<InferPlan, PlanReply>(PICTURES),
  'infer.plan_cancel': runtime<ChatCancel, void>(),
  'infer.chat_open': runtime<ChatOpen, Nothing>(PICTURES),
  'infer.chat_next': runtime<ChatNext, ChatNextReply>({ replyBytes: 4 * LIMITS.CHAT_UNREAD_BYTES_MAX }),
  'infer.chat_cancel': runtime<ChatCancel, void>(),

  'memory.status': memory<Nothing, MemoryStatus>(),
  'lake.query': memory<LakeQueryRequest, LakeRows>(ROWS),
  'lake.read': memory<LakeQueryRequest, LakeReadReply>(ROWS),
  'lake.read_next': memory<LakeReadRequest, LakePage>(ROWS),
  'lake.read_close': memory<LakeReadRequest, void>(),
  'lake.sync': memory<Nothing, LakeSyncReply>(),
  'lake.rebuild': memory<Nothing, LakeSyncReply>(),

  'link.status': link<Nothing, LinkStatus>(),
  'link.sync': link<LinkSyncRequest, LinkSyncReply>(),
} as const;

/** A broadcast: news that every cell hears, or the configuration. */
export const BROADCAST_BYTES_MAX = 4 * MIB;
/** Facts that come with one line for operators. */
export const REPORT_BYTES_MAX = 64 * KIB;

export type CallName = keyof typeof CALLS;
export type CallTo<N extends CallName> = (typeof CALLS)[N]['to'];
type Types<N extends CallName> = NonNullable<(typeof CALLS)[N]['types']>;
export type CallAsk<N extends CallName> = Parameters<Types<N>>[0];
export type CallReply<N extends CallName> = ReturnType<Types<N>>;
/** Calls that the execution cell answers. */
export type ExecutionCall = { [N in CallName]: CallTo<N> extends 'execution' ? N : never }[CallName];
/** Calls that the runtime answers. */
export type RuntimeCall = { [N in CallName]: CallTo<N> extends 'runtime' ? N : never }[CallName];
/** Calls whose answer is not declared yet: the caller names its type. */
export type OpenCallName = {
  [N in CallName]: unknown extends CallReply<N> ? N : never;
}[CallName];

type Named = {
  [C in keyof typeof METHODS]: (typeof METHODS)[C][keyof (typeof METHODS)[C]];
}[keyof typeof METHODS];
/** Does not compile if a name is in only one of the two maps. */
export const CALL_OF: (name: Named) => CallName = (name) => name;

/** The budget of a call by its name; an unknown name (a test, an older cell) has the usual budget. */
export function budgetOf(name: string): CallBudget {
  return Object.hasOwn(CALLS, name) ? CALLS[name as CallName] : USUAL;
}
