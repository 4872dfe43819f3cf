import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KeyValue, NewEvent } from '../../contract/core.ts';
import { CrashNote } from '../../daemon/execution/routes/index.ts';
import {
  cdr,
  DeafKeySpace,
  IN,
  isBalanced,
  MemoryFabric,
  MemoryKeySpace,
  OUT,
  RouteRig,
  turns,
} from '../support/route-rig.ts';

describe('the canary', () => {
  const PAIR = `[[routes]]
name = "goals"
from = "zenoh:fleet/*/goal"
to = "bus:/*/goal"
[[routes]]
name = "maps"
from = "zenoh:fleet/*/map"
to = "bus:/*/map"
`;

  async function pair() {
    const fabric = new MemoryFabric();
    const sender = new RouteRig(OUT);
    const rig = new RouteRig(PAIR, {}, sender.clock);
    await sender.start(new MemoryKeySpace(rig.clock, fabric));
    const session = new DeafKeySpace(rig.clock, fabric);
    await rig.start(session);
    let n = 0;
    const run = async (ms: number) => {
      for (let at = 0; at < ms; at += 100) {
        sender.say('/goal', cdr(n));
        sender.say('/map', cdr(n++));
        await turns(2);
        await rig.clock.advance(100);
      }
    };
    return { rig, sender, session, run };
  }

  /** A route out of the robot, whose topics all keep their publishers. */
  async function robot(more: object = {}) {
    const asked: string[] = [];
    const rig = new RouteRig(OUT, {
      publishersOf: () => 1,
      resubscribe: async (topic) => void asked.push(topic),
      ...more,
    });
    await rig.start(new MemoryKeySpace(rig.clock));
    const run = async (ms: number, topics: readonly string[]) => {
      for (let at = 0; at < ms; at += 100) {
        for (const topic of topics) rig.say(topic, cdr(at));
        await turns(1);
        await rig.clock.advance(100);
      }
    };
    return { rig, run, asked };
  }

  it('notices a subscription without samples within 5 s, and rebuilds that route alone', async () => {
    const { rig, session, run } = await pair();
    await run(3_000);
    expect(rig.routes.status().map(({ state }) => state)).toEqual(['up', 'up']);
    session.declared.length = 0;
    session.undeclared.length = 0;
    rig.events.length = 0;
    session.deafen('fleet/*/goal');
    const before = rig.line('/r1/map')!.forwarded!;
    await run(5_000);
    expect(rig.states()).toEqual(['goals diverged', 'goals rebuilt', 'goals up']);
    const told = rig.events.find((e) => e.kind === 'route.state')!;
    expect(told.payload).toMatchObject({ reason: expect.stringContaining('fleet/r1/goal: ') });
    // The beacons are heard anew as well; the other route was left alone and lost nothing.
    expect(session.undeclared.filter((expr) => !expr.startsWith('@'))).toEqual(['fleet/*/goal']);
    expect(session.declared.filter((expr) => !expr.startsWith('@'))).toEqual(['fleet/*/goal']);
    expect(rig.line('/r1/map')!.forwarded! - before).toBeGreaterThanOrEqual(49);
    expect(rig.routes.status()[0]).toMatchObject({ state: 'up', rebuilds: 1 });
    // What did not come meanwhile is in the ledger, to the last sample.
    await run(1_000);
    const goals = rig.line('/r1/goal')!;
    const maps = rig.line('/r1/map')!;
    expect(goals.dropped.middleware).toBeGreaterThan(20);
    expect(goals.received).toBe(maps.received);
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });

  /** One route for all of a neighbour, whose /map comes once in a while. The second map gets lost. */
  async function quietMap() {
    const fabric = new MemoryFabric();
    const sender = new RouteRig(OUT);
    const rig = new RouteRig(
      `[[routes]]\nname = "in"\nfrom = "zenoh:fleet/*/**"\nto = "bus:/*/**"`,
      {},
      sender.clock,
    );
    const theirs = new MemoryKeySpace(rig.clock, fabric);
    await sender.start(theirs);
    const session = new DeafKeySpace(rig.clock, fabric);
    await rig.start(session);
    const run = async (ms: number) => {
      for (let at = 0; at < ms; at += 100) {
        sender.say('/scan', cdr(at));
        await turns(2);
        await rig.clock.advance(100);
      }
    };
    sender.say('/map', cdr(1));
    await run(3_000);
    const lost: KeyValue[] = [];
    session.loses = (value) => value.key === 'fleet/r1/map' && lost.push(value) > 0;
    sender.say('/map', cdr(2));
    await run(200);
    session.loses = () => false;
    rig.events.length = 0;
    session.undeclared.length = 0;
    return { rig, sender, session, theirs, lost, run };
  }

  it('counts a last value that got lost, and does not rebuild the route for ever for it', async () => {
    const { rig, sender, session, run } = await quietMap();
    await run(3 * 60_000);
    expect(rig.states()).toEqual(['in diverged', 'in rebuilt', 'in up']);
    expect(session.undeclared.filter((expr) => !expr.startsWith('@'))).toEqual(['fleet/*/**']);
    expect(rig.line('/r1/map')).toMatchObject({ received: 2, forwarded: 1, dropped: { middleware: 1 } });
    // The next one is on time: what is counted is not counted again.
    sender.say('/map', cdr(3));
    await run(1_000);
    expect(rig.line('/r1/map')).toMatchObject({ received: 3, forwarded: 2, dropped: { middleware: 1 } });
    expect(rig.line('/r1/scan')!.dropped).toEqual({});
  });

  it('counts nothing as lost that comes with the rebuild', async () => {
    const { rig, theirs, lost, run } = await quietMap();
    for (let i = 0; i < 50 && rig.routes.status()[0]!.rebuilds === 0; i++) await run(100);
    const { key, payload, encoding, attachment } = lost[0]!;
    await theirs.put(key, payload, { encoding, attachment: attachment! });
    await run(60_000);
    expect(rig.states()).toEqual(['in diverged', 'in rebuilt', 'in up']);
    expect(rig.line('/r1/map')).toMatchObject({ received: 2, forwarded: 2, dropped: {} });
  });

  it('keeps at a route that goes on losing what is sent', async () => {
    const { rig, sender, session, run } = await quietMap();
    session.loses = ({ key }) => key === 'fleet/r1/map';
    for (let n = 3; n <= 12; n++) {
      sender.say('/map', cdr(n));
      await run(30_000);
    }
    await run(60_000);
    expect(rig.routes.status()[0]!.rebuilds).toBeGreaterThan(5);
    expect(rig.line('/r1/map')).toMatchObject({ received: 12, dropped: { middleware: 11 } });
  });

  it('notices that a living sender is heard no more, its beacons included', async () => {
    const { rig, session, run } = await pair();
    await run(3_000);
    rig.events.length = 0;
    for (const keyExpr of ['fleet/*/goal', 'fleet/*/map', '@auraison/route/*/*/beacon'])
      session.deafen(keyExpr);
    await run(5_000);
    expect(rig.states()).toEqual(expect.arrayContaining(['goals silent', 'goals rebuilt', 'maps silent']));
    await run(4_000);
    expect(rig.routes.status().map(({ state }) => state)).toEqual(['up', 'up']);
  });

  it('leaves a sender alone that has nothing to say, and one that is gone', async () => {
    const { rig, sender, run } = await pair();
    await run(3_000);
    rig.events.length = 0;
    for (let i = 0; i < 100; i++) {
      await turns(1);
      await rig.clock.advance(100);
    }
    // Steady once, now silent: told, tried once, and left at that.
    expect(rig.states().filter((state) => state.endsWith('rebuilt')).length).toBeLessThanOrEqual(2);
    expect(rig.states().filter((state) => state.endsWith('diverged'))).toEqual([]);
    await sender.routes.close();
    await run(500);
  });

  it('subscribes a deaf topic of the robot anew, that one alone, and is up when it comes again', async () => {
    const { rig, run, asked } = await robot();
    await run(3_000, ['/a', '/b']);
    rig.events.length = 0;
    await run(4_500, ['/b']);
    expect(asked).toEqual(['/a']);
    expect(rig.states()).toEqual(['out silent', 'out rebuilt', 'out up']);
    // It goes deaf a second time, later: tried again.
    await run(3_000, ['/a', '/b']);
    await run(4_500, ['/b']);
    expect(asked).toEqual(['/a', '/a']);
    expect(rig.routes.status()[0]).toMatchObject({ rebuilds: 2 });
  });

  it('does not hold a publisher that stopped on purpose against the route for ever', async () => {
    const { rig, run, asked } = await robot();
    await run(3_000, ['/a']);
    rig.events.length = 0;
    await run(120_000, []);
    expect(asked).toEqual(['/a']);
    expect(rig.states()).toEqual(['out silent', 'out rebuilt', 'out idle']);
    expect(rig.routes.degraded()).toEqual([]);
    expect(rig.routes.status()[0]).toMatchObject({
      reason: expect.stringContaining('/a arrived at 10.0 Hz'),
    });
    await run(1_000, ['/a']);
    expect(rig.routes.status()[0]).toMatchObject({ state: 'up', reason: '', rebuilds: 1 });
  });

  it('is idle in the end where nobody can subscribe anew, and says no rebuild', async () => {
    const { rig, run } = await robot({ resubscribe: undefined });
    await run(3_000, ['/a']);
    rig.events.length = 0;
    await run(60_000, []);
    expect(rig.states()).toEqual(['out silent', 'out idle']);
    expect(rig.routes.status()[0]).toMatchObject({ rebuilds: 0 });
  });

  it('forgives itself a pause in which it did not run', async () => {
    const { rig, run } = await pair();
    await run(3_000);
    rig.events.length = 0;
    rig.clock.skip(20_000);
    await run(3_000);
    expect(rig.states()).toEqual([]);
  });

  it('says that a reader stands still, without losing count', async () => {
    const rig = new RouteRig(`${OUT}depth = 5`);
    const session = new MemoryKeySpace(rig.clock);
    const stuck: (() => void)[] = [];
    session.put = () => new Promise((resolve) => void stuck.push(resolve));
    await rig.start(session);
    for (let i = 0; i < 200; i++) rig.say('/a', cdr(i));
    await rig.clock.advance(4_000);
    expect(rig.routes.status()[0]).toMatchObject({
      state: 'silent',
      reason: expect.stringContaining('a subscriber is stuck'),
      rebuilds: 0,
      queued: 69,
      dropped: { queue_full: 131 },
    });
    for (let i = 0; i < 100; i++) {
      for (const resolve of stuck.splice(0)) resolve();
      await turns(1);
    }
    await rig.clock.advance(600);
    expect(rig.routes.status()[0]).toMatchObject({ state: 'up', queued: 0 });
    expect(rig.line('/a')).toMatchObject({ received: 200, forwarded: 69, dropped: { queue_full: 131 } });
  });
});

const toldTopics = (events: readonly NewEvent[]) =>
  events.flatMap((event) => (event.kind === 'losses.recorded' ? event.payload.topics : []));

describe('the ledger of routes', () => {
  it('tells news only, and all of it at the end', async () => {
    const rig = new RouteRig(`${OUT}keep_every = 2`);
    await rig.start(new MemoryKeySpace(rig.clock));
    const sum = () => {
      let received = 0;
      let forwarded = 0;
      let decimated = 0;
      for (const event of rig.events) {
        if (event.kind !== 'losses.recorded') continue;
        expect(event.payload.hop).toBe('route:out');
        for (const line of event.payload.topics) {
          received += line.received;
          forwarded += line.forwarded ?? 0;
          decimated += line.dropped['decimated'] ?? 0;
        }
      }
      return { received, forwarded, decimated };
    };
    for (let i = 0; i < 10; i++) rig.say('/a', cdr(i));
    await rig.clock.advance(10_500);
    expect(sum()).toEqual({ received: 10, forwarded: 5, decimated: 5 });
    await rig.clock.advance(30_000);
    expect(rig.events.filter(({ kind }) => kind === 'losses.recorded')).toHaveLength(1);
    for (let i = 0; i < 4; i++) rig.say('/a', cdr(i));
    await turns();
    await rig.routes.close();
    expect(sum()).toEqual({ received: 14, forwarded: 7, decimated: 7 });
  });

  it('tells after a kill what was not told before it, and what was in flight as lost by the crash', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crash-note-'));
    const rig = new RouteRig(`${OUT}keep_every = 2`, { crashNote: new CrashNote(folder) });
    const session = new MemoryKeySpace(rig.clock);
    await rig.start(session);
    for (let i = 0; i < 10; i++) rig.say('/a', cdr(i));
    await rig.clock.advance(10_500);
    session.put = () => new Promise(() => {});
    for (let i = 0; i < 6; i++) rig.say('/a', cdr(i));
    await rig.clock.advance(150);
    // Nobody closes anything: the process is gone. The next one reads its note.
    const next = await new RouteRig(OUT, { crashNote: new CrashNote(folder) }, rig.clock).start();
    await turns();
    expect(toldTopics([...rig.events, ...next.events])).toEqual([
      { topic: '/a', received: 10, forwarded: 5, written: 0, dropped: { decimated: 5 } },
      { topic: '/a', received: 6, forwarded: 0, written: 0, dropped: { decimated: 3, crash: 3 } },
    ]);
    await next.routes.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('tells again what the log refused, and nothing twice while the log is slow', async () => {
    const taken: NewEvent[] = [];
    const full = async () => {
      throw new Error('the disk is full');
    };
    let log: () => Promise<void> = full;
    const emit = async (events: readonly NewEvent[]) => {
      await log();
      taken.push(...events);
    };
    const folder = mkdtempSync(join(tmpdir(), 'crash-note-'));
    const rig = new RouteRig(OUT, { emit, crashNote: new CrashNote(folder) });
    await rig.start(new MemoryKeySpace(rig.clock));
    const told = () => toldTopics(taken).map(({ topic, received }) => [topic, received]);
    for (let i = 0; i < 10; i++) rig.say('/a', cdr(i));
    await turns();
    await rig.clock.advance(10_500);
    expect(told()).toEqual([]);
    const written = Promise.withResolvers<void>();
    log = () => written.promise;
    // Three times the ledger is to be told while the log still writes.
    await rig.clock.advance(30_000);
    written.resolve();
    await turns();
    expect(told()).toEqual([['/a', 10]]);
    rig.say('/a', cdr(10));
    await turns();
    await rig.clock.advance(10_500);
    expect(told()).toEqual([
      ['/a', 10],
      ['/a', 1],
    ]);
    // What the log refuses at the end is left to the next life.
    log = full;
    for (let i = 0; i < 4; i++) rig.say('/a', cdr(i));
    await turns();
    await rig.routes.close();
    const next = await new RouteRig(OUT, { crashNote: new CrashNote(folder) }).start();
    await turns();
    expect(toldTopics(next.events)).toMatchObject([{ topic: '/a', received: 4, forwarded: 4, dropped: {} }]);
    await next.routes.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('keeps what a killed life left until the log has it, over another kill too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crash-note-'));
    const refuse = async () => {
      throw new Error('the disk is full');
    };
    /** A life that is killed with samples of one topic in flight. */
    const killed = async (topic: string, more: object) => {
      const rig = new RouteRig(OUT, { crashNote: new CrashNote(folder), ...more });
      const session = new MemoryKeySpace(rig.clock);
      session.put = () => new Promise(() => {});
      await rig.start(session);
      for (let i = 0; i < 3; i++) rig.say(topic, cdr(i));
      await rig.clock.advance(150);
    };
    await killed('/a', {});
    await killed('/b', { emit: refuse });
    const next = await new RouteRig(OUT, { crashNote: new CrashNote(folder) }).start();
    await turns();
    expect(toldTopics(next.events)).toEqual([
      { topic: '/a', received: 3, forwarded: 0, written: 0, dropped: { crash: 3 } },
      { topic: '/b', received: 3, forwarded: 0, written: 0, dropped: { crash: 3 } },
    ]);
    await next.routes.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('has room for so many names of strangers and no more', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(IN);
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const sender = new MemoryKeySpace(rig.clock, fabric);
    for (let i = 0; i < 2_000; i++)
      await sender.put(`fleet/r${i}/a`, cdr(i), { encoding: 'application/cdr;std_msgs/msg/UInt32' });
    await turns(20);
    await rig.clock.advance(600);
    expect(rig.routes.lines().length).toBeLessThanOrEqual(513);
    const received = rig.routes.lines().reduce((sum, line) => sum + line.received, 0);
    expect(received).toBe(2_000);
  });
});
