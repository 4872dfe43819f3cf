import { ACTION_SOURCES } from '../../contract/core.ts';
import { type ControllerInputRow, readControllerInput, showControllerInput } from './controller-input.ts';
import { type KeyFault, type NamedRows, type RowFault, readNamedRows } from './named-rows.ts';
import {
  choice,
  flag,
  integer,
  type KeySpec,
  number,
  quantity,
  type RowOf,
  tables,
  text,
  texts,
} from './spec.ts';

/** Controllers of one daemon, and numbers of one action. */
const CONTROLLERS_MAX = 16;
const RESERVED: ReadonlySet<string> = new Set(ACTION_SOURCES);
const DIMENSION_MAX = 64;
/** A speed that is not renewed within 300 ms is followed by zeros (`LIMITS.COMMAND_EXPIRY_MS`). */
const SPEED_RATE_MIN = 4;

/** Rows of `[[controllers]]`: their keys, defaults and meaning. */
export const CONTROLLER_ROW_KEYS = {
  name: text('', 'name of the controller: for who starts it, and in the log', {
    match: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    expected: 'a name of letters, digits, dot, dash, underscore',
  }),
  rate: quantity('frequency', '50 Hz', 'control steps per second', { min: 1, max: 500 }),
  policy: text('', 'of [[policies]]; empty: the first'),
  output: text('', 'topic of the commands', { match: /^(|\/\S{1,255})$/, expected: '"/name"' }),
  kind: choice(
    ['positions', 'velocities', 'twist'],
    'positions',
    'what an action is: of joints (std_msgs/Float64MultiArray), or forward and turning speed of a base (geometry_msgs/Twist)',
  ),
  stamped: flag(false, 'kind twist: geometry_msgs/TwistStamped'),
  joints: texts([], 'what the numbers of an action are, in their order; kind twist: none'),
  state: text('/joint_states', 'sensor_msgs/JointState that the gate judges by', {
    match: /^\/\S{1,255}$/,
    expected: '"/name"',
  }),
  state_age_max: quantity('duration', '200 ms', 'measured joints older than this are not known', {
    min: 1,
    max: 60_000,
  }),
  inputs: tables<ControllerInputRow>('what the policy is shown: [[controllers.inputs]]', readControllerInput),
  aggregation: choice(
    ['weighted_average', 'latest_only', 'average', 'conservative', 'temporal_ensemble'],
    'weighted_average',
    'what becomes of an action for which a newer one came, by the names of LeRobot',
  ),
  ensemble_coefficient: number(0.01, 'of temporal_ensemble: above 0 older predictions count more', -10, 10),
  threshold: number(0.5, 'share of a chunk that is left when the next is asked for', 0, 1),
  horizon: integer(0, 'actions taken of one chunk; 0: as many as the measured path asks for', {
    min: 0,
    max: 1_024,
  }),
  horizon_max: quantity(
    'duration',
    '1 s',
    'no action is used later than this after the observation that it is made from',
    { min: 10, max: 60_000 },
  ),
  outside_max: number(
    2,
    'an action further outside of its limits than this many times their range refuses its chunk',
    0,
    1_000,
  ),
  blend: flag(true, 'a chunk that comes late takes over gradually, over as many steps as it was late'),
  interpolate: flag(true, 'between two positions of a policy that is slower than the controller'),
  timeout: quantity('duration', '2 s', 'one question to the policy', { min: 1, max: 60_000 }),
  starvation: choice(
    ['hold', 'decelerate', 'retract'],
    'hold',
    'what happens in a step for which there is no action',
  ),
  decelerate: quantity('duration', '300 ms', 'starvation decelerate: to standing in this time', {
    min: 1,
    max: 60_000,
  }),
  retract: numbers('starvation retract: joint positions, in the order of joints'),
  retract_speed: number(0.3, 'starvation retract: of each joint, rad/s or m/s', 0.001, 10),
} as const;

export type ControllerRow = RowOf<typeof CONTROLLER_ROW_KEYS>;

/**
 * The list `[[controllers]]`. Faults are reported row by row (from 0; undefined: the whole list); a row with one is
 * left out.
 */
export function readControllers(body: unknown, fault: RowFault): readonly ControllerRow[] {
  return readNamedRows<ControllerRow>(body, CONTROLLERS, fault);
}

const CONTROLLERS: NamedRows<ControllerRow> = {
  list: 'controllers',
  one: 'controller',
  max: CONTROLLERS_MAX,
  keys: CONTROLLER_ROW_KEYS,
  agree,
};

/** What single keys cannot know of each other. */
function agree(
  { name, rate, output, kind, joints, inputs, starvation, retract }: ControllerRow,
  refuse: KeyFault,
): void {
  if (name === '') refuse('name', '', 'a value');
  if (RESERVED.has(name))
    refuse('name', name, `another name: ${name} is a name that the daemon records under`);
  if (output === '') refuse('output', '', 'the topic of the commands');
  if (inputs.length === 0) refuse('inputs', inputs, 'at least one input: [[controllers.inputs]]');
  if (kind !== 'positions' && rate < SPEED_RATE_MIN) {
    const why = 'a speed that is not renewed within 300 ms is followed by zeros';
    refuse('rate', `${rate} Hz`, `at least ${SPEED_RATE_MIN} Hz beside kind = "${kind}": ${why}`);
  }
  if (kind === 'twist') {
    if (joints.length > 0) refuse('joints', joints, 'none beside kind = "twist"');
    if (starvation === 'retract')
      refuse('starvation', starvation, '"hold" or "decelerate" beside kind = "twist"');
    return;
  }
  if (joints.length === 0 || joints.length > DIMENSION_MAX)
    refuse('joints', joints, `1 to ${DIMENSION_MAX} names, one for each number of an action`);
  if (new Set(joints).size !== joints.length) refuse('joints', joints, 'names that differ');
  if (starvation !== 'retract') return;
  if (kind === 'velocities') refuse('starvation', starvation, '"hold" or "decelerate" beside velocities');
  if (retract.length !== joints.length)
    refuse('retract', retract, `${joints.length} positions, one for each joint`);
}

/** The rows as a person would write them, for `config show`. */
export function showControllers(): string[] {
  const lines = Object.entries(CONTROLLER_ROW_KEYS).flatMap(([key, { about, shown }]) =>
    key === 'inputs'
      ? [`# ${about}, each:`, ...showControllerInput()]
      : [`# ${about}`, `# ${key} = ${shown}`],
  );
  return ['# [[controllers]]: what becomes of the actions of policies; any number of them', ...lines, ''];
}

function numbers(about: string): KeySpec<readonly number[]> {
  return {
    kind: 'numbers',
    fallback: [],
    shown: '[]',
    about,
    fromText: (raw) => raw.split(',').map(Number),
    read: (value) =>
      Array.isArray(value) && value.every((one) => typeof one === 'number' && Number.isFinite(one))
        ? { ok: true, value: value as number[] }
        : { ok: false, expected: 'a list of numbers' },
  };
}
