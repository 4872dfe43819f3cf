import { METHODS } from '../../contract/index.ts';
import type { Rig } from './http-rig.ts';
import { uuid } from './tiny-log.ts';

export const executionStatus = {
  ready: true,
  source: { kind: 'sim', connected: true, reason: '' },
  robot: {
    time: 12_000_000_000n,
    pose: { x: 1, y: 2, yaw: 0.5 },
    twist: { linear: 0.2, angular: 0 },
    battery: undefined,
    distance: 3.5,
    bumps: 0,
    motion: 'moving',
    connected: true,
    signals: {},
  },
  health: { battery: undefined, diagnostics: [], joints: {} },
  arm: undefined,
  mapCoverage: 0.25,
  messagesPerSecond: 120,
  ledger: [{ topic: '/scan', received: 10, written: 8, dropped: { queue_full: 2 } }],
  received: 10,
  written: 8,
  dropped: 2,
  recorder: { state: 'recording', reason: '', segments: [], bytes: 1000 },
  control: { hz: 20, ticks: 40, starved: 1, refused: 0, policy: 'onnx' },
  zenoh: { driver: 'native', connected: true, reason: '' },
  qosEvents: [
    { topic: '/scan', direction: 'in', kind: 'incompatible', count: 3 },
    { topic: '/cmd_vel', direction: 'out', kind: 'deadline', count: 2 },
  ],
  degraded: [],
};

/** An answer of the right shape for whatever the API asks of other cells. */
export function answerAll(rig: Rig): void {
  const { execution, memory, link } = METHODS;
  const answer = (value: unknown, ...methods: string[]) => {
    for (const method of methods) rig.answers.set(method, async () => value);
  };
  answer(
    undefined,
    execution.robotStop,
    execution.robotMap,
    execution.episodeDiscard,
    execution.armStop,
    execution.robotCancel,
  );
  answer([], execution.recordSeal);
  answer(executionStatus, execution.status);
  answer(ESTOP, execution.estopState, execution.estopEngage, execution.estopRelease);
  answer(LEASE, execution.leaseState, execution.leaseTake, execution.leaseRenew, execution.leaseReturn);
  answer(undefined, execution.teleopCommand);
  answer(CLIP, execution.clipRecord);
  answer([CLIP], execution.clipList);
  answer(EPISODE, execution.episodeStart, execution.episodeStop, execution.episodeRelabel);
  answer([EPISODE], execution.episodeList);
  answer(PLAY, execution.bagPlay, execution.bagPlayState, execution.bagPlayStop, execution.bagPlayControl);
  answer({ bag: 'bag', segments: [] }, execution.bagAdopt);
  answer(MOTION, execution.robotNavigate, execution.robotManeuver, execution.armFollow, execution.armGripper);
  const joint = { position: 0.1, velocity: undefined, effort: 2 };
  answer({ time: 1n, joints: { joint }, motion: 'idle', connected: true }, execution.armState);
  const figure = {
    motion: 'idle',
    connected: true,
    joints: [{ name: 'joint', kind: 'turns', position: 0.1 }],
  };
  answer(
    { ...figure, frame: 'base_link', points: [{ link: 'tool', x: 0, y: 0, z: 1 }], reason: '' },
    execution.armFigure,
  );
  answer({ nodes: [], topics: [], services: [], actions: [], qosEvents: [] }, execution.rosGraph);
  answer({ sum: 3n }, execution.rosCall);
  answer(GOAL, execution.rosGoalSend, execution.rosGoalView);
  answer({ cancelled: true }, execution.rosGoalCancel);
  answer({ refused: {} }, execution.rosParams);
  answer({ state: 'active' }, execution.rosLifecycle);
  answer({ frames: [] }, execution.rosTf);
  const odom = { topic: '/odom', type: 'nav_msgs/msg/Odometry' };
  answer({ topics: [{ ...odom, hz: 20, latched: false, readable: true }] }, execution.topicList);
  answer(
    { sample: { ...odom, stamp: 1n, received: 2n, bytes: 8, message: { sum: 3 } } },
    execution.topicNext,
  );
  answer({ bytes: 8 }, execution.topicPublish);
  answer([CONTROLLER], execution.controllerList, execution.controllerStop);
  answer(CONTROLLER, execution.controllerStart);
  answer({ policies: [POLICY] }, execution.policyList);
  answer(POLICY, execution.policyReload, execution.policyDescribe);
  answer({ chunk: CHUNK }, execution.policyInfer);
  answer({ cancelled: false }, execution.policyCancel);
  answer({ wires: [WIRE] }, execution.wireList);
  answer({ columns: [], rows: [], truncated: false, reason: '', bytes: 0, cut: 0 }, memory.query);
  answer({ projected: {} }, memory.rebuild);
  answer({ ready: true, lake: undefined, lag: {}, reason: '' }, memory.status);
  const moved = { to: 'embedded', state: 'done', slices: 0, of: 0, copied: 0, reason: '', tables: [] };
  answer(moved, memory.move);
  answer(undefined, memory.recallRebuild);
  answer(RECALLED, memory.recall);
  answer(RECALL_AGAIN, memory.recallAgain);
  answer({ open: true, texts: 1, waiting: 0, model: '', why: 'no model', notes: [] }, memory.recallStatus);
  answer({ ready: true, state: 'connected', reason: '', lanes: {} }, link.status);
  answer({ ready: true, state: 'connected', reason: '', lanes: {}, behind: 0 }, link.sync);
  answer({ session: uuid(1), robot: 'robot', events: 1, files: 0, file_bytes: 0 }, link.diskOpen);
  answer({ state: 'end', left: [] }, link.diskNext);
  answer({ bytes: new Uint8Array([1]) }, link.diskPiece);
  answer({ manifest: new Uint8Array([1]) }, link.diskSign);
  answer({ lanes: [], files: 0, known: 0, foreign: 0, refused: [], refused_more: 0 }, link.diskReceipts);
}

const FOUND = {
  ...{ how: 'words', why: 'no model', model: '', modelSha256: '', waiting: 0, unread: 0, notes: [] },
  texts: [
    {
      id: `note:${uuid(1)}`,
      kind: 'note',
      sha256: 'a'.repeat(64),
      score: 1,
      at: '1',
      source: 'x',
      text: 'x',
    },
  ],
  sha256: 'b'.repeat(64),
};
const RECALLED = { recallId: uuid(2), at: '1', ...FOUND };
const RECALL_AGAIN = {
  recorded: {
    ...{ ...RECALLED, question: 'x', kinds: ['note'], limit: 1, tenant: 'local', principal: 'ada' },
    runId: undefined,
  },
  ...{ same: true, differences: [], now: FOUND },
};

const ESTOP = { engaged: false, since_ns: '', source: '', by: '', reason: '' };
const LEASE = {
  state: 'held',
  lease_id: 1,
  holder: 'vera',
  role: 'teleoperation',
  priority: 50,
  remaining_ms: 900,
};

const CONTROLLER = {
  name: 'arm',
  policy: 'pick',
  policy_hash: 'a'.repeat(64),
  hz: 50,
  state: 'running',
  reason: '',
  steps: 10,
  starved: 1,
  clamped: 2,
  refused: 0,
  stale: { joints: Number.POSITIVE_INFINITY },
  chunks: 3,
  turned_down: { late: 2 },
  inference_p50_ms: 2,
  inference_p99_ms: 3,
  late_p99_ms: 0.1,
  late_max_ms: 0.2,
  late_net_p99_ms: 0.1,
  scheduling: 'fifo',
};

const POLICY = {
  name: 'pick',
  hash: 'a'.repeat(64),
  inputs: { state: [7] },
  output: [16, 7],
  stepMs: 50,
  kind: 'onnx',
  state: 'ready',
  reason: '',
  sessions: 1,
  waiting: 0,
  calls: 1,
  failures: 0,
  p50Ms: 1,
  p99Ms: 2,
};

const CHUNK = {
  actions: { shape: [1, 2], data: Float32Array.of(0.5, 1) },
  stepMs: 50,
  stamp: 1n,
  policyHash: 'a'.repeat(64),
};

const WIRE = {
  wire: 'openpi',
  host: '127.0.0.1',
  port: 8000,
  clients: 0,
  questions: 0,
  failures: 0,
  refused: 0,
};

const CLIP = {
  clip_id: uuid(1),
  bag: 'clip',
  state: 'whole',
  trigger: 'api',
  reason: '',
  trigger_ns: '1',
  from_ns: '0',
  to_ns: '1',
  messages: 0,
  bytes: 0,
};

const EPISODE = {
  episode_id: uuid(2),
  bag: 'episode',
  state: 'whole',
  label: '',
  start_ns: '0',
  end_ns: '0',
  messages: 0,
  bytes: 0,
  segments: [],
};

const PLAY = {
  play_id: '1',
  path: '/x',
  to: 'bus',
  state: 'finished',
  messages: 1,
  published: 1,
  position_s: 1,
  duration_s: 1,
  rate: 1,
  loops: 0,
  withheld: [],
  reason: '',
};

const MOTION = {
  outcome: 'reached',
  pose: undefined,
  distance: 0,
  durationMs: 1,
  time: 1n,
  message: '',
};

const GOAL = {
  goalId: '0'.repeat(32),
  action: '/navigate',
  type: 'nav2_msgs/action/NavigateToPose',
  state: 'running',
  reason: '',
  feedbackSeq: 0,
  feedback: [],
};
