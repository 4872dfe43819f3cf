import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { EdgeError, Sample } from '../../contract/index.ts';
import { encodeTwist, TWIST } from '../../formats/cdr/index.ts';
import {
  controlFrame,
  decodeControl,
  FRAME_CONTROL,
  FrameReader,
  sampleFrameHead,
} from '../../formats/sample-frame.ts';
import { SimRobot } from '../../sim/client.ts';
import { type HostOptions, HostServer } from '../../sim/host-server.ts';
import { describeRobot } from '../../sim/protocol.ts';
import { EPOCH_NS, WINDOW_NS } from '../../sim/robot-model.ts';
import { Simulation } from '../../sim/simulation.ts';
import { CMD_VEL, SIM_TOPICS } from '../../sim/topics.ts';
import { corridor } from '../support/sim-worlds.ts';
import { until } from '../support/until.ts';

const clock = new SystemClock();

function commandSample(linear: number, angular = 0, topic = CMD_VEL.topic): Sample {
  const bytes = encodeTwist({ linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } });
  return { topic, type: TWIST, stamp: 0n, received: 0n, bytes };
}

/** A client without any manners: sends what it is told to and answers nothing by itself. */
class RawClient {
  readonly socket: Socket;
  readonly messages: Record<string, unknown>[] = [];
  closed = false;
  readonly #reader = new FrameReader();

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('data', (chunk) => {
      for (const frame of this.#reader.push(chunk)) {
        if (frame.kind === FRAME_CONTROL)
          this.messages.push(decodeControl(frame.body) as Record<string, unknown>);
      }
    });
  }
  of(kind: string): Record<string, unknown>[] {
    return this.messages.filter((message) => message['kind'] === kind);
  }
  command(sample: Sample): void {
    this.socket.write(Buffer.concat([sampleFrameHead(sample), sample.bytes]));
  }
  async tock(): Promise<void> {
    const ticks = this.of('tick');
    this.socket.write(controlFrame({ kind: 'tock', time_ns: ticks.at(-1)!['time_ns'] }));
    await until(() => this.of('tick').length > ticks.length, 'the next tick');
  }
}

describe('the host of the simulated robot', () => {
  let folder: string;
  let socket: string;
  let simulation: Simulation;
  let server: HostServer;
  let run: Promise<void>;
  const clients: RawClient[] = [];
  const robots: SimRobot[] = [];

  async function serve(options: Partial<HostOptions> = {}): Promise<void> {
    const pace = options.pace ?? 'lockstep';
    const description = describeRobot('test', 1, pace);
    server = new HostServer({ simulation, description, clock, pace, speed: Infinity, ...options });
    await server.listen(socket);
    run = server.run();
  }
  function raw(): RawClient {
    const client = new RawClient(socket);
    clients.push(client);
    return client;
  }
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sim-'));
    socket = join(folder, 'sim.sock');
    simulation = await Simulation.inArena(1, corridor(6));
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    for (const robot of robots.splice(0)) await robot.close();
    server.close();
    await run;
    simulation.close();
    rmSync(folder, { recursive: true });
  });

  it('lets no time pass before somebody is there, and then one window per tock', async () => {
    await serve();
    expect(simulation.time).toBe(EPOCH_NS);
    const client = raw();
    await until(() => client.of('tick').length === 1, 'the first tick');
    expect(client.messages[0]).toMatchObject({ kind: 'hello', time_ns: EPOCH_NS.toString() });
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(simulation.time).toBe(EPOCH_NS + WINDOW_NS);
    for (let i = 0; i < 5; i++) await client.tock();
    expect(simulation.time).toBe(EPOCH_NS + 6n * WINDOW_NS);
    expect(client.of('tick').map((tick) => tick['time_ns'])).toEqual(
      [1n, 2n, 3n, 4n, 5n, 6n].map((n) => (EPOCH_NS + n * WINDOW_NS).toString()),
    );
  });

  it('takes a tock for an earlier tick for nothing', async () => {
    await serve();
    const client = raw();
    await until(() => client.of('tick').length === 1, 'the first tick');
    await client.tock();
    client.socket.write(controlFrame({ kind: 'tock', time_ns: (EPOCH_NS + WINDOW_NS).toString() }));
    client.socket.write(controlFrame({ kind: 'somebody else' }));
    client.command(commandSample(Number.NaN));
    await until(() => client.of('fault').length === 1, 'the command behind the tock to be read');
    expect(client.of('tick')).toHaveLength(2);
  });

  it('applies a command to the next window, and brakes for a client that is gone until it is at rest', async () => {
    await serve();
    const client = raw();
    await until(() => client.of('tick').length === 1, 'the first tick');
    for (let i = 0; i < 12; i++) {
      client.command(commandSample(0.4));
      await client.tock();
    }
    expect(simulation.truth.twist.linear).toBeGreaterThan(0.35);
    client.socket.destroy();
    await until(() => simulation.atRest, 'the robot to be at rest');
    const stopped = simulation.time;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(simulation.time).toBe(stopped);
    // From 0.4 m/s at 1.5 m/s^2: six windows, and some to settle; much sooner than the watchdog would.
    expect(stopped - EPOCH_NS).toBeLessThan(13n * WINDOW_NS + 12n * WINDOW_NS);
  });

  it('serves the newer of two clients; the older one is cut off and its commands no longer count', async () => {
    await serve();
    const older = raw();
    await until(() => older.of('tick').length === 1, 'the first tick');
    const newer = raw();
    await until(() => newer.of('tick').length === 1, 'the tick of the newer one');
    await until(() => older.closed, 'the older one to be cut off');
    await newer.tock();
    expect(older.of('tick')).toHaveLength(1);
    expect(newer.of('hello')).toHaveLength(1);
  });

  it('drops a command that lay in a frozen process, says so, and takes the next one', async () => {
    await serve();
    const client = raw();
    await until(() => client.of('tick').length === 1, 'the first tick');
    for (let i = 0; i < 12; i++) {
      client.command({ ...commandSample(0.4), expiresAtMs: clock.monotonicMs() - 1 });
      await client.tock();
    }
    expect(simulation.truth.twist.linear).toBeCloseTo(0, 6);
    expect(client.of('fault').at(-1)).toMatchObject({
      code: 'command.refused',
      message: expect.stringContaining('too late'),
    });
    for (let i = 0; i < 12; i++) {
      client.command({ ...commandSample(0.4), expiresAtMs: clock.monotonicMs() + 60_000 });
      await client.tock();
    }
    expect(simulation.truth.twist.linear).toBeGreaterThan(0.35);
  });

  it('says why it refuses a command, counts it, and goes on', async () => {
    await serve();
    const client = raw();
    await until(() => client.of('tick').length === 1, 'the first tick');
    const refused: [Sample, string][] = [
      [commandSample(Number.NaN), 'command.refused'],
      [commandSample(0.1, Number.POSITIVE_INFINITY), 'command.refused'],
      [commandSample(3), 'command.refused'],
      [commandSample(0.1, 0, '/cmd_vel_other'), 'robot.not_supported'],
      [{ ...commandSample(0.1), bytes: new Uint8Array([0, 1, 0, 0, 1]) }, 'sample.malformed'],
    ];
    for (const [sample, code] of refused) {
      client.command(sample);
      await client.tock();
      expect(client.of('fault').at(-1)).toMatchObject({ code });
    }
    expect(client.of('fault')).toHaveLength(refused.length);
    expect(client.of('referee').at(-1)).toMatchObject({
      refused_commands: 3,
      collisions: 0,
      reached_exit: false,
    });
    expect(simulation.atRest).toBe(true);
  });

  it('cuts off who does not speak in frames, and serves the next', async () => {
    await serve();
    const client = raw();
    client.socket.write('GET / HTTP/1.1\r\nHost: robot\r\n\r\n');
    await until(() => client.closed, 'it to be cut off');
    const next = raw();
    await until(() => next.of('tick').length === 1, 'the next client to be served');
  });

  it('in realtime goes on without tocks, and counts what a deaf client lost', async () => {
    await serve({ pace: 'realtime', queueBytesMax: 16 * 1024 });
    const client = raw();
    await until(() => client.of('tick').length >= 3, 'ticks');
    client.socket.pause();
    const before = simulation.time;
    await until(() => simulation.time > before + 400n * WINDOW_NS, 'time to pass');
    client.socket.resume();
    const ticks = client.of('tick').length;
    await until(() => client.of('tick').length > ticks + 420, 'what was waiting');
    const lost = client.of('tick').at(-1)!['lost'] as Record<string, number>;
    expect(lost['/odom']).toBeGreaterThan(0);
    expect(lost['/odom']).toBe(lost['/clock']);
  });

  it('waits for the tick listener before it goes on, and carries on when the listener fails', async () => {
    await serve();
    const faults: EdgeError[] = [];
    const robot = new SimRobot({ socket, clock, onFault: (error) => faults.push(error) });
    robots.push(robot);
    const ticks: bigint[] = [];
    const seen: bigint[] = [];
    let release: () => void = () => {};
    robot.onTick(async (time) => {
      ticks.push(time);
      if (ticks.length === 2) throw new Error('no idea');
      if (ticks.length === 4) await new Promise<void>((resolve) => (release = resolve));
    });
    await robot.open(
      [SIM_TOPICS.odom],
      (sample) => seen.push(sample.stamp),
      () => {},
    );
    await until(() => ticks.length === 4, 'the fourth tick');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(simulation.time).toBe(EPOCH_NS + 4n * WINDOW_NS);
    expect(seen).toEqual(ticks);
    expect(faults.map(({ code, message }) => [code, message])).toEqual([
      ['internal.fault', 'the tick listener failed: no idea'],
    ]);
    release();
    await until(() => ticks.length > 5, 'time to go on');
    expect(robot.description()).toMatchObject({
      base: { footprintRadius: 0.17, linearMax: 0.46, frames: { laser: 'laser' } },
    });
  });

  it('tells the client of a topic that it publishes with another type', async () => {
    await serve();
    const robot = new SimRobot({ socket, clock });
    robots.push(robot);
    const odd = { ...SIM_TOPICS.scan, type: 'sensor_msgs/msg/PointCloud2' };
    await robot.open(
      [odd, SIM_TOPICS.clock],
      () => {},
      () => {},
    );
    await until(() => robot.state().connected, 'the connection');
    expect(robot.state().reason).toBe('/scan is sensor_msgs/msg/LaserScan, not sensor_msgs/msg/PointCloud2');
    await expect(robot.advertise(SIM_TOPICS.scan)).rejects.toMatchObject({ code: 'robot.not_supported' });
  });
});
