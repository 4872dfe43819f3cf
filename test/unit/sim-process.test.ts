import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import { SimRobot } from '../../sim/client.ts';
import { parseHostArguments } from '../../sim/host-options.ts';
import { generateMaze } from '../../sim/maze.ts';
import { drawMaze } from '../../sim/maze-drawing.ts';
import { EPOCH_NS } from '../../sim/robot-model.ts';
import { CMD_VEL, SIM_TOPICS } from '../../sim/topics.ts';
import { Published, script } from '../support/sim-worlds.ts';
import { until } from '../support/until.ts';

const HOST = join(import.meta.dirname, '../../sim/host.ts');
const clock = new SystemClock();

describe('the simulation as a process', () => {
  let folder: string;
  let socket: string;
  const hosts: ChildProcess[] = [];
  const robots: SimRobot[] = [];

  function host(...more: string[]): ChildProcess {
    const args = [HOST, '--socket', socket, '--width', '3', '--height', '3', ...more];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] });
    hosts.push(child);
    return child;
  }
  function robot(): SimRobot {
    const made = new SimRobot({ socket, clock });
    robots.push(made);
    return made;
  }
  const gone = (child: ChildProcess) =>
    until(() => child.exitCode !== null || child.signalCode !== null, 'the process to end');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sim-'));
    socket = join(folder, 'sim.sock');
  });
  afterEach(async () => {
    for (const made of robots.splice(0)) await made.close();
    for (const child of hosts.splice(0)) {
      child.kill('SIGKILL');
      await gone(child);
    }
    rmSync(folder, { recursive: true });
  });

  /** Drives by script for 100 windows and returns the digest of everything received. */
  async function drive(seed: number): Promise<string> {
    const child = host('--seed', String(seed));
    const made = robot();
    const published = new Published();
    const commands = script(7);
    let windows = 0;
    made.onTick((time) => {
      windows++;
      // The hundredth window is the last: its tick is never answered, so nothing more comes.
      if (windows === 100) return new Promise<void>(() => {});
      const { linear, angular } = commands.next().value!;
      const bytes = encodeTwist({ linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } });
      made.offer({ topic: CMD_VEL.topic, type: CMD_VEL.type, stamp: time, received: time, bytes });
      return undefined;
    });
    await made.advertise(CMD_VEL);
    await made.open(
      Object.values(SIM_TOPICS),
      (sample) => published.add(sample),
      () => {},
    );
    await until(() => windows === 100, 'a hundred windows');
    await made.close();
    child.kill('SIGTERM');
    await gone(child);
    expect(child.exitCode).toBe(0);
    expect(published.count).toBeGreaterThan(550);
    return published.digest();
  }

  it('publishes the same bytes for the same seed and commands, process after process', async () => {
    const first = await drive(21);
    expect(await drive(21)).toBe(first);
    expect(await drive(22)).not.toBe(first);
  });

  it('stays through the Ctrl-C of its parent, which reaches it too, and goes with the parent', async () => {
    const child = host();
    const made = robot();
    let ticks = 0;
    made.onTick(() => {
      ticks++;
      return undefined;
    });
    await made.open(
      Object.values(SIM_TOPICS),
      () => {},
      () => {},
    );
    await until(() => ticks > 0, 'the robot to live');
    for (const signal of ['SIGINT', 'SIGHUP'] as const) {
      child.kill(signal);
      const before = ticks;
      await until(
        () => ticks > before + 20 || child.exitCode !== null,
        `the robot to live on after ${signal}`,
      );
      expect([signal, child.exitCode, child.signalCode]).toEqual([signal, null, null]);
    }
    child.stdin!.end();
    await gone(child);
    expect(child.exitCode).toBe(0);
  });

  it('killed without a word: its client says so, and finds the next one by itself', async () => {
    const first = host();
    const made = robot();
    const stamps: bigint[] = [];
    await made.open(
      [SIM_TOPICS.clock],
      (sample) => stamps.push(sample.stamp),
      () => {},
    );
    await until(() => stamps.length > 10, 'samples');
    const instance = made.description()?.instance;
    first.kill('SIGKILL');
    await until(() => !made.state().connected, 'the loss to be noticed');
    expect(made.state().reason).not.toBe('');
    const before = stamps.length;
    // The killed one left its socket file behind.
    expect(statSync(socket).isSocket()).toBe(true);
    host();
    await until(() => stamps.length > before + 10, 'samples of the next one');
    expect(made.description()?.instance).not.toBe(instance);
    expect(stamps[before]).toBe(EPOCH_NS + 50_000_000n);
  });

  it('listens to this user alone, and leaves a socket that is in use to its owner', async () => {
    host();
    const made = robot();
    await made.open(
      [SIM_TOPICS.clock],
      () => {},
      () => {},
    );
    await until(() => made.state().connected, 'the connection');
    expect(statSync(socket).mode & 0o077).toBe(0);
    const second = spawnSync(process.execPath, [HOST, '--socket', socket], { encoding: 'utf8', input: '' });
    expect(second.status).not.toBe(0);
    expect(made.state().connected).toBe(true);
  });

  it('ends with whoever started it', async () => {
    const child = host();
    await until(() => statSync(socket, { throwIfNoEntry: false }) !== undefined, 'it to listen');
    child.stdin?.end();
    await gone(child);
    expect(child.exitCode).toBe(0);
  });

  it('draws its maze, and says what is wrong with its arguments', () => {
    const drawn = execFileSync(
      process.execPath,
      [HOST, '--draw', '--seed', '7', '--width', '4', '--height', '3'],
      { encoding: 'utf8' },
    );
    expect(drawn).toBe(drawMaze(generateMaze(7, { width: 4, height: 3 })));
    const refused: [string[], string][] = [
      [[], '--socket is missing'],
      [
        ['--socket', socket, '--seed', '1.5'],
        '--seed must be a whole number from 0 to 4294967295, found 1.5',
      ],
      [['--socket', socket, '--width', '1'], '--width must be a whole number from 2 to 40, found 1'],
      [
        ['--socket', socket, '--speed', 'fast'],
        '--speed must be max or a number from 0.05 to 1000, found fast',
      ],
      [['--socket', socket, '--pace', 'slow'], '--pace must be lockstep or realtime, found slow'],
      [['--socket', socket, '--colour', 'red'], '--colour'],
    ];
    for (const [args, message] of refused) expect(() => parseHostArguments(args)).toThrow(message);
    const { status, stderr } = spawnSync(process.execPath, [HOST, '--speed', '0'], { encoding: 'utf8' });
    expect(stderr).toContain('--socket is missing');
    expect(stderr).toContain('usage: node sim/host.ts');
    expect(status).toBe(64);
  });
});
