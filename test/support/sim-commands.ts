import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const FILE = 'TEST_SIM_COMMANDS';
/** An arm that is told to stay where it is sags by less, radians or metres. */
const ARM_STANDS = 0.02;

/** A velocity command as it reached the simulator, metres and radians per second, whoever sent it. */
export type SimCommand = {
  /** Of this host. */
  readonly atMs: number;
  /** Of the world, seconds: on a busy host it goes slower than asked. */
  readonly worldS: number;
  readonly linear: number;
  readonly angular: number;
};

/** Variables of a daemon whose simulator writes down each command that reaches it. */
export function notingCommands(path: string): Readonly<Record<string, string>> {
  return { [FILE]: path, NODE_OPTIONS: `--import=${pathToFileURL(import.meta.filename).href}` };
}

/** Those so far, in order. */
export function simCommands(path: string): readonly SimCommand[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [atMs, worldS, linear, angular] = line.split(' ').map(Number) as [number, number, number, number];
    return { atMs, worldS, linear, angular };
  });
}

/** Those that made the robot move. */
export function movingCommands(path: string): readonly SimCommand[] {
  return simCommands(path).filter(({ linear, angular }) => linear !== 0 || angular !== 0);
}

// This file is loaded into every process of the daemon; only the simulator has something to write down.
const file = process.env[FILE];
if (file !== undefined && process.argv[1]?.endsWith('sim/host.ts')) {
  const { Simulation } = await import('../../sim/simulation.ts');
  const command = Simulation.prototype.command;
  Simulation.prototype.command = function (twist) {
    const worldS = Number(this.time) / 1e9;
    appendFileSync(file, `${Date.now()} ${worldS} ${twist.linear} ${twist.angular}\n`);
    return command.call(this, twist);
  };
  // An arm is commanded by places of its joints: how far off the farthest is stands where the base has its speed.
  const { ArmSimulation } = await import('../../sim/arm/arm-simulation.ts');
  const place = ArmSimulation.prototype.command;
  ArmSimulation.prototype.command = function (positions) {
    const off = Math.max(0, ...this.positions.map((now, i) => Math.abs((positions[i] ?? now) - now)));
    if (off > ARM_STANDS) appendFileSync(file, `${Date.now()} 0 ${off} 0\n`);
    return place.call(this, positions);
  };
}
