import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSink, RosSource } from '../../adapters/ros/index.ts';
import { encodeVelocity } from '../../adapters/ros/messages.ts';
import { DEFAULT_QOS, LIMITS, pause, type TopicSpec } from '../../contract/index.ts';
import { TWIST } from '../../formats/cdr/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';

const clock = new SystemClock();
const INSTALL_MS = 15 * 60_000;
const VELOCITY: TopicSpec = { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS };
const PERIOD_MS = 50;
/** What a loaded machine may add to an expiry. */
const LATENESS_MS = 700;

type Command = { t: number; linear: number; angular: number };

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, INSTALL_MS);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function base(): Promise<PythonPeer> {
  const peer = new PythonPeer(env, 'ros_velocity.py', ['/cmd_vel']);
  closing.push(() => peer.close());
  await peer.line<{ ready: boolean }>((line) => line.ready, 30_000);
  return peer;
}

function commandsOf(peer: PythonPeer): Command[] {
  return peer.lines.filter(
    (line): line is Command => typeof line === 'object' && line !== null && 't' in line,
  );
}

async function sink(): Promise<{ host: RosHost; sink: RosSink; drive: (linear: number) => boolean }> {
  const host = new RosHost({ env }, clock);
  const opened = new RosSink(host);
  closing.push(() => opened.close());
  await opened.advertise(VELOCITY);
  const drive = (linear: number) => {
    const now = clock.now();
    const bytes = encodeVelocity(TWIST, { linear, angular: 0.5 }, now);
    return opened.offer({ topic: '/cmd_vel', type: TWIST, stamp: now, received: now, bytes });
  };
  return { host, sink: opened, drive };
}

/** Renews the command like a control loop, until the answer's `stop` is called. */
function keepDriving(drive: (linear: number) => boolean): { stop(): void } {
  const timer = clock.every(PERIOD_MS, () => drive(0.2));
  closing.push(async () => timer.cancel());
  return { stop: () => timer.cancel() };
}

describe('velocity commands over Fast DDS to a real rclpy node', () => {
  it('arrive, and end in a stop when they are no longer renewed', async () => {
    const peer = await base();
    const { drive } = await sink();
    // After its own start the host stops the robot once: whoever drove before may have died.
    await peer.line<Command>((line) => line.linear === 0, 5_000);
    const driving = keepDriving(drive);
    await peer.line<Command>((line) => line.linear === 0.2 && line.angular === 0.5, 5_000);
    await pause(clock, 1_000);
    const before = peer.lines.length;
    expect(commandsOf(peer).filter(({ linear }) => linear === 0.2).length).toBeGreaterThan(10);
    driving.stop();
    await peer.line<Command>((line) => line.linear === 0, 5_000, before);
    await pause(clock, 300);
    const commands = commandsOf(peer);
    const last = commands.findLastIndex(({ linear }) => linear === 0.2);
    expect(commands.length).toBeGreaterThan(last + 1);
    expect((commands[last + 1]!.t - commands[last]!.t) * 1_000).toBeLessThan(
      LIMITS.COMMAND_EXPIRY_MS + LATENESS_MS,
    );
  });

  it('are followed by a stop when the ROS host is killed, and go on by themselves', async () => {
    const peer = await base();
    const { host, drive } = await sink();
    const source = new RosSource(host);
    closing.push(() => source.close());
    let heard = 0;
    const states: boolean[] = [];
    const stopsMs: number[] = [];
    await source.open(
      [VELOCITY],
      () => {
        heard += 1;
      },
      ({ connected }) => states.push(connected),
    );
    for (let round = 1; round <= 3; round += 1) {
      const from = peer.lines.length;
      const heardBefore = heard;
      const driving = keepDriving(drive);
      await peer.line<Command>((line) => line.linear === 0.2, 5_000, from);
      driving.stop();
      // Subscriptions came back as well: the node hears its own publications.
      expect(heard).toBeGreaterThan(heardBefore);
      // The standby is ready a while after each start, and then has to be discovered by the base.
      const renewing = keepDriving(drive);
      const readyBy = clock.monotonicMs() + 20_000;
      while (!host.standbyReady && clock.monotonicMs() < readyBy) await pause(clock, 50);
      await pause(clock, 2_000);
      renewing.stop();
      const killed = peer.lines.length;
      process.kill(host.pid!, 'SIGKILL');
      await peer.line<Command>((line) => line.linear === 0, 10_000, killed);
      const stop = commandsOf(peer).findLast(({ linear }) => linear === 0)!;
      const last = commandsOf(peer).findLast(({ linear }) => linear === 0.2)!;
      process.stderr.write(
        `ros: killed host, robot stopped after ${Math.round((stop.t - last.t) * 1000)} ms\n`,
      );
      stopsMs.push((stop.t - last.t) * 1_000);
      const deadline = clock.monotonicMs() + 10_000;
      while (!host.state().connected && clock.monotonicMs() < deadline) await pause(clock, 20);
      expect(host.state().connected).toBe(true);
      expect(host.restarts).toBe(round);
    }
    // Discovery of the standby takes its time on a loaded machine; once found, it stops the robot at once.
    expect(Math.max(...stopsMs)).toBeLessThan(5_000);
    expect(Math.min(...stopsMs)).toBeLessThan(LATENESS_MS);
    expect(states).toEqual([true, false, true, false, true, false, true]);
  });

  it('are followed by a stop when the process that gives them is killed', async () => {
    const peer = await base();
    const driver = spawn(process.execPath, [join(import.meta.dirname, '../peers/ros-driver.ts')], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    closing.push(async () => driver.kill('SIGKILL'));
    await peer.line<Command>((line) => line.linear === 0.2, 30_000);
    const killed = peer.lines.length;
    const gone = once(driver, 'exit');
    driver.kill('SIGKILL');
    await gone;
    const stop = await peer.line<Command>((line) => line.linear === 0, 5_000, killed);
    const last = commandsOf(peer).findLast(({ linear }) => linear === 0.2)!;
    expect((stop.t - last.t) * 1_000).toBeLessThan(LIMITS.COMMAND_EXPIRY_MS + LATENESS_MS);
    await pause(clock, 300);
    expect(commandsOf(peer).at(-1)).toMatchObject({ linear: 0, angular: 0 });
  });

  it('end with the sink, within a second, and closing twice is nothing', async () => {
    const { host, sink: open } = await sink();
    const pid = host.pid!;
    const began = clock.monotonicMs();
    await Promise.all([open.close(), open.close()]);
    await open.close();
    expect(clock.monotonicMs() - began).toBeLessThan(1_000);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(host.state().connected).toBe(false);
  });

  it('stop when the host hangs, and go on with a new one', async () => {
    const peer = await base();
    const { host, drive } = await sink();
    const driving = keepDriving(drive);
    await peer.line<Command>((line) => line.linear === 0.2, 10_000);
    driving.stop();
    const hung = host.pid!;
    process.kill(hung, 'SIGSTOP');
    const from = peer.lines.length;
    await peer.line<Command>((line) => line.linear === 0, LIMITS.HEARTBEAT_SILENT_MS + 8_000, from);
    expect(host.pid).not.toBe(hung);
    expect(host.restarts).toBe(1);
  });
});
