import { randomUUID } from 'node:crypto';
import { fstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { EdgeError } from '../contract/index.ts';
import { HostServer } from './host-server.ts';
import { generateMaze } from './maze.ts';
import { drawMaze } from './maze-drawing.ts';
import { describeRobot, type Pace } from './protocol.ts';
import { Simulation } from './simulation.ts';

/** Entry of the process that is the simulated robot: `node sim/host.ts --socket PATH [--seed 1] …`. */
const USAGE = `usage: node sim/host.ts --socket PATH [--seed N] [--width N] [--height N]
  [--pace lockstep|realtime] [--speed N|max]    serve the robot at a unix socket
       node sim/host.ts --draw [--seed N] …     print its maze and leave`;

type Options = {
  readonly socket: string | undefined;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly pace: Pace;
  readonly speed: number;
};

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      draw: { type: 'boolean', default: false },
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
  return {
    socket: values.draw ? undefined : values.socket,
    seed: whole(values.seed, '--seed', 0, 2 ** 32 - 1),
    width: whole(values.width, '--width', 2, 40),
    height: whole(values.height, '--height', 2, 40),
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
  if (text === 'max') return Infinity;
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= 0.05 && value <= 1000) return value;
  throw new Error(`--speed must be max or a number from 0.05 to 1000, found ${text}`);
}

/** A socket file that nobody listens at is what a killed host left behind; one in use is refused by `listen`. */
function sweep(path: string): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve();
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
      resolve();
    });
  });
}

/** A pipe at standard input belongs to whoever started this; when it ends, they are gone. */
function onOrphaned(end: () => void): void {
  const input = fstatSync(0);
  if (!input.isFIFO() && !input.isSocket()) return;
  process.stdin.on('end', end);
  process.stdin.on('error', end);
  process.stdin.resume();
}

async function serve(options: Options, socket: string): Promise<void> {
  const simulation = await Simulation.create(options.seed, options);
  const description = describeRobot(randomUUID(), options.seed, options.pace);
  const { pace, speed } = options;
  const server = new HostServer({ simulation, description, pace, speed, clock: new SystemClock() });
  const end = () => {
    server.close();
    process.exit(0);
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  onOrphaned(end);
  await sweep(socket);
  // The robot obeys whoever connects, so nobody but this user may.
  process.umask(0o077);
  await server.listen(socket);
  await server.run();
}

try {
  const options = readOptions();
  if (options.socket === undefined) process.stdout.write(drawMaze(generateMaze(options.seed, options)));
  else await serve(options, options.socket);
} catch (error) {
  const usage = error instanceof EdgeError ? '' : `\n${USAGE}`;
  process.stderr.write(`sim: ${error instanceof Error ? error.message : String(error)}${usage}\n`);
  process.exit(error instanceof EdgeError ? 1 : 64);
}
