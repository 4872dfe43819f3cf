import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { EdgeError, METHODS, type Sample } from '../../contract/index.ts';
import { BOOL, CdrWriter, encodeTwist } from '../../formats/cdr/index.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

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

  it('lets no command through, from any sender, but standing still', async () => {
    const rig = new Rig(disk(), { commands: ['/cmd_vel', '/forward_position_controller/commands'] });
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
    await rig.ask(execution.leaseTake, { role: 'teleoperation', holder: 'vera' });
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

  it('survives the cell also where the disk takes nothing more, without its reason', async () => {
    const dir = disk();
    const before = new Rig(dir);
    await before.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: 'smoke' });
    await before.ask(execution.estopRelease, { source: 'cli', by: 'vera', reason: 'aired' });
    // Nothing can be written beside it.
    mkdirSync(join(dir, 'safety', 'estop.json.tmp'));
    await before.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: 'smoke' });
    const after = new Rig(dir);
    expect(after.desk.latch.state).toMatchObject({ engaged: true, source: 'internal' });
    await expect(after.ask(execution.estopRelease, { source: 'cli', by: 'vera' })).rejects.toMatchObject({
      code: 'log.failed',
    });
    rmSync(join(dir, 'safety', 'estop.json.tmp'), { recursive: true });
    await after.ask(execution.estopRelease, { source: 'cli', by: 'vera' });
    expect(new Rig(dir).desk.latch.engaged).toBe(false);
  });

  it('is released by persons only: an agent, a policy, a topic and a key are refused, and that is on record', async () => {
    const rig = new Rig();
    await rig.ask(execution.estopEngage, { source: 'agent', by: 'run 7', reason: 'a child' });
    for (const source of ['agent', 'zenoh', 'ros', 'file', 'internal', undefined])
      await expect(rig.ask(execution.estopRelease, { source, by: 'run 7' })).rejects.toMatchObject({
        code: 'policy.denied',
      });
    expect(rig.desk.latch.engaged).toBe(true);
    expect(rig.kinds().filter((kind) => kind === 'command.refused')).toHaveLength(6);
    await expect(rig.ask(execution.estopRelease, { source: 'toString', by: 'run 7' })).rejects.toMatchObject({
      ...{ code: 'schema.invalid', subject: '/source' },
    });
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

  it.each([null, undefined, 7, 'smoke', [], { reason: { a: 1 }, by: 4, source: [] }])(
    'is engaged by another cell whatever it says: %j',
    async (body) => {
      const rig = new Rig();
      await rig.ask(execution.estopEngage, body);
      expect(rig.desk.latch.state).toMatchObject({ engaged: true, source: 'internal', by: 'unknown' });
    },
  );

  it.each<[string, (path: string) => void]>([
    ['a link that leads nowhere', (path) => symlinkSync('/nowhere/at/all', path)],
    ['bytes that are no text', (path) => writeFileSync(path, new Uint8Array([0xff, 0, 0x80, 7]))],
    ['a megabyte', (path) => writeFileSync(path, 'x'.repeat(1024 * 1024))],
    ['something that may not be read', (path) => writeFileSync(path, 'smoke', { mode: 0 })],
    ['half a character at the end of its first 512 bytes', (path) => writeFileSync(path, '€'.repeat(400))],
  ])('is engaged by a file that is %s', async (_what, make) => {
    const dir = disk();
    const rig = new Rig(dir);
    make(join(dir, 'estop'));
    await rig.clock.advance(300);
    expect(rig.desk.latch.state).toMatchObject({ engaged: true, source: 'file' });
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

  it('takes its reason later from the one who engaged it, and from no one else', async () => {
    const dir = disk();
    const rig = new Rig(dir);
    const reasons = () =>
      rig.events.flatMap((one) => (one.kind === 'estop.engaged' ? [one.payload.reason] : []));
    await rig.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: '' });
    await rig.ask(execution.estopEngage, { source: 'api', by: 'max', reason: 'mine' });
    await rig.ask(execution.estopEngage, { source: 'cli', by: 'vera', reason: 'another' });
    expect(rig.desk.latch.state.reason).toBe('');
    const { since_ns } = rig.desk.latch.state;
    await rig.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: 'smoke' });
    await rig.ask(execution.estopEngage, { source: 'api', by: 'vera', reason: 'fire' });
    expect(rig.desk.latch.state).toMatchObject({ by: 'vera', source: 'api', reason: 'smoke', since_ns });
    expect(reasons()).toEqual(['', 'smoke']);
    expect(rig.told).toHaveLength(1);
    // It lasts with the reason.
    expect(new Rig(dir).desk.latch.state).toEqual(rig.desk.latch.state);
  });
});
