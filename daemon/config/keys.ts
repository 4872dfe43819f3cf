import { DEFAULT_QOS, LIMITS, type Qos, SENSOR_QOS, type TriggerSpec } from '../../contract/core.ts';
import { A2A_KEYS } from './a2a.ts';
import { APPS_KEYS } from './apps.ts';
import { FOXGLOVE_KEYS, ROSBRIDGE_KEYS } from './attach.ts';
import { COSMOS_KEYS } from './cosmos.ts';
import { DATASET_KEYS } from './datasets.ts';
import { ENGINE_KEYS } from './engine.ts';
import { ESTOP_KEYS } from './estop.ts';
import { GATE_KEYS } from './gate.ts';
import { POLICY_KEYS } from './governance.ts';
import { INFERENCE_KEYS } from './inference.ts';
import { INTENT_KEYS } from './intents.ts';
import { lakeKeys } from './lake.ts';
import { LEASE_KEYS } from './lease.ts';
import { linkKeys } from './link.ts';
import { MCP_KEYS } from './mcp.ts';
import { MODEL_KEYS } from './models.ts';
import { PLANNING_KEYS } from './planning.ts';
import { RECALL_KEYS } from './recall.ts';
import { RUNS_KEYS } from './runs.ts';
import { RUNTIMES_KEYS } from './runtimes.ts';
import { SERVE_KEYS } from './serve.ts';
import {
  type ConfigOf,
  choice,
  flag,
  integer,
  type KeySpec,
  patterns,
  quantity,
  type Spec,
  tables,
  text,
  texts,
} from './spec.ts';
import { TELEMETRY_KEYS } from './telemetry.ts';
import { TOOLS_KEYS } from './tools.ts';
import { readTrigger } from './trigger-row.ts';
import { ACCESS_KEYS, DELIVERY_KEYS, DOWNSAMPLING_KEYS, rowReader, SIZE_LIMIT_KEYS } from './zenoh-rules.ts';

export type RosTopic = {
  readonly topic: string;
  readonly type: string;
  readonly direction: 'in' | 'out';
  readonly qos: Qos;
};

const secretFile = (about: string) =>
  text('', `${about}: a path, or credential:NAME for a systemd credential`);

/** Whole names only: one that stands for many would let foreign web pages in under names of their own. */
function hostNames(about: string): KeySpec<readonly string[]> {
  const spec = texts([], about, {
    match: /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i,
    expected: 'names of hosts without scheme and port, for example ["robot7.local"]',
  });
  return {
    ...spec,
    read(value) {
      const names = spec.read(value);
      return names.ok ? { ok: true, value: names.value.map((name) => name.toLowerCase()) } : names;
    },
  };
}

/** Every key of the configuration file, its default and what it means. `auraison config show` prints this. */
export const CONFIG_SPEC = {
  daemon: {
    name: text('robot', 'name of this robot: in logs, at central, in Zenoh keys', {
      match: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      expected: 'a name of letters, digits, dot, dash, underscore',
    }),
    data_dir: text(
      '',
      'where bags, events and the lakehouse live; empty: $STATE_DIRECTORY, else the XDG data directory',
    ),
    cells: choice(['forked', 'inline'], 'forked', 'one process per cell, or all in one'),
    log_level: choice(['debug', 'info', 'warn', 'error'], 'info', 'least level that is logged'),
  },
  api: {
    host: text('127.0.0.1', 'address the API listens on; loopback unless you know better'),
    port: integer(7601, 'port of the API; 0 picks a free one', { min: 0, max: 65535 }),
    host_names: hostNames(
      'names by which clients and reverse proxies address this robot, besides IP addresses and localhost',
    ),
    auth: choice(['token', 'none'], 'token', 'none is allowed on loopback only'),
    token_file: secretFile('token of the API; empty: created in the data directory'),
    take_config: flag(
      false,
      'operators may take a configuration from the console; with it they choose programs that this daemon starts',
    ),
  },
  robot: {
    source: choice(
      ['sim', 'ros', 'ros_zenoh', 'none'],
      'sim',
      'where the robot is; ros_zenoh: ROS nodes on rmw_zenoh, without ROS on this host',
    ),
    navigator: choice(
      ['builtin', 'nav2'],
      'builtin',
      'who finds the way: the control loop of this daemon, or Nav2 on the robot (source = "ros")',
    ),
    speed_max: quantity('speed', '0.46 m/s', 'fastest forward command', { max: 10 }),
    turn_max: quantity('angular_speed', '1.9 rad/s', 'fastest turn command', { max: 20 }),
    radius: quantity('length', '0.17 m', 'radius of the footprint, for planning', { min: 0.01, max: 5 }),
    sensor_age_max: quantity('duration', '500 ms', 'a scan or odometry older than this stops the robot'),
    clock: choice(
      ['shared', 'own'],
      'shared',
      'the clock that stamps scans and odometry: that of this host or synchronised with it; own: neither, see docs/safety.md',
    ),
    harmless: patterns(
      [],
      'topics, services and actions of the robot that move nothing, though their types do not say so; docs/routes.md',
    ),
  },
  arm: {
    enabled: flag(
      false,
      'the robot has an arm behind ros2_control (source = "ros"); that of sim.world = "arm" needs no such key',
    ),
    controller: text(
      'joint_trajectory_controller/follow_joint_trajectory',
      'FollowJointTrajectory action; in the namespace without a leading slash',
    ),
    gripper: text('', 'GripperCommand or ParallelGripperCommand action; empty: no gripper'),
    gripper_joint: text('', 'joint of the gripper, for controllers that want its name'),
    joints: texts([], 'joints of the controller, in its order'),
    joint_states: text('joint_states', 'sensor_msgs/JointState of the arm'),
  },
  sim: {
    world: choice(['maze', 'arm'], 'maze', 'a robot in a maze, or an arm at its table'),
    camera_rate: integer(10, 'images per second of each camera of the arm; 0: none', { min: 0, max: 100 }),
    seed: integer(1, 'seed of maze and noise, or of the starts of the arm', { min: 0, max: 4_294_967_295 }),
    width: integer(10, 'maze cells along x', { min: 2, max: 40 }),
    height: integer(10, 'maze cells along y', { min: 2, max: 40 }),
    pace: choice(['lockstep', 'realtime'], 'lockstep', 'lockstep repeats exactly; realtime runs freely'),
    speed: text('max', 'times real time, or max', {
      match: /^(max|\d+(\.\d+)?)$/,
      expected: '"max" or a number in quotes, for example "10"',
    }),
  },
  control: {
    rate: quantity('frequency', '20 Hz', 'control steps per second', { min: 1, max: 500 }),
    policy: choice(
      ['onnx', 'pursuit'],
      'onnx',
      'driving policy: the trained network, or the analytic follower',
    ),
    model: text('', 'path of an ONNX driving policy; empty: the one that comes with the maze application'),
    real_time: integer(10, 'priority of the controllers by SCHED_FIFO, where the host grants it; 0: none', {
      min: 0,
      max: 20,
    }),
  },
  estop: ESTOP_KEYS,
  lease: LEASE_KEYS,
  gate: GATE_KEYS,
  recorder: {
    enabled: flag(true, 'record every sample'),
    bag: text('', 'name of the recording; empty: one per start, named by time', {
      match: /^[A-Za-z0-9._-]{0,128}$/,
      expected: 'a file name',
    }),
    segment_size: quantity('size', '256 MiB', 'a segment is sealed at this size', { min: 1024 }),
    segment_duration: quantity('duration', '5 min', 'a segment is sealed at this age', { min: 100 }),
    sync_interval: quantity('duration', '200 ms', 'at most this much is lost on a power cut', {
      min: 1,
      max: 60_000,
    }),
    free_space_floor: quantity('size', '256 MiB', 'recording pauses when the disk has less'),
    mode: choice(
      ['continuous', 'ring', 'episode'],
      'continuous',
      'record all the time, keep only the last while and clips of it, or only from start to stop of an episode',
    ),
    compression: choice(['none', 'zstd', 'lz4'], 'none', 'of chunks, in a thread of its own'),
    quota: quantity('size', '0 B', 'all recordings together; the oldest go first; 0 B: no limit'),
    evict_unsynced: flag(false, 'a quota may delete what central has not acknowledged'),
    ring_duration: quantity('duration', '60 s', 'the ring keeps this much', { min: 1_000 }),
    ring_size: quantity('size', '1 GiB', 'the ring is never larger than this', { min: 65_536 }),
    clip_pre: quantity('duration', '10 s', 'a clip starts this long before its trigger', {
      max: LIMITS.CLIP_SPAN_MS_MAX,
    }),
    clip_post: quantity('duration', '5 s', 'a clip ends this long after its trigger', {
      max: LIMITS.CLIP_SPAN_MS_MAX,
    }),
    clip_service: text('/record_clip', 'ROS service (std_srvs/Trigger) that records a clip; empty: none', {
      match: /^(|\/[A-Za-z_][A-Za-z0-9_/]*)$/,
      expected: 'a service name with a leading slash, or ""',
    }),
    triggers: tables<TriggerSpec>('conditions that record a clip: [[recorder.triggers]]', readTrigger),
  },
  blobs: {
    quota: quantity(
      'size',
      '0 B',
      'images and long answers that events name, all together; those not put for longest go first; 0 B: no limit',
    ),
  },
  log: {
    keep: quantity(
      'duration',
      '90 d',
      'events older than this go from the logs, once they are in the lake and are no longer needed; 0 s: none does',
    ),
    max_bytes: quantity(
      'size',
      '2 GiB',
      'what one log may take; then its oldest events go in the same way; 0 B: any',
    ),
    archive: flag(false, 'what goes is written to events/archive as compressed JSON lines before'),
  },
  lake: lakeKeys(secretFile),
  recall: RECALL_KEYS,
  zenoh: {
    enabled: flag(true, 'open a Zenoh session and serve queryables'),
    driver: choice(
      ['auto', 'native', 'remote'],
      'auto',
      'auto: the native driver, and without it a remote-api bridge that answers at remote_url',
    ),
    remote_url: text('ws://127.0.0.1:10000', 'WebSocket of a zenoh-bridge-remote-api', {
      match: /^wss?:\/\/.+$/,
      expected: 'a ws or wss address',
    }),
    mode: choice(
      ['router', 'peer', 'client'],
      'peer',
      'router lets others connect to this robot without zenohd',
    ),
    listen: texts([], 'endpoints, for example ["tcp/127.0.0.1:7447"]'),
    connect: texts([], 'endpoints of other routers or peers'),
    bulk_connection: flag(
      false,
      'values of priority data_low and background go over a connection of their own: for slow links',
    ),
    prefix: text('', 'before every key of this robot, for example "fleet/robot-7"'),
    shared_memory: quantity(
      'size',
      '64 MiB',
      'pool for large values to readers on this host, taken from /dev/shm when needed; "0 B": no shared memory',
    ),
    tls_ca: secretFile('certificate of the authority for tls/ endpoints (PEM)'),
    tls_certificate: secretFile('certificate of this robot (PEM)'),
    tls_key: secretFile('private key of that certificate (PEM)'),
    tls_mutual: flag(true, 'who connects by TLS must show a certificate of the authority'),
    tls_verify_name: flag(
      true,
      'the certificate of the other side must be for the host that is connected to',
    ),
    access_default: choice(['allow', 'deny'], 'deny', 'what no rule is about, where there are rules'),
    access: tables('who may do what: [[zenoh.access]]', rowReader(ACCESS_KEYS)),
    downsampling: tables('fewer values over a link: [[zenoh.downsampling]]', rowReader(DOWNSAMPLING_KEYS)),
    size_limits: tables('no large values over a link: [[zenoh.size_limits]]', rowReader(SIZE_LIMIT_KEYS)),
    delivery: tables('priority and congestion by key: [[zenoh.delivery]]', rowReader(DELIVERY_KEYS)),
  },
  ros: {
    domain_id: integer(-1, 'ROS domain; -1: that of ROS_DOMAIN_ID, else 0', { min: -1, max: 232 }),
    namespace: text('', 'namespace of topics without a leading slash'),
    cmd_vel: text('/cmd_vel', 'velocity commands of the robot'),
    cmd_vel_stamped: flag(false, 'the robot listens to TwistStamped, as many do from Jazzy on'),
    use_sim_time: flag(
      false,
      'the robot is simulated: the node follows /clock, samples are received by its time, how late they come is not known',
    ),
    discover: texts(
      [],
      'topics bridged as they appear in the graph, by patterns, for example ["/**"]; * is one part of a name, ** any',
    ),
    deny: texts([], 'topics that discovery leaves alone, by patterns'),
    definitions: texts(
      [],
      'folders with .msg, .srv and .action files of types that are not built in (source = "ros_zenoh")',
    ),
    topics: tables<RosTopic>('topics bridged from ROS; none: scan, odom, tf of a TurtleBot', readTopic),
  },
  link: linkKeys(secretFile),
  inference: INFERENCE_KEYS,
  intents: INTENT_KEYS,
  policy: POLICY_KEYS,
  mcp: MCP_KEYS,
  a2a: A2A_KEYS,
  model: MODEL_KEYS,
  engine: ENGINE_KEYS,
  cosmos: COSMOS_KEYS,
  planning: PLANNING_KEYS,
  telemetry: TELEMETRY_KEYS,
  serve: SERVE_KEYS,
  foxglove: FOXGLOVE_KEYS,
  rosbridge: ROSBRIDGE_KEYS,
  apps: APPS_KEYS,
  tools: TOOLS_KEYS,
  dataset: DATASET_KEYS,
  runs: {
    auto_start: text('', 'intent type that is sent once at start; empty: none'),
    ...RUNS_KEYS,
  },
  runtimes: RUNTIMES_KEYS,
} as const satisfies Spec;

export type Config = ConfigOf<typeof CONFIG_SPEC>;

/** Times of the quality of service of a topic, as they are written and as the contract names them. */
const TIMES = [
  ['deadline', 'deadlineMs'],
  ['lifespan', 'lifespanMs'],
  ['liveliness_lease', 'livelinessLeaseMs'],
] as const;
const QOS_TIME = quantity('duration', '1 s', 'a time of the quality of service', { min: 1, max: 86_400_000 });

function readTopic(
  row: Record<string, unknown>,
): { ok: true; value: RosTopic } | { ok: false; expected: string } {
  const allowed = [
    ...['topic', 'type', 'direction', 'reliability', 'durability', 'history', 'depth'],
    ...['deadline', 'lifespan', 'liveliness', 'liveliness_lease'],
  ];
  const stranger = Object.keys(row).find((key) => !allowed.includes(key));
  if (stranger !== undefined)
    return { ok: false, expected: `only the keys ${allowed.join(', ')}, not "${stranger}"` };
  const { topic, type, direction = 'in', reliability, durability, history, depth } = row;
  if (typeof topic !== 'string' || !topic.startsWith('/')) return { ok: false, expected: 'topic = "/name"' };
  if (typeof type !== 'string' || !/^\w+\/msg\/\w+$/.test(type))
    return { ok: false, expected: 'type = "package/msg/Type"' };
  if (direction !== 'in' && direction !== 'out') return { ok: false, expected: 'direction = "in" or "out"' };
  if (direction === 'out' && type !== 'geometry_msgs/msg/Twist') {
    return {
      ok: false,
      expected: 'type = "geometry_msgs/msg/Twist" with direction = "out": the velocity command',
    };
  }
  const base = reliability === 'best_effort' ? SENSOR_QOS : DEFAULT_QOS;
  const qos = { ...base };
  if (reliability !== undefined && reliability !== 'reliable' && reliability !== 'best_effort')
    return { ok: false, expected: 'reliability = "reliable" or "best_effort"' };
  if (durability !== undefined && durability !== 'volatile' && durability !== 'transient_local')
    return { ok: false, expected: 'durability = "volatile" or "transient_local"' };
  if (history !== undefined && history !== 'keep_last' && history !== 'keep_all')
    return { ok: false, expected: 'history = "keep_last" or "keep_all"' };
  if (
    depth !== undefined &&
    !(Number.isSafeInteger(depth) && (depth as number) > 0 && (depth as number) <= 100_000)
  )
    return { ok: false, expected: 'depth = a whole number from 1 to 100000' };
  const { liveliness } = row;
  if (liveliness !== undefined && liveliness !== 'automatic' && liveliness !== 'manual_by_topic')
    return { ok: false, expected: 'liveliness = "automatic" or "manual_by_topic"' };
  const times: Record<string, number> = {};
  for (const [key, field] of TIMES) {
    const given = row[key];
    if (given === undefined) continue;
    const read = QOS_TIME.read(given);
    if (!read.ok) return { ok: false, expected: `${key} = ${read.expected}` };
    times[field] = read.value;
  }
  return {
    ok: true,
    value: {
      topic,
      type,
      direction,
      qos: {
        reliability: (reliability as Qos['reliability'] | undefined) ?? qos.reliability,
        durability: (durability as Qos['durability'] | undefined) ?? qos.durability,
        history: (history as Qos['history'] | undefined) ?? qos.history,
        depth: (depth as number | undefined) ?? qos.depth,
        ...(liveliness === undefined ? {} : { liveliness }),
        ...times,
      },
    },
  };
}
