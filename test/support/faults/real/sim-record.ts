import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Entry } from '../record.ts';

const FILE = 'TEST_SIM_RECORD';
/** A robot does not vanish with the computer that drives it: it goes on for so long, milliseconds. */
const OUTLIVES_MS = 10_000;

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
    .map((line) => {
      const entry = JSON.parse(line) as Entry;
      // JSON has no infinity: a trajectory moves all joints, whatever it says.
      return entry.kind === 'command'
        ? { ...entry, values: entry.values.map((one) => one ?? Infinity) }
        : entry;
    });
}

// This file is loaded into every process of the daemon; only the simulator has something to write down.
const file = process.env[FILE];
if (file !== undefined && process.argv[1]?.endsWith('sim/host.ts')) {
  outlive();
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

  if (process.argv.includes('arm') || process.argv.includes('--world=arm')) await recordArm(write);
}

/** The simulator ends when its standard input does; here it ends later. */
function outlive(): void {
  const input = process.stdin;
  const on = input.on.bind(input);
  input.on = (event: string, listen: (...args: never[]) => void) =>
    event === 'end' ? on('end', () => setTimeout(listen, OUTLIVES_MS)) : on(event, listen as () => void);
}

/** Set points of all joints, and how fast each of them truly is. */
async function recordArm(write: (entry: Entry) => void): Promise<void> {
  const { HostedArm } = await import('../../../../sim/arm/hosted-arm.ts');
  const { ARM_COMMAND } = await import('../../../../sim/arm/arm-topics.ts');
  const { decodeFloat64MultiArray } = await import('../../../../formats/cdr/index.ts');
  const { obey, window } = HostedArm.prototype;
  HostedArm.prototype.obey = function (sample) {
    const refused = obey.call(this, sample) ?? '';
    const isList = sample.topic === ARM_COMMAND.topic;
    const values = isList ? [...decodeFloat64MultiArray(sample.bytes)] : [Number.POSITIVE_INFINITY];
    write({ kind: 'command', atMs: hostMs(), worldMs: Number(this.time / 1_000n) / 1e3, values, refused });
    return refused === '' ? undefined : refused;
  };
  HostedArm.prototype.window = function () {
    const samples = window.call(this);
    const speeds = [...this.simulation.physics.velocities()];
    write({
      kind: 'state',
      atMs: hostMs(),
      worldMs: Number(this.time / 1_000n) / 1e3,
      speeds,
      collisions: 0,
    });
    return samples;
  };
}
