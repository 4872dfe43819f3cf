import type * as cells from './bodies/cells.ts';
import type { BodyOf } from './bodies/kit.ts';
import type * as lake from './bodies/lake.ts';
import type * as disks from './bodies/link-disk.ts';
import type * as motions from './bodies/motion.ts';
import type * as recordings from './bodies/recording.ts';
import type * as runs from './bodies/runs.ts';
import type { MotionKind } from './motion/goals.ts';

/**
 * Methods that cells answer, by the cell that answers. Bodies travel by structured clone (bigint and typed
 * arrays survive) and are typed here, so both sides agree. Robot motions are long: the caller passes a timeout.
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
    /** `{}` -> `{path}`: the unix socket on which live data is served; it is opened where it is not yet. */
    attachOpen: 'attach.open',
    rosGraph: 'ros.graph',
    rosCall: 'ros.call',
    rosGoalSend: 'ros.goal_send',
    rosGoalView: 'ros.goal_view',
    rosGoalCancel: 'ros.goal_cancel',
    rosParams: 'ros.params',
    rosLifecycle: 'ros.lifecycle',
    rosTf: 'ros.tf',
    topicList: 'topic.list',
    topicNext: 'topic.next',
    topicPublish: 'topic.publish',
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
    move: 'lake.move',
    recall: 'recall.ask',
    recallAgain: 'recall.again',
    recallStatus: 'recall.status',
    recallRebuild: 'recall.rebuild',
  },
  link: {
    status: 'link.status',
    sync: 'link.sync',
    diskOpen: 'link.disk_open',
    diskNext: 'link.disk_next',
    diskPiece: 'link.disk_piece',
    diskSign: 'link.disk_sign',
    diskReceipts: 'link.disk_receipts',
  },
} as const;

/** Broadcast topics. */
export const TOPICS = {
  /** A log grew: `{lastSeq}`; readers may look at once instead of at their next poll. */
  logGrew: 'log.grew',
  /** A cell came up or went down: `readonly CellReport[]`, one per cell; sent by the supervisor. */
  cellState: 'cell.state',
  /** The configuration was read again: `ConfigChange`; for what a running cell can take. Sent by the supervisor. */
  configChanged: 'config.changed',
  /** The emergency stop was engaged: `EStopState`. Sent by the execution cell. */
  stopEngaged: 'estop.engaged',
  /** The robot was ordered to stop, by whatever way: `StopNews`. Sent by the execution cell in the turn of the stop. */
  robotStopped: 'robot.stopped',
  /** A lease above the rank of an agent is being taken: `Takeover`. Sent by the execution cell before motions end. */
  leaseTaken: 'lease.taken',
  /** The policies in force have changed: `{sha256}`. */
  policyChanged: 'policy.changed',
} as const;

/**
 * `atMs`: when the order reached the execution cell, by `Clock.monotonicMs`. `run`: the run whose agent gave it; of what was
 * wanted before, by others than this run, it refuses only what moves. Absent: it refuses all of it.
 */
export type StopNews = { readonly atMs: number; readonly run?: string };

/** `config` is the whole configuration as the daemon read it; each cell knows its own part of it. */
export type ConfigChange = { readonly sections: readonly string[]; readonly config: unknown };

export type SegmentInfo = BodyOf<typeof recordings.SegmentInfo>;

export type ExecutionStatus = BodyOf<typeof cells.ExecutionStatus>;

export type RuntimeStatus = BodyOf<typeof cells.RuntimeStatus>;

export type MemoryStatus = BodyOf<typeof lake.MemoryStatus>;
export type LinkStatus = BodyOf<typeof lake.LinkStatus>;

/** Body of `approval.list`, and of `approval.answer`: rejects as `ApprovalApi.answer` does. */
export type ApprovalQuery = BodyOf<typeof runs.ApprovalQuery>;
export type ApprovalAnswer = BodyOf<typeof runs.ApprovalAnswer>;

/** Body of `recorder.clip`: the time from `preMs` before now to `postMs` after it; absent: as configured. */
export type ClipRequest = BodyOf<typeof recordings.ClipRequest>;
export type ClipInfo = BodyOf<typeof recordings.ClipInfo>;

/** Body of `episode.start`, `episode.stop` and `episode.relabel`; `episode_id` absent: the one that is recorded. */
export type EpisodeOrder = BodyOf<typeof recordings.EpisodeOrder>;
/** Body of `episode.discard`. */
export type EpisodeDiscard = BodyOf<typeof recordings.EpisodeDiscard>;
export type EpisodeInfo = BodyOf<typeof recordings.EpisodeInfo>;

/** Which method of the execution cell does which motion. */
export const MOTION_METHODS = {
  navigate: METHODS.execution.robotNavigate,
  maneuver: METHODS.execution.robotManeuver,
  follow: METHODS.execution.armFollow,
  gripper: METHODS.execution.armGripper,
} as const satisfies Readonly<Record<MotionKind, string>>;

/** The call that does a motion. */
export type MotionCall<K extends MotionKind = MotionKind> = (typeof MOTION_METHODS)[K];

/** Body of `robot.navigate`, `robot.maneuver`, `arm.follow`, `arm.gripper`: `motionId` lets `robot.cancel` name it. */
export type MotionRequest<G> = {
  readonly motionId: string;
  readonly goal: G;
  /** The run that moves; its stop ends this motion. */
  readonly run?: string;
  /** Principal of the request at the API. */
  readonly by?: string;
  /** W3C trace context of the call that this motion serves. */
  readonly traceparent?: string;
};

/** Body of `robot.cancel`: settles when that motion has settled; an unknown motion is no error. */
export type CancelRequest = BodyOf<typeof motions.CancelRequest>;

/** Body of `link.sync`: settles when everything logged before it is acknowledged, at the latest at the deadline. */
export type LinkSyncRequest = BodyOf<typeof lake.LinkSyncRequest>;

/** Answer of `link.sync`; `behind`: events that were logged before the request and are not acknowledged yet. */
export type LinkSyncReply = BodyOf<typeof lake.LinkSyncReply>;

/** An export to a removable disk, in steps. */
export type DiskOpenRequest = BodyOf<typeof disks.DiskOpenRequest>;
export type DiskOpened = BodyOf<typeof disks.DiskOpened>;
export type DiskNext = BodyOf<typeof disks.DiskNext>;
export type DiskLeft = BodyOf<typeof disks.DiskLeft>;
export type DiskPieceRequest = BodyOf<typeof disks.DiskPieceRequest>;
export type DiskSignRequest = BodyOf<typeof disks.DiskSignRequest>;
export type DiskReceiptsTaken = BodyOf<typeof disks.DiskReceiptsTaken>;

/** Body of `robot.stop` (everything that moves) and of `arm.stop`. */
export type StopRequest = BodyOf<typeof motions.StopRequest>;
/** The answer to a stop: facts for the caller besides success. */
export type StopWarnings = BodyOf<typeof motions.StopWarnings>;

/** Body of `look.image`: the newest image of a camera, as a JPEG in the blob store; absent topic: the only one there is, or the first by name. */
export type ImageRequest = BodyOf<typeof recordings.ImageRequest>;

/**
 * Answer of `look.image`. `time` is that of the image and `newest` the newest time of any sample, both by the
 * clock of the samples: their difference is the age. Rejects with `robot.not_supported` (no camera, or an encoding
 * that is not supported) and `robot.unreachable` (no image yet).
 */
export type ImageReply = BodyOf<typeof recordings.ImageReply>;

/** Body of `look.scan`, and its answer: the newest sensor_msgs/LaserScan as it travelled. Rejects as `look.image`. */
export type ScanRequest = BodyOf<typeof recordings.ScanRequest>;
export type ScanReply = BodyOf<typeof recordings.ScanReply>;

/** Body of `intent.submit`; the answer is a `RunBrief`. The request is checked raw by the runtime. */
export type IntentSubmit = BodyOf<typeof runs.IntentSubmit>;

/** Body of `run.briefs`: these runs, or the newest `limit` of all. Unknown ones are left out of the answer. */
export type RunBriefsRequest = BodyOf<typeof runs.RunBriefsRequest>;

/** Body of `run.cancel`; with `of`, only a run that this principal opened. The answer is a `RunBrief`. */
export type RunCancel = BodyOf<typeof runs.RunCancel>;

/** A run as shown to other cells and their clients; names as on the wire. */
export type RunBrief = BodyOf<typeof runs.RunBrief>;

/**
 * Body of `infer.plan`: the plan is made and not carried out. The answer is a `PlanReply` by `deadlineMs`. Rejects with `schema.invalid`, `model.failed`, `model.unavailable`,
 * `deadline.exceeded`, `policy.denied`, `quota.exceeded`, `run.limit`, `cell.unavailable`.
 */
export type InferPlan = BodyOf<typeof runs.InferPlan>;
export type PlanReply = BodyOf<typeof runs.PlanReply>;
