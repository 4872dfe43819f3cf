import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type CellContext,
  EdgeError,
  type EStopState,
  type LeaseView,
  METHODS,
  type MotionResult,
  type NewEvent,
  type Sample,
  type SampleSink,
  TOPICS,
} from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { SafetyDesk, type SafetyOptions } from '../../daemon/execution/safety/safety-desk.ts';
import { SafetyWatch } from '../../daemon/execution/safety/safety-word.ts';
import { BOOL, CdrWriter, encodeTwist } from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const RESULT: MotionResult = {
  ...{ outcome: 'reached', pose: undefined, distance: 0, durationMs: 0, time: 0n, message: '' },
};

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A data directory that outlives cells. */
function disk(): string {
  const dir = mkdtempSync(join(tmpdir(), 'estop-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

class Rig {
  readonly clock = new ManualClock();
  readonly bus = new FakeBus(this.clock);
  readonly events: NewEvent[] = [];
  readonly told: EStopState[] = [];
  readonly stops: string[] = [];
  readonly sent: Sample[] = [];
  readonly steered: [number, number, number][] = [];
  readonly desk: SafetyDesk;
  readonly sink: SampleSink;
  readonly actuation: Actuation;
  readonly watch: SafetyWatch;
  /** How the robot answers a stop. */
  onStop: () => Promise<void> = async () => {};

  constructor(dir = disk(), more: Partial<SafetyOptions> = {}) {
    const context = {
      ...{ name: 'execution', clock: this.clock, bus: this.bus, dataDir: dir, report: () => {} },
      emit: async (more: readonly NewEvent[]) => void this.events.push(...more),
    } as unknown as CellContext;
    this.bus.broadcast = (topic: string, body: unknown) => {
      if (topic === TOPICS.stopEngaged) this.told.push(body as EStopState);
    };
    this.desk = new SafetyDesk(context, {
      times: { ttlMs: 3_000, ttlMsMax: 60_000 },
      ...{ topic: '/emergency_stop', key: 'r1/estop', commands: ['/cmd_vel'] },
      ...more,
    });
    this.sink = this.desk.guard({
      advertise: async () => {},
      offer: (sample) => {
        this.sent.push(sample);
        return true;
      },
      close: async () => {},
    });
    const stop = async (reason: string) => {
      this.stops.push(reason);
      await this.onStop();
    };
    this.actuation = new Actuation(context, [stop], this.desk.movers(), this.desk.safety);
    this.watch = new SafetyWatch(this.desk.word.buffer, this.clock);
    this.desk.start(this.actuation, {
      steer: ({ linear, angular }, lease) => {
        this.steered.push([linear, angular, lease]);
        return true;
      },
    });
    ends.push(() => this.desk.close());
  }

  ask<T>(method: string, body: unknown = {}): Promise<T> {
    return this.bus.request<T>('execution', method, body);
  }

  /** A motion that goes on until it is stopped. */
  move(id = 'm'): Promise<MotionResult> {
    return this.actuation.move(id, 'runtime', (signal) => untilAborted(signal));
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }
}

function untilAborted(signal: AbortSignal): Promise<MotionResult> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ ...RESULT, outcome: 'stopped' }), { once: true });
  });
}

const bool = (value: boolean): Sample => {
  const writer = new CdrWriter(8);
  writer.bool(value);
  return { ...{ topic: '/emergency_stop', type: BOOL, stamp: 1n, received: 1n }, bytes: writer.finish() };
};
const twist = (linear: number): Sample => {
  const zero = { x: 0, y: 0, z: 0 };
  const bytes = encodeTwist({ linear: { ...zero, x: linear }, angular: zero });
  return { ...{ topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', stamp: 1n, received: 1n }, bytes };
};

describe('the emergency stop', () => {
  it('closes the gate in the turn in which it is asked for, whatever disk and robot do', async () => {
    const rig = new Rig();
    rig.onStop = () => new Promise(() => {});
    const motion = rig.move();
    await turn();
    expect(rig.watch.mayMove(rig.desk.word.lease)).toBe(true);
    const engaged = rig.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: 'smoke' });
    engaged.catch(() => {});
    await turn();
    expect(rig.watch.why(1)).toBe('emergency stop');
    expect(rig.desk.latch.state).toMatchObject({ engaged: true, source: 'api', by: 'vera', reason: 'smoke' });
    await expect(rig.move('n')).rejects.toMatchObject({
      code: 'estop.engaged',
      message: expect.stringContaining('vera (api): smoke'),
      hint: expect.stringContaining('estop release'),
    });
    await rig.clock.advance(4_001);
    // The robot never confirmed: the caller is told, and it stays engaged.
    await expect(engaged).rejects.toMatchObject({
      message: expect.stringContaining('engaged, but standing still'),
    });
    expect((await motion).outcome).toBe('stopped');
    expect(rig.desk.latch.engaged).toBe(true);
    expect(rig.told).toHaveLength(1);
  });

  it('lets no command through, whoever sends it, but standing still', async () => {
    const rig = new Rig();
    const lidar: Sample = { ...twist(0), topic: '/scan', type: 'sensor_msgs/msg/LaserScan' };
    const joints: Sample = { ...lidar, topic: '/forward_position_controller/commands' };
    await rig.ask(execution.estopEngage, { source: 'cli', by: 'vera' });
    for (const sample of [twist(0.3), twist(0), lidar, joints]) expect(rig.sink.offer(sample)).toBe(true);
    expect(rig.sent.map(({ topic }) => topic)).toEqual(['/cmd_vel', '/scan']);
    expect(rig.desk.status()).toMatchObject({ withheld: 2, estop: { engaged: true } });
    for (const operation of ['bag play', 'send a goal'])
      expect(() => rig.desk.admit(operation, 'x')).toThrow(
        expect.objectContaining({ code: 'estop.engaged' }),
      );
    await rig.ask(execution.estopRelease, { source: 'cli', by: 'vera' });
    rig.sink.offer(twist(0.3));
    expect(rig.sent).toHaveLength(3);
  });

  it('survives the cell, and a state that cannot be read counts as engaged', async () => {
    const dir = disk();
    const before = new Rig(dir);
    await before.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: 'smoke' });
    const after = new Rig(dir);
    expect(after.desk.latch.state).toEqual(before.desk.latch.state);
    await expect(after.move()).rejects.toMatchObject({ code: 'estop.engaged' });
    await after.ask(execution.estopRelease, { source: 'cli', by: 'vera', reason: 'aired' });
    expect(new Rig(dir).desk.latch.engaged).toBe(false);
    writeFileSync(join(dir, 'safety', 'estop.json'), '{"engaged":');
    expect(new Rig(dir).desk.latch.state).toMatchObject({ engaged: true, source: 'internal' });
    writeFileSync(join(dir, 'safety', 'estop.json'), '{}');
    expect(new Rig(dir).desk.latch.engaged).toBe(true);
  });

  it('is released by persons only: an agent, a policy, a topic and a key are refused, and that is on record', async () => {
    const rig = new Rig();
    await rig.ask(execution.estopEngage, { source: 'agent', by: 'run 7', reason: 'a child' });
    for (const source of ['agent', 'zenoh', 'ros', 'file', 'internal', undefined, 'toString'])
      await expect(rig.ask(execution.estopRelease, { source, by: 'run 7' })).rejects.toMatchObject({
        code: 'policy.denied',
      });
    expect(rig.desk.latch.engaged).toBe(true);
    expect(rig.kinds().filter((kind) => kind === 'command.refused')).toHaveLength(7);
    await rig.ask(execution.estopRelease, { source: 'console', by: 'vera' });
    expect(rig.kinds()).toEqual(expect.arrayContaining(['estop.engaged', 'estop.released']));
    expect(rig.desk.latch.engaged).toBe(false);
  });

  it('is engaged by a file for as long as it is there; taking it away does not release', async () => {
    const dir = disk();
    writeFileSync(join(dir, 'estop'), 'the door is open\n');
    const rig = new Rig(dir);
    expect(rig.desk.latch.state).toMatchObject({ source: 'file', reason: 'the door is open' });
    await expect(rig.ask(execution.estopRelease, { source: 'cli', by: 'vera' })).rejects.toMatchObject({
      ...{ code: 'command.refused', message: expect.stringContaining(join(dir, 'estop')) },
    });
    rmSync(join(dir, 'estop'));
    await rig.clock.advance(1_000);
    expect(rig.desk.latch.engaged).toBe(true);
    await rig.ask(execution.estopRelease, { source: 'cli', by: 'vera' });
    expect(rig.desk.latch.engaged).toBe(false);
    // Looked for as well as watched; a folder or an empty file will do.
    mkdirSync(join(dir, 'estop'));
    await rig.clock.advance(300);
    expect(rig.desk.latch.state).toMatchObject({ engaged: true, source: 'file', reason: '' });
  });

  it('is engaged by true on the topic, and not released while that is still said', async () => {
    const rig = new Rig();
    rig.desk.observe(bool(false));
    rig.desk.observe({ ...bool(true), topic: '/bumper' });
    expect(rig.desk.latch.engaged).toBe(false);
    rig.desk.observe(bool(true));
    expect(rig.desk.latch.state).toMatchObject({ engaged: true, source: 'ros', by: '/emergency_stop' });
    await turn();
    await expect(rig.ask(execution.estopRelease, { source: 'api', by: 'vera' })).rejects.toMatchObject({
      code: 'command.refused',
    });
    rig.desk.observe(bool(false));
    expect(rig.desk.latch.engaged).toBe(true);
    await rig.ask(execution.estopRelease, { source: 'api', by: 'vera' });
    // What cannot be read on this topic was meant to say something.
    rig.desk.observe({ ...bool(true), bytes: new Uint8Array(1) });
    expect(rig.desk.latch.engaged).toBe(true);
  });

  it('is engaged by a value put at its key, and a value that says no says nothing', async () => {
    const rig = new Rig();
    const fabric = new MemoryFabric();
    const own = new MemoryKeySpace(rig.clock, fabric);
    await rig.desk.ways.attach(own);
    const peer = new MemoryKeySpace(rig.clock, fabric);
    const put = async (text: string) => {
      await peer.put('r1/estop', new TextEncoder().encode(text));
      await rig.clock.advance(10);
      await turn();
    };
    await put('false');
    expect(rig.desk.latch.engaged).toBe(false);
    await put('fire\u0000 in\n the hall');
    expect(rig.desk.latch.state).toMatchObject({
      source: 'zenoh',
      by: 'r1/estop',
      reason: 'fire in the hall',
    });
    await put('false');
    expect(rig.desk.latch.engaged).toBe(true);
    await rig.ask(execution.estopRelease, { source: 'api', by: 'vera' });
    await put('');
    expect(rig.desk.latch.engaged).toBe(true);
  });

  it('stays engaged where a release was not written, and where it was engaged again meanwhile', async () => {
    const dir = disk();
    const rig = new Rig(dir);
    await rig.ask(execution.estopEngage, { source: 'api', by: 'vera' });
    rmSync(join(dir, 'safety'), { recursive: true });
    writeFileSync(join(dir, 'safety'), 'no folder');
    await expect(rig.ask(execution.estopRelease, { source: 'api', by: 'vera' })).rejects.toBeInstanceOf(
      EdgeError,
    );
    expect(rig.desk.latch.engaged).toBe(true);
    rmSync(join(dir, 'safety'));
    const released = rig.ask(execution.estopRelease, { source: 'api', by: 'vera' });
    await turn();
    rig.desk.observe(bool(true));
    await expect(released).rejects.toMatchObject({ code: 'command.refused' });
    expect(rig.desk.latch.engaged).toBe(true);
    expect(JSON.parse(readFileSync(join(dir, 'safety', 'estop.json'), 'utf8'))).toMatchObject({
      engaged: true,
    });
  });

  it('is one event and one broadcast however often it is said', async () => {
    const rig = new Rig();
    for (let i = 0; i < 500; i++) rig.desk.observe(bool(true));
    await turn();
    expect(rig.kinds().filter((kind) => kind === 'estop.engaged')).toHaveLength(1);
    expect(rig.told).toHaveLength(1);
    expect(rig.stops).toHaveLength(1);
    // A person who presses again sees something move.
    await rig.ask(execution.estopEngage, { source: 'console', by: 'vera' });
    expect(rig.stops).toHaveLength(2);
  });
});

describe('the lease by method', () => {
  const take = (rig: Rig, holder: string, role = 'teleoperation', ttlMs = 1_000) =>
    rig.ask<LeaseView>(execution.leaseTake, { role, holder, ttlMs });

  it('is taken from an agent after its robot stands, and an agent that fights on gets nothing', async () => {
    const rig = new Rig();
    const motion = rig.move();
    await turn();
    const view = await take(rig, 'vera');
    expect((await motion).outcome).toBe('stopped');
    expect(view).toMatchObject({ state: 'held', holder: 'vera', role: 'teleoperation', priority: 50 });
    for (let i = 0; i < 50; i++)
      await expect(rig.move(`f${i}`)).rejects.toMatchObject({ code: 'lease.held' });
    expect(() => rig.desk.admit('send a goal', '/spin')).toThrow(
      expect.objectContaining({ code: 'lease.held' }),
    );
    await rig.ask(execution.teleopCommand, { leaseId: view.lease_id, twist: { linear: 0.1, angular: 0 } });
    expect(rig.steered).toEqual([[0.1, 0, view.lease_id]]);
    expect(
      rig.events
        .filter(({ kind }) => kind.startsWith('lease.'))
        .map(({ kind, payload }) => [kind, (payload as { holder: string }).holder]),
    ).toEqual([
      ['lease.granted', 'agent'],
      ['lease.released', 'agent'],
      ['lease.granted', 'vera'],
    ]);
  });

  it('is lost without renewal, and with it the word of the threads', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    for (let i = 0; i < 5; i++) {
      await rig.clock.advance(800);
      expect(await rig.ask<LeaseView>(execution.leaseRenew, { leaseId: id })).toMatchObject({
        remaining_ms: 1_000,
      });
      expect(rig.watch.mayMove(id!)).toBe(true);
    }
    await rig.clock.advance(1_001);
    expect(rig.watch.why(id!)).toBe('the lease was lost');
    expect(rig.stops).toHaveLength(1);
    const late = { leaseId: id, twist: { linear: 0.1, angular: 0 } };
    await expect(rig.ask(execution.teleopCommand, late)).rejects.toMatchObject({ code: 'lease.lost' });
    await expect(rig.ask(execution.leaseRenew, { leaseId: id })).rejects.toMatchObject({
      code: 'lease.lost',
    });
  });

  it('is over for control threads too when the main thread hangs and renews nothing', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    expect(rig.watch.mayMove(id!)).toBe(true);
    // Time passes and no timer of the main thread fires.
    rig.clock.skip(900);
    expect(rig.watch.mayMove(id!)).toBe(true);
    rig.clock.skip(200);
    expect(rig.desk.word.lease).toBe(id);
    expect(rig.watch.why(id!)).toBe('the lease was not renewed');
  });

  it('ends with the emergency stop, so that a release hands the robot to nobody', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    await rig.ask(execution.estopEngage, { source: 'api', by: 'max' });
    const steer = () => rig.ask(execution.teleopCommand, { leaseId: id, twist: { linear: 0.1, angular: 0 } });
    await expect(steer()).rejects.toMatchObject({ code: 'estop.engaged' });
    await rig.ask(execution.estopRelease, { source: 'api', by: 'max' });
    await expect(steer()).rejects.toMatchObject({ code: 'lease.lost' });
    expect(rig.steered).toEqual([]);
  });

  it('stops what moves when it is given back, and steers for no agent', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    expect(await rig.ask(execution.leaseReturn, { leaseId: id })).toEqual({ state: 'free' });
    expect(rig.stops).toHaveLength(1);
    expect(await rig.ask(execution.leaseReturn, { leaseId: id })).toEqual({ state: 'free' });
    const { lease_id: agents } = await take(rig, 'runs', 'agent');
    const command = { leaseId: agents, twist: { linear: 0.1, angular: 0 } };
    await expect(rig.ask(execution.teleopCommand, command)).rejects.toMatchObject({ code: 'policy.denied' });
  });

  it.each([
    [{ role: 'king', holder: 'a', ttlMs: 1_000 }],
    [{ role: 'agent', holder: '', ttlMs: 1_000 }],
    [{ role: 'agent', holder: 'a', ttlMs: 1e9 }],
    [{ role: 'agent', holder: 'a', ttlMs: Number.NaN }],
    [null],
  ])('refuses %j', async (body) => {
    await expect(new Rig().ask(execution.leaseTake, body)).rejects.toMatchObject({ code: 'schema.invalid' });
  });

  it.each([
    [{ twist: { linear: Number.NaN, angular: 0 } }],
    [{ twist: { linear: Number.POSITIVE_INFINITY, angular: 0 } }],
    [{ twist: { linear: '1', angular: 0 } }],
    [{ twist: { linear: 1, angular: 0 }, joints: {} }],
    [{ joints: {} }],
    [{ joints: { joint_1: 1e9 } }],
    [{}],
  ])('steers by no nonsense: %j', async (body) => {
    const rig = new Rig();
    const { lease_id: leaseId } = await take(rig, 'vera');
    await expect(rig.ask(execution.teleopCommand, { leaseId, ...body })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    expect(rig.steered).toEqual([]);
  });
});
