import { parseArgs } from 'node:util';
import type { Pace } from './protocol.ts';

export const USAGE = `usage: node sim/host.ts --socket PATH [--seed N] [--width N] [--height N]
  [--pace lockstep|realtime] [--speed N|max]    serve the robot at a unix socket
       node sim/host.ts --world arm --socket PATH [--seed N] [--camera-hz N] …   serve the arm
       node sim/host.ts --draw [--seed N] …     print its maze and leave`;

/** Mazes above this take longer to load than a cell waits. */
const CELLS_MAX = 40;
/** A slower world would look stopped to its client. */
const SPEED_MIN = 0.05;
const SPEED_MAX = 1000;

export type HostArguments = {
  readonly world: 'maze' | 'arm';
  /** Images per second of each camera; only the arm has cameras. */
  readonly cameraHz: number;
  /** Where to listen; undefined to draw the maze and leave. */
  readonly socket: string | undefined;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly pace: Pace;
  /** Times real time; `Infinity` for `max`. */
  readonly speed: number;
};

/** Throws an Error that names the argument, what was found and what is expected. */
export function parseHostArguments(args: readonly string[]): HostArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      socket: { type: 'string' },
      draw: { type: 'boolean', default: false },
      world: { type: 'string', default: 'maze' },
      'camera-hz': { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      width: { type: 'string', default: '10' },
      height: { type: 'string', default: '10' },
      pace: { type: 'string', default: 'lockstep' },
      speed: { type: 'string', default: 'max' },
    },
  });
  if (values.socket === undefined && !values.draw) throw new Error('--socket is missing');
  if (values.pace !== 'lockstep' && values.pace !== 'realtime') {
    throw new Error(`--pace must be lockstep or realtime, found ${values.pace}`);
  }
  if (values.world !== 'maze' && values.world !== 'arm') {
    throw new Error(`--world must be maze or arm, found ${values.world}`);
  }
  return {
    world: values.world,
    cameraHz: whole(values['camera-hz'], '--camera-hz', 0, 100),
    socket: values.draw ? undefined : values.socket,
    seed: whole(values.seed, '--seed', 0, 2 ** 32 - 1),
    width: whole(values.width, '--width', 2, CELLS_MAX),
    height: whole(values.height, '--height', 2, CELLS_MAX),
    pace: values.pace,
    speed: speedOf(values.speed),
  };
}

function whole(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, found ${text}`);
}

function speedOf(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= SPEED_MIN && value <= SPEED_MAX) return value;
  throw new Error(`--speed must be max or a number from ${SPEED_MIN} to ${SPEED_MAX}, found ${text}`);
}
