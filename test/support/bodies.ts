import type {
  Approval,
  ClipInfo,
  ControllerView,
  GrantView,
  MotionResult,
  RobotState,
} from '../../contract/index.ts';

/** Whole answers of calls between cells, with what a test says about them. */

export const robotState = (said: Partial<RobotState> = {}): RobotState => ({
  time: 1n,
  pose: { x: 0, y: 0, yaw: 0 },
  twist: { linear: 0, angular: 0 },
  battery: undefined,
  distance: 0,
  bumps: 0,
  motion: 'idle',
  connected: true,
  signals: {},
  ...said,
});

export const motionResult = (said: Partial<MotionResult> = {}): MotionResult => ({
  outcome: 'reached',
  pose: undefined,
  distance: 0,
  durationMs: 1,
  time: 1n,
  message: '',
  ...said,
});

export const controllerView = (said: Partial<ControllerView> = {}): ControllerView => ({
  name: 'arm',
  policy: 'pick',
  policy_hash: 'a'.repeat(64),
  hz: 50,
  state: 'running',
  reason: '',
  steps: 0,
  starved: 0,
  clamped: 0,
  refused: 0,
  stale: {},
  chunks: 0,
  turned_down: {},
  inference_p50_ms: undefined,
  inference_p99_ms: undefined,
  late_p99_ms: undefined,
  late_max_ms: undefined,
  late_net_p99_ms: undefined,
  scheduling: 'other',
  ...said,
});

export const clipInfo = (said: Partial<ClipInfo> = {}): ClipInfo => ({
  clip_id: '01a2028d-0d9d-7000-8508-bc3e19789001',
  bag: 'clip',
  state: 'whole',
  trigger: 'agent',
  reason: '',
  trigger_ns: '1',
  from_ns: '0',
  to_ns: '2',
  messages: 3,
  bytes: 100,
  path: 'bags/clip/clip_0.mcap',
  sha256: 'ab'.repeat(32),
  ...said,
});

export const approvalView = (said: Partial<Approval> = {}): Approval => ({
  approval_id: '0190a000-0000-7000-8000-000000000001',
  run_id: undefined,
  point: 'tool',
  subject: 'robot.navigate',
  reason: '',
  facts: {},
  tenant: 'local',
  principal: 'agent',
  asked_ts: '1',
  expires_ts: '2',
  state: 'allowed',
  by: 'central/bo',
  roles: [],
  ...said,
});

export const grantView = (said: Partial<GrantView> = {}): GrantView => ({
  grant_id: 'g1',
  tenant: 'local',
  principal: 'agent',
  roles: [],
  robots: [],
  issued_ts: '1',
  expires_ts: '2',
  state: 'live',
  left_ms: 1,
  ...said,
});
