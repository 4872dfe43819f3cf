import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Entry } from '../record.ts';

const FILE = 'TEST_SIM_RECORD';

/** The monotonic clock of the host, milliseconds: the same line in every process. */
export const hostMs = () => Number(process.hrtime.bigint()) / 1e6;

/** Variables of a daemon whose simulated base writes down what it is told and how fast it is. */
export function recordingSim(path: string): Readonly<Record<string, string>> {
  return { [FILE]: path, NODE_OPTIONS: `--import=${pathToFileURL(import.meta.filename).href}` };
}

/** What is written so far, in order. */
export function simRecord(path: string): readonly Entry[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);
}

// This file is loaded into every process of the daemon; only the simulator has something to write down.
const file = process.env[FILE];
if (file !== undefined && process.argv[1]?.endsWith('sim/host.ts')) {
  const { Simulation } = await import('../../../../sim/simulation.ts');
  const { command, window } = Simulation.prototype;
  const write = (entry: Entry) => appendFileSync(file, `${JSON.stringify(entry)}\n`);
  const worldMs = (world: { readonly time: bigint }) => Number(world.time / 1_000n) / 1e3;
  Simulation.prototype.command = function (twist) {
    const refused = command.call(this, twist) ?? '';
    const values = [twist.linear, twist.angular];
    write({ kind: 'command', atMs: hostMs(), worldMs: worldMs(this), values, refused });
    return refused === '' ? undefined : refused;
  };
  Simulation.prototype.window = function () {
    const samples = window.call(this);
    const { linear, angular } = this.truth.twist;
    const { collisions } = this.referee;
    write({ kind: 'state', atMs: hostMs(), worldMs: worldMs(this), speeds: [linear, angular], collisions });
    return samples;
  };
}
