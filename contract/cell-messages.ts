import type { ErrorBody } from './errors.ts';
import type { PolicyContext } from './intent.ts';
import type { MotionKind } from './motion/goals.ts';
import type { Plan } from './plan.ts';
import type { Picture } from './ports/image-encoder.ts';
import type { LakeInfo } from './ports/lake.ts';
import type { ArmState, RobotHealth, RobotState } from './ports/robot.ts';
import type { EStopState, LeaseRole, LeaseView } from './ports/safety.ts';
import type { RouteStatus } from './route.ts';
import type { RunLoad } from './run-load.ts';
import type { RunState, RunStatus } from './run-state.ts';
import type { LedgerLine } from './sample.ts';

/**
 * Methods that cells answer, by the cell that answers. Bodies travel by structured clone (bigint and typed
 * arrays survive) and are typed here, so both sides agree. Robot motions are long: the asker passes a timeout.
 */
export const METHODS = {
  execution: {
    status: 'execution.status',
    robotState: 'robot.state',
    robotMap: 'robot.map',
    robotNavigate: 'robot.navigate',
    robotManeuver: 'robot.maneuver',
    robotCancel: 'robot.cancel',
    robotStop: 'robot.stop',
    armState: 'arm.state',
    armFigure: 'arm.figure',
    armFollow: 'arm.follow',
    armGripper: 'arm.gripper',
    armStop: 'arm.stop',
    recordSeal: 'recorder.seal',
    clipRecord: 'recorder.clip',
    clipList: 'recorder.clips',
    episodeStart: 'episode.start',
    episodeStop: 'episode.stop',
    episodeDiscard: 'episode.discard',
    episodeRelabel: 'episode.relabel',
    episodeList: 'episode.list',
    bagPlay: 'bag.play',
    bagPlayState: 'bag.play_state',
    bagPlayStop: 'bag.play_stop',
    bagPlayControl: 'bag.play_control',
    bagAdopt: 'bag.adopt',
    newestImage: 'look.image',
    newestScan: 'look.scan',
    rosGraph: 'ros.graph',
    rosCall: 'ros.call',
    rosGoalSend: 'ros.goal_send',
    rosGoalView: 'ros.goal_view',
    rosGoalCancel: 'ros.goal_cancel',
    rosParams: 'ros.params',
    rosLifecycle: 'ros.lifecycle',
    rosTf: 'ros.tf',
    policyList: 'policy.list',
    policyInfer: 'policy.infer',
    policyDescribe: 'policy.describe',
    policyReload: 'policy.reload',
    policyCancel: 'policy.cancel',
    /** `{}` -> `{wires}`: the servers for clients of LeRobot, openpi and GR00T. */
    wireList: 'wire.list',
    controllerList: 'controller.list',
    controllerStart: 'controller.start',
    controllerStop: 'controller.stop',
    leaseState: 'lease.state',
    leaseTake: 'lease.take',
    leaseRenew: 'lease.renew',
    leaseReturn: 'lease.return',
    teleopCommand: 'teleop.command',
    estopState: 'estop.state',
    estopEngage: 'estop.engage',
    estopRelease: 'estop.release',
  },
  runtime: {
    status: 'runtime.status',
    intentSubmit: 'intent.submit',
    runBriefs: 'run.briefs',
    runCancel: 'run.cancel',
    approvalList: 'approval.list',
    approvalAnswer: 'approval.answer',
    grantInstall: 'grant.install',
    inferPlan: 'infer.plan',
    planCancel: 'infer.plan_cancel',
    chatOpen: 'infer.chat_open',
    chatNext: 'infer.chat_next',
    chatCancel: 'infer.chat_cancel',
  },
  memory: {
    status: 'memory.status',
    query: 'lake.query',
    read: 'lake.read',
    readNext: 'lake.read_next',
    readClose: 'lake.read_close',
    sync: 'lake.sync',
    rebuild: 'lake.rebuild',
  },
  link: { status: 'link.status', sync: 'link.sync' },
} as const;

/** Broadcast topics. */
export const TOPICS = {
  /** A log grew: `{lastSeq}`; readers may look at once instead of at their next poll. */
  logGrew: 'log.grew',
  /** A cell came up or went down: `readonly CellReport[]`, one per cell; told by the supervisor. */
  cellState: 'cell.state',
  /** The configuration was read anew: `ConfigChange`; for what a running cell can take. Told by the supervisor. */
  configChanged: 'config.changed',
  /** The emergency stop was engaged: `EStopState`. Told by the execution cell. */
  stopEngaged: 'estop.engaged',
  /** A lease above the rank of an agent is being taken: `Takeover`. Sent by the execution cell before motions end. */
  leaseTaken: 'lease.taken',
  /** Other policies are in force: `{sha256}`. */
  policyChanged: 'policy.changed',
} as const;

/** `config` is the whole configuration as the daemon read it; each cell knows its own part of it. */
export type ConfigChange = { readonly sections: readonly string[]; readonly config: unknown };

export type SegmentInfo = {
  readonly bag: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly messages: number;
  readonly repaired: boolean;
};

export type ExecutionStatus = {
  readonly ready: boolean;
  readonly source: { readonly kind: string; readonly connected: boolean; readonly reason: string };
  readonly robot: RobotState | undefined;
  readonly health: RobotHealth;
  /** Undefined where the robot has no arm. */
  readonly arm: ArmState | undefined;
  /** Share of map cells known, 0 to 1, where the robot has a map. */
  readonly mapCoverage: number | undefined;
  readonly messagesPerSecond: number;
  readonly ledger: readonly LedgerLine[];
  readonly received: number;
  readonly written: number;
  readonly dropped: number;
  readonly recorder: {
    readonly state: 'recording' | 'failed' | 'off';
    readonly reason: string;
    readonly segments: readonly SegmentInfo[];
    readonly bytes: number;
  };
  readonly control: {
    readonly hz: number;
    readonly ticks: number;
    readonly starved: number;
    readonly refused: number;
    readonly policy: string;
  };
  readonly zenoh: { readonly driver: string; readonly connected: boolean; readonly reason: string };
  readonly routes?: readonly RouteStatus[];
  /** Quality of service that did not fit or was not kept, where the robot is reached by ROS. */
  readonly qosEvents?: readonly {
    readonly topic: string;
    readonly direction: 'in' | 'out';
    readonly kind: string;
    readonly count: number;
  }[];
  readonly degraded: readonly string[];
  /** Absent from a cell of before these. `withheld`: commands that did not reach the robot because of the stop. */
  readonly estop?: EStopState;
  readonly lease?: LeaseView;
  readonly withheld?: number;
};

export type RuntimeStatus = {
  readonly ready: boolean;
  readonly runs: readonly RunState[];
  /** Those that take intents. */
  readonly apps: readonly string[];
  /** The others, each with the reason. */
  readonly refused?: Readonly<Record<string, string>>;
  readonly phase: Readonly<Record<string, string>>;
  readonly load?: RunLoad;
};

export type MemoryStatus = {
  readonly ready: boolean;
  readonly lake: LakeInfo | undefined;
  readonly lag: Readonly<Record<string, number>>;
  readonly reason: string;
};
export type LinkStatus = {
  readonly ready: boolean;
  readonly state: 'off' | 'connected' | 'disconnected';
  readonly reason: string;
  /** `sent`: last sequence that central acknowledged; `fault`: why this lane stands still until a person looked. */
  readonly lanes: Readonly<
    Record<string, { readonly sent: number; readonly last: number; readonly fault?: string }>
  >;
  /** Orders from central, where they are taken: those that wait here, and runs whose end is still to be told. */
  readonly downlink?: {
    readonly state: 'connected' | 'disconnected';
    readonly reason: string;
    readonly waiting: number;
    readonly open: number;
  };
};

/** Body of `approval.list`, and of `approval.answer`: rejects as `ApprovalApi.answer` does. */
export type ApprovalQuery = { readonly all?: boolean };
export type ApprovalAnswer = {
  readonly approvalId: string;
  readonly decision: 'allow' | 'deny';
  readonly who: PolicyContext;
  readonly reason: string;
};

/** Body of `recorder.clip`: what happened from `preMs` before now to `postMs` after; absent: as configured. */
export type ClipRequest = {
  /** Who asks: `api`, `ros`, `agent`, the name of a condition. */
  readonly trigger: string;
  readonly reason: string;
  /** Last part of the name of its bag; absent: the trigger. */
  readonly name?: string;
  /** UUIDv7 that the clip gets. Asked again under the same id, it is the same clip. */
  readonly clipId?: string;
  readonly preMs?: number;
  readonly postMs?: number;
  /** Answer only when the clip is whole; else as soon as it is sure to come, also through a power cut. */
  readonly wait?: boolean;
};
export type ClipInfo = {
  readonly clip_id: string;
  /** The recording that is, or will be, the clip. */
  readonly bag: string;
  readonly state: 'recording' | 'whole';
  readonly trigger: string;
  readonly reason: string;
  readonly trigger_ns: string;
  /** The span asked for. */
  readonly from_ns: string;
  readonly to_ns: string;
  readonly messages: number;
  readonly bytes: number;
  /** Its file, relative to the data directory, and the hash of it; once it is whole. */
  readonly path?: string;
  readonly sha256?: string;
};

/** Body of `episode.start`, `episode.stop` and `episode.relabel`; `episode_id` absent: the one that is recorded. */
export type EpisodeOrder = {
  readonly episode_id?: string;
  readonly label?: string;
  readonly success?: boolean;
};
/** Body of `episode.discard`. */
export type EpisodeDiscard = { readonly episode_id?: string; readonly reason: string };
export type EpisodeInfo = {
  readonly episode_id: string;
  readonly bag: string;
  readonly state: 'recording' | 'whole';
  readonly label: string;
  readonly success?: boolean;
  /** Of the first and the last message; `0` while there is none. */
  readonly start_ns: string;
  readonly end_ns: string;
  readonly messages: number;
  readonly bytes: number;
  /** Relative to the data directory. */
  readonly segments: readonly { readonly path: string; readonly sha256: string }[];
};

/** Which method of the execution cell does which motion. */
export const MOTION_METHODS = {
  navigate: METHODS.execution.robotNavigate,
  maneuver: METHODS.execution.robotManeuver,
  follow: METHODS.execution.armFollow,
  gripper: METHODS.execution.armGripper,
} as const satisfies Readonly<Record<MotionKind, string>>;

/** Body of `robot.navigate`, `robot.maneuver`, `arm.follow`, `arm.gripper`: `motionId` lets `robot.cancel` name it. */
export type MotionRequest<G> = {
  readonly motionId: string;
  readonly goal: G;
  /** The run that moves; its stop ends this motion. */
  readonly run?: string;
  /** W3C trace context of the call that this motion serves. */
  readonly traceparent?: string;
};

/** Body of `robot.cancel`: settles when that motion has settled; an unknown motion is no error. */
export type CancelRequest = { readonly motionId: string; readonly reason: string };

/** Body of `link.sync`: settles when everything logged by now is acknowledged, or with what is by the deadline. */
export type LinkSyncRequest = { readonly timeoutMs?: number };

/** Answer of `link.sync`; `behind`: events that were logged when it was asked and are not acknowledged yet. */
export type LinkSyncReply = LinkStatus & { readonly behind: number };

/**
 * Body of `robot.stop` (everything that moves) and of `arm.stop`. With `run` only the motions of that run end. `role`:
 * the rank of the caller, a person's where it is absent; it decides whose lease the stop ends.
 */
export type StopRequest = { readonly reason: string; readonly run?: string; readonly role?: LeaseRole };

/** Body of `look.image`: the newest picture of a camera; absent topic: the only one there is, or the first by name. */
export type ImageRequest = {
  readonly topic?: string;
  /** Raw pictures are made smaller before they travel, never below this, pixels of the longer side. */
  readonly sideMax: number;
};

/**
 * Answer of `look.image`. `time` is that of the picture and `newest` the newest time of any sample, both by the
 * clock of the samples: their difference is the age. Rejects with `robot.not_supported` (no camera, or an encoding
 * that nobody reads) and `robot.unreachable` (no picture yet).
 */
export type ImageReply = {
  readonly topic: string;
  readonly topics: readonly string[];
  readonly encoding: string;
  readonly frame: string;
  readonly time: bigint;
  readonly newest: bigint;
  /** Of the camera, before it was made smaller; undefined for a compressed picture. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
  readonly picture: Picture;
  /** Of a depth picture: what its brightest and darkest known pixels mean, metres. Black is unknown. */
  readonly depth?: { readonly near: number; readonly far: number };
};

/** Body of `look.scan`, and its answer: the newest sensor_msgs/LaserScan as it travelled. Rejects as `look.image`. */
export type ScanRequest = { readonly topic?: string };
export type ScanReply = {
  readonly topic: string;
  readonly topics: readonly string[];
  readonly time: bigint;
  readonly newest: bigint;
  readonly bytes: Uint8Array;
};

/** Body of `intent.submit`; the answer is a `RunBrief`. The request is checked raw by the runtime. */
export type IntentSubmit = { readonly request: unknown; readonly context: PolicyContext };

/** Body of `run.briefs`: these runs, or the newest `limit` of all. Unknown ones are left out of the answer. */
export type RunBriefsRequest = {
  readonly runIds?: readonly string[];
  readonly limit?: number;
  /** Only runs of this tenant; absent: of all. */
  readonly tenant?: string;
  /** The run that this key opened, of a principal or of whoever came from there, if it is among the newest. */
  readonly key?: { readonly tenant: string; readonly idempotency_key: string } & (
    | Pick<PolicyContext, 'principal'>
    | Pick<PolicyContext, 'origin'>
  );
};

/** Body of `run.cancel`; with `of`, only a run that this principal opened. The answer is a `RunBrief`. */
export type RunCancel = {
  readonly runId: string;
  readonly reason: string;
  readonly of?: Pick<PolicyContext, 'tenant' | 'principal'>;
};

/** A run as other cells and those behind them see it; names as on the wire. */
export type RunBrief = {
  readonly run_id: string;
  readonly intent_id: string;
  readonly type: string;
  readonly status: RunStatus;
  readonly phase?: string;
  readonly reason: string;
  readonly score?: number;
  readonly summary?: Readonly<Record<string, unknown>>;
  readonly error?: ErrorBody;
  /** W3C trace context of the run, for whoever goes on with its trace. */
  readonly traceparent?: string;
  /** Only in the answer of `intent.submit`: the idempotency key had opened this run before. */
  readonly duplicate?: boolean;
};

/**
 * Body of `infer.plan`: `ask` is a `PlanAsk`, checked raw by the runtime; the plan is made and not carried out. The
 * answer is a `PlanReply` by `deadlineMs`. Rejects with `schema.invalid`, `model.failed`, `model.unavailable`,
 * `deadline.exceeded`, `policy.denied`, `quota.exceeded`, `run.limit`, `cell.unavailable`.
 */
export type InferPlan = {
  readonly ask: unknown;
  readonly context: PolicyContext;
  readonly deadlineMs: number;
  /** Name under which `infer.plan_cancel` (`{callId, reason}`) ends it; it rejects with `run.cancelled` then. */
  readonly callId?: string;
  readonly traceparent?: string;
};
export type PlanReply = {
  readonly run_id: string;
  readonly plan: Plan;
  readonly model: string;
  readonly model_id: string;
  /** Steps that were not needed, and why. */
  readonly dropped: readonly { readonly subgoal: string; readonly reason: string }[];
};
