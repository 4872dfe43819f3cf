import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Pose2d } from '../../contract/index.ts';

const FILE = 'TEST_SIM_TRUTH';

/** Where the robot of the simulator truly is, metres and radians in the frame of the maze. */
export type SimTruth = { readonly pose: Pose2d; readonly bumps: number };

/** Variables of a daemon whose simulator writes down where its robot truly is. */
export function notingTruth(path: string): Readonly<Record<string, string>> {
  return { [FILE]: path, NODE_OPTIONS: `--import=${pathToFileURL(import.meta.filename).href}` };
}

/** As of the last change; undefined: the simulator has not started, or is writing. */
export function simTruth(path: string): SimTruth | undefined {
  if (!existsSync(path)) return undefined;
  const numbers = readFileSync(path, 'utf8').split(' ').map(Number);
  const [x, y, yaw, bumps, end] = numbers as [number, number, number, number, number];
  return end === 1 ? { pose: { x, y, yaw }, bumps } : undefined;
}

/** `to` as seen from `from`: metres forward and to the left, radians counter-clockwise. */
export function movedBy(from: Pose2d, to: Pose2d): { forward: number; left: number; turned: number } {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const [cos, sin] = [Math.cos(from.yaw), Math.sin(from.yaw)];
  const turn = to.yaw - from.yaw;
  return {
    forward: dx * cos + dy * sin,
    left: dy * cos - dx * sin,
    turned: Math.atan2(Math.sin(turn), Math.cos(turn)),
  };
}

// This file is loaded into every process of the daemon; only the simulator has something to write down.
const file = process.env[FILE];
if (file !== undefined && process.argv[1]?.endsWith('sim/host.ts')) {
  const { Simulation } = await import('../../sim/simulation.ts');
  const window = Simulation.prototype.window;
  let last = '';
  Simulation.prototype.window = function () {
    const samples = window.call(this);
    const { x, y, yaw } = this.truth.pose;
    const shown = [x, y, yaw].map((value) => value.toFixed(4));
    const line = [...shown, this.referee.collisions, 1].join(' ');
    if (line !== last) writeFileSync(file, line);
    last = line;
    return samples;
  };
}
