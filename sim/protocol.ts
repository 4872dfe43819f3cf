import { EdgeError, fromWireTime, LIMITS, type Nanoseconds, toWireTime } from '../contract/core.ts';
import type { Referee } from './hosted-world.ts';
import { ROBOT, WINDOW_NS } from './robot-model.ts';
import { CMD_VEL, SIM_TOPICS } from './topics.ts';

/**
 * Control messages between the simulated robot ("host") and its one client, as `CONTROL` frames of
 * `formats/sample-frame.ts` beside the samples. Host to client: `hello` once, first; then per window its samples,
 * `referee` when it changed, and `tick`. Client to host: `tock` with the time of the tick; in lockstep the
 * commands sent before it are those of the next window.
 */
export type Pace = 'lockstep' | 'realtime';

/** What the robot says about itself. Metres, radians, seconds. */
export type RobotDescription = {
  readonly robot: string;
  /** Changes when the host process is another one: simulation time then started again. */
  readonly instance: string;
  readonly seed: number;
  readonly pace: Pace;
  readonly commandExpiryMs: number;
  readonly windowMs: number;
  /** Only of a robot that drives; the lidar is in `base_link`. */
  readonly base?: {
    readonly footprintRadius: number;
    readonly linearMax: number;
    readonly angularMax: number;
    readonly frames: { readonly base: string; readonly odom: string; readonly laser: string };
    readonly laser: { readonly x: number; readonly y: number; readonly yaw: number };
  };
  /** Types by topic: what it publishes, and what it obeys. */
  readonly publishes: Readonly<Record<string, string>>;
  readonly obeys: Readonly<Record<string, string>>;
};

export type RefereeState = Referee & { readonly time: Nanoseconds };

export type HostMessage =
  | { readonly kind: 'hello'; readonly time: Nanoseconds; readonly description: RobotDescription }
  | { readonly kind: 'tick'; readonly time: Nanoseconds; readonly lost: Readonly<Record<string, number>> }
  | { readonly kind: 'referee'; readonly state: RefereeState }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };

export function describeRobot(instance: string, seed: number, pace: Pace): RobotDescription {
  const { frames, laser } = ROBOT;
  return {
    robot: ROBOT.name,
    instance,
    seed,
    pace,
    commandExpiryMs: LIMITS.COMMAND_EXPIRY_MS,
    windowMs: Number(WINDOW_NS) / 1e6,
    base: {
      footprintRadius: ROBOT.radius,
      linearMax: ROBOT.linearMax,
      angularMax: ROBOT.angularMax,
      frames: { base: frames.base, odom: frames.odom, laser: frames.laser },
      laser: { x: laser.x, y: laser.y, yaw: laser.yaw },
    },
    publishes: Object.fromEntries(Object.values(SIM_TOPICS).map(({ topic, type }) => [topic, type])),
    obeys: { [CMD_VEL.topic]: CMD_VEL.type },
  };
}

export function helloMessage(time: Nanoseconds, description: RobotDescription): unknown {
  return { kind: 'hello', time_ns: toWireTime(time), description };
}

/** `lost`: samples by topic that were dropped since the connection started, because the client was slow. */
export function tickMessage(time: Nanoseconds, lost: Readonly<Record<string, number>>): unknown {
  return { kind: 'tick', time_ns: toWireTime(time), lost };
}

export function refereeMessage(time: Nanoseconds, referee: Referee): unknown {
  return {
    kind: 'referee',
    time_ns: toWireTime(time),
    reached_exit: referee.reachedExit,
    collisions: referee.collisions,
    hardest_collision_mps: referee.hardestCollision,
    refused_commands: referee.refusedCommands,
  };
}

export function faultMessage(code: string, message: string): unknown {
  return { kind: 'fault', code, message };
}

export function tockMessage(time: Nanoseconds): unknown {
  return { kind: 'tock', time_ns: toWireTime(time) };
}

/** The time of a tock; undefined for any other message. Throws `sample.malformed`. */
export function parseTock(value: unknown): Nanoseconds | undefined {
  const message = record(value, 'message');
  return message['kind'] === 'tock' ? time(message['time_ns']) : undefined;
}

/** Undefined for a kind that this client does not know: a newer host may say more. Throws `sample.malformed`. */
export function parseHostMessage(value: unknown): HostMessage | undefined {
  const message = record(value, 'message');
  switch (message['kind']) {
    case 'hello':
      return {
        kind: 'hello',
        time: time(message['time_ns']),
        description: parseDescription(message['description']),
      };
    case 'tick':
      return { kind: 'tick', time: time(message['time_ns']), lost: counts(message['lost']) };
    case 'referee':
      return { kind: 'referee', state: parseReferee(message) };
    case 'fault':
      return {
        kind: 'fault',
        code: text(message['code'], 'code'),
        message: text(message['message'], 'message'),
      };
    default:
      return undefined;
  }
}

function parseReferee(message: Readonly<Record<string, unknown>>): RefereeState {
  return {
    time: time(message['time_ns']),
    reachedExit: message['reached_exit'] === true,
    collisions: number(message['collisions'], 'collisions'),
    hardestCollision: number(message['hardest_collision_mps'], 'hardest_collision_mps'),
    refusedCommands: number(message['refused_commands'], 'refused_commands'),
  };
}

function parseDescription(value: unknown): RobotDescription {
  const given = record(value, 'description');
  return {
    robot: text(given['robot'], 'robot'),
    instance: text(given['instance'], 'instance'),
    seed: number(given['seed'], 'seed'),
    pace: given['pace'] === 'realtime' ? 'realtime' : 'lockstep',
    commandExpiryMs: number(given['commandExpiryMs'], 'commandExpiryMs'),
    windowMs: number(given['windowMs'], 'windowMs'),
    ...(given['base'] === undefined ? {} : { base: parseBase(given['base']) }),
    publishes: texts(given['publishes'], 'publishes'),
    obeys: texts(given['obeys'], 'obeys'),
  };
}

function parseBase(value: unknown): NonNullable<RobotDescription['base']> {
  const given = record(value, 'base');
  const frames = record(given['frames'], 'frames');
  const laser = record(given['laser'], 'laser');
  return {
    footprintRadius: number(given['footprintRadius'], 'footprintRadius'),
    linearMax: number(given['linearMax'], 'linearMax'),
    angularMax: number(given['angularMax'], 'angularMax'),
    frames: {
      base: text(frames['base'], 'frames.base'),
      odom: text(frames['odom'], 'frames.odom'),
      laser: text(frames['laser'], 'frames.laser'),
    },
    laser: {
      x: number(laser['x'], 'laser.x'),
      y: number(laser['y'], 'laser.y'),
      yaw: number(laser['yaw'], 'laser.yaw'),
    },
  };
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw malformed(`${name} must be an object`);
}
function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw malformed(`${name} must be a string`);
}
function number(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw malformed(`${name} must be a number`);
}
function time(value: unknown): Nanoseconds {
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return fromWireTime(value);
  throw malformed('time_ns must be nanoseconds as decimal text');
}
function texts(value: unknown, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record(value, name)).map(([key, part]) => [key, text(part, name)]),
  );
}
function counts(value: unknown): Record<string, number> {
  return Object.fromEntries(
    Object.entries(record(value, 'lost')).map(([key, part]) => [key, number(part, 'lost')]),
  );
}
function malformed(message: string): EdgeError {
  return new EdgeError('sample.malformed', { operation: 'read-control', subject: 'simulation', message });
}
