import { Type } from 'typebox';
import type { DROP_REASONS } from '../drop-reasons.ts';
import { ROUTE_STATES } from '../route-states.ts';
import { RUN_STATUSES } from '../run-status.ts';
import { byName, count, flag, list, maybe, measured, nothing, oneOf, reply, text } from './kit.ts';
import { ArmState, JointReading, RobotState } from './motion.ts';
import { SegmentInfo } from './recording.ts';
import { EStopState, LeaseView } from './safety.ts';

const dropped = Type.Unsafe<Readonly<Partial<Record<(typeof DROP_REASONS)[number], number>>>>(byName(count));

/**
 * One line of the loss ledger, for one topic and one hop: received = forwarded + written + the sum of dropped,
 * exact whenever nothing is in flight. A recorder writes, a route forwards.
 */
export const LedgerLine = reply({
  topic: text,
  /** Absent: the recorder. */
  hop: Type.Optional(text),
  received: count,
  forwarded: Type.Optional(count),
  written: count,
  dropped,
});

export const RouteStatus = reply({
  name: text,
  from: text,
  to: text,
  state: oneOf(ROUTE_STATES),
  /** Why, for a person; empty when it is up. */
  reason: text,
  /** Samples and bytes that were passed to the other side. */
  messages: count,
  bytes: count,
  messages_per_second: measured,
  /** Time since the newest sample was passed on, milliseconds; null: none yet. */
  age_ms: Type.Union([measured, Type.Null()]),
  queued: count,
  queued_bytes: count,
  dropped,
  rebuilds: count,
  /** Topics that it carries now. */
  topics: count,
});

/** sensor_msgs/BatteryState; values that the robot does not measure are undefined. */
export const BatteryReading = reply({
  /** 0 to 1. */
  charge: maybe(measured),
  voltage: maybe(measured),
  /** Amperes, negative while it discharges. */
  current: maybe(measured),
  status: oneOf(['unknown', 'charging', 'discharging', 'not_charging', 'full']),
});

export const Diagnostic = reply({
  name: text,
  /** By the levels of diagnostic_msgs/DiagnosticStatus. */
  level: oneOf(['ok', 'warn', 'error', 'stale']),
  message: text,
  hardwareId: text,
});

/** What the robot reports about itself besides its pose. */
export const RobotHealth = reply({
  battery: maybe(BatteryReading),
  /** Worst first, then by name. */
  diagnostics: list(Diagnostic),
  /** Newest joint states by joint name. */
  joints: byName(JointReading),
});

export const ExecutionStatus = reply({
  ready: flag,
  source: reply({ kind: text, connected: flag, reason: text }),
  robot: maybe(RobotState),
  health: RobotHealth,
  /** Undefined where the robot has no arm. */
  arm: maybe(ArmState),
  /** Share of map cells known, 0 to 1, where the robot has a map. */
  mapCoverage: maybe(measured),
  messagesPerSecond: measured,
  ledger: list(LedgerLine),
  received: count,
  written: count,
  dropped: count,
  recorder: reply({
    state: oneOf(['recording', 'failed', 'off']),
    reason: text,
    segments: list(SegmentInfo),
    bytes: count,
  }),
  control: reply({ hz: measured, ticks: count, starved: count, refused: count, policy: text }),
  zenoh: reply({ driver: text, connected: flag, reason: text }),
  routes: Type.Optional(list(RouteStatus)),
  /** Incompatible or missed quality of service, where the robot is reached by ROS. */
  qosEvents: Type.Optional(list(reply({ topic: text, direction: oneOf(['in', 'out']), kind: text, count }))),
  degraded: list(text),
  /** Absent in reports of older cells. */
  estop: Type.Optional(EStopState),
  lease: Type.Optional(LeaseView),
  /** Commands that did not reach the robot because of the stop. */
  withheld: Type.Optional(count),
});

const RunView = reply({
  run_id: text,
  intent_id: text,
  parent_run_id: Type.Optional(text),
  tree_ref: reply({ session_id: text, leaf_id: text }),
  status: oneOf(RUN_STATUSES),
  harness: oneOf(['pi', 'flow', 'remote']),
  attempt: count,
  score: Type.Optional(measured),
});

/** A run whose last events the log refused, as a full disk does. It is not over before the log says so. */
export const UnwrittenRun = reply({
  run_id: text,
  /** How it ended: this is tried again until the log takes it. Absent: the run continues when the log accepts it. */
  end: Type.Optional(oneOf(['succeeded', 'failed', 'cancelled'])),
  since_ts: text,
  tries: count,
  reason: text,
});

/** What runs and waits, and whether agents are held back. */
export const RunLoad = reply({
  active: count,
  waiting: count,
  /** Runs at a time, of all applications together; runs that others asked for do not count. */
  runsMax: count,
  /** Why no further agent starts; undefined: nothing holds them back. */
  held: maybe(text),
  /** What is measured, with its limit; a limit of 0 means no limit. */
  pressure: list(
    reply({
      name: text,
      /** Undefined where it cannot be read here. */
      value: maybe(measured),
      limit: measured,
      unit: text,
    }),
  ),
  /** Paused runs, each with why, for example who took the robot over; absent if no run is paused. */
  paused: Type.Optional(list(reply({ run_id: text, reason: text }))),
  /** Runs that the log refused; absent if the log refused none. */
  unwritten: Type.Optional(list(UnwrittenRun)),
});

export const RuntimeStatus = reply({
  ready: flag,
  runs: list(RunView),
  /** Those that take intents. */
  apps: list(text),
  /** The other rows, each with the reason. */
  refused: Type.Optional(byName(text)),
  phase: byName(text),
  load: Type.Optional(RunLoad),
});

export const STATUS_BODIES = {
  'execution.status': { ask: nothing, reply: ExecutionStatus },
  'runtime.status': { ask: nothing, reply: RuntimeStatus },
} as const;
