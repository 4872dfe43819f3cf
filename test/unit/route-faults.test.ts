import { describe, expect, it } from 'vitest';
import { type Declaration, EdgeError, type KeySpace, type Subscription } from '../../contract/core.ts';
import {
  cdr,
  DeafKeySpace,
  IN,
  isBalanced,
  MemoryFabric,
  MemoryKeySpace,
  numberIn,
  OUT,
  RouteRig,
  turns,
} from '../support/route-rig.ts';

const MINE = `[[routes]]
name = "mine"
from = "zenoh:fleet/{robot}/**"
to = "ros:/**"
`;

/** Refuses what it is told to, as a driver behind a stuck link does. */
class RefusingKeySpace extends DeafKeySpace {
  refuses = (_keyExpr: string): boolean => false;
  shownId: string | undefined;

  override id(): string {
    return this.shownId ?? super.id();
  }

  override async subscribe(...args: Parameters<KeySpace['subscribe']>): Promise<Subscription> {
    this.#check(args[0]);
    return super.subscribe(...args);
  }

  override async watchLiveliness(...args: Parameters<KeySpace['watchLiveliness']>): Promise<Declaration> {
    this.#check(args[0]);
    return super.watchLiveliness(...args);
  }

  #check(subject: string): void {
    if (this.refuses(subject)) throw new EdgeError('deadline.exceeded', { operation: 'subscribe', subject });
  }
}

async function receiver(toml = IN) {
  const fabric = new MemoryFabric();
  const reports: string[] = [];
  const rig = new RouteRig(toml, { report: (_level, message) => void reports.push(message) });
  const session = new RefusingKeySpace(rig.clock, fabric);
  const sender = new MemoryKeySpace(rig.clock, fabric);
  const put = (n: number, note: object = {}, key = 'fleet/r2/a') =>
    sender.put(key, cdr(n), {
      encoding: 'application/cdr;std_msgs/msg/UInt32',
      attachment: new TextEncoder().encode(JSON.stringify(note)),
    });
  const heard = () => rig.sink.samples.map(({ bytes }) => numberIn(bytes));
  /** Time passes with a look at each half second, and what goes over the fabric in between. */
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 500) {
      await rig.clock.advance(500);
      await turns(2);
    }
  };
  return { fabric, rig, session, sender, put, heard, pass, reports };
}

/** So many names, each heard once, in waves that lie so far apart that the ones before may go. */
async function waves(
  rig: RouteRig,
  put: (n: number, note: object, key: string) => Promise<void>,
  names: number,
) {
  for (let n = 0; n < names; n++) {
    if (n % 512 === 0) {
      await turns(2);
      await rig.clock.advance(1_000);
      rig.clock.skip(11 * 60_000);
    }
    await put(n, {}, `fleet/r8/a${n}`);
    if (n % 64 === 63) await turns(2);
  }
  await turns(4);
}

describe('a route that could not be declared', () => {
  it('hears each sample once after a try that failed half way', async () => {
    const { rig, session, put, heard, pass } = await receiver();
    await rig.start();
    session.refuses = (keyExpr) => keyExpr.startsWith('@');
    await expect(rig.routes.attach(session)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    session.refuses = () => false;
    await rig.routes.attach(session);
    await put(1);
    await turns();
    await pass(1_000);
    expect(heard()).toEqual([1]);
  });

  it('comes back by itself after a rebuild that failed', async () => {
    const { rig, session, put, heard, pass } = await receiver();
    await rig.start(session);
    // A steady topic, then silence: the route is rebuilt, and the link is stuck just then.
    for (let n = 1; n <= 40; n++) {
      await put(n);
      await turns(1);
      await rig.clock.advance(100);
    }
    session.refuses = (keyExpr) => keyExpr === 'fleet/*/**';
    await pass(6_000);
    expect(rig.routes.status()[0]).toMatchObject({ state: 'silent' });
    expect(rig.routes.status()[0]!.reason).toContain('subscribing again failed');
    session.refuses = () => false;
    await pass(70_000);
    await put(99);
    await turns();
    await pass(1_000);
    expect(heard().at(-1)).toBe(99);
    expect(rig.routes.status()[0]!.state).toBe('up');
  });

  it('asks for a new session when a closed one takes nothing any more', async () => {
    const rig = new RouteRig(OUT);
    const session = new MemoryKeySpace(rig.clock);
    await rig.start(session);
    await session.close();
    rig.say('/a', cdr(1));
    await turns();
    expect(rig.lost).toHaveLength(1);
    expect(rig.line('/a')).toMatchObject({ received: 1, dropped: { not_connected: 1 } });
  });
});

describe('the name of a sender', () => {
  it('is no id of a session: one that changes behind a bridge brings nothing back to its robot', async () => {
    const { rig, session, heard } = await receiver(`${OUT}${MINE}`);
    session.shownId = 'aa';
    await rig.start(session);
    session.shownId = 'bb';
    rig.say('/scan', cdr(7));
    await turns();
    await rig.clock.advance(1_000);
    expect(heard()).toEqual([]);
    expect(rig.routes.lines().find(({ hop }) => hop === 'route:mine')).toMatchObject({
      dropped: { echo: 1 },
    });
  });

  it('tells two daemons on one bridge apart', async () => {
    const { fabric, rig, session, heard } = await receiver();
    const other = new RouteRig(OUT, { robot: 'r2' }, rig.clock);
    const theirs = new RefusingKeySpace(rig.clock, fabric);
    session.shownId = 'aa';
    theirs.shownId = 'aa';
    await rig.start(session);
    await other.start(theirs);
    other.say('/scan', cdr(7));
    await turns();
    await rig.clock.advance(1_000);
    expect(heard()).toEqual([7]);
  });
});

describe('what strangers say', () => {
  it('about numbers does not spoil the ledger', async () => {
    const { rig, session, put, heard, pass } = await receiver();
    await rig.start(session);
    await put(1, { source: 'ab', seq: 1 });
    await put(2, { source: 'ab', seq: Number.MAX_SAFE_INTEGER });
    await put(3, { source: 'cd', seq: 1 });
    await put(4, { source: 'cd', seq: 4 });
    await turns();
    await pass(1_000);
    expect(heard()).toEqual([1, 2, 3, 4]);
    expect(rig.line('/fleet/r2/a') ?? rig.line('/r2/a')).toMatchObject({
      received: 6,
      forwarded: 4,
      dropped: { middleware: 2 },
    });
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });

  it('in beacons does not have a route declared anew for ever', async () => {
    const { rig, session, sender, put, pass } = await receiver();
    await rig.start(session);
    await put(1, { source: 'ab', seq: 1 });
    await turns();
    // No token stands behind it: nobody is there.
    await sender.put(
      '@auraison/route/ab/x/beacon',
      new TextEncoder().encode('{"fleet/r2/a":9007199254740991}'),
    );
    await turns();
    await pass(20_000);
    const { rebuilds } = rig.routes.status()[0]!;
    expect(rebuilds).toBeLessThanOrEqual(1);
    await pass(300_000);
    expect(rig.routes.status()[0]).toMatchObject({ rebuilds, state: 'up' });
  });

  it('under names that are denied takes no room of those that are not', async () => {
    const { rig, session, put, heard } = await receiver(
      `${IN}deny = ["spam/**", "*/spam/**", "fleet/*/spam/**"]`,
    );
    await rig.start(session);
    for (let n = 0; n < 700; n++) await put(n, {}, `fleet/r2/spam/a${n}`);
    await turns(8);
    await put(5);
    await turns();
    await rig.clock.advance(1_000);
    expect(heard()).toEqual([5]);
  });

  it('under ever new names leaves room for new ones when the old are silent', async () => {
    const { rig, session, put, heard, pass } = await receiver();
    await rig.start(session);
    for (let n = 0; n < 600; n++) await put(n, {}, `fleet/r2/a${n}`);
    await turns(8);
    await pass(11 * 60_000);
    const before = heard().length;
    await put(4_242, {}, 'fleet/r2/fresh');
    await turns();
    await pass(1_000);
    expect(heard().slice(before)).toEqual([4_242]);
  });

  it('under ever new names is not kept on the bus for ever', async () => {
    const { rig, session, put } = await receiver(`[[routes]]
name = "in"
from = "zenoh:fleet/*/**"
to = "bus:/*/**"
`);
    await rig.start(session);
    // A name of the first wave that the robot publishes as well: the newest sample is not the stranger's to take away.
    await put(0, {}, 'fleet/r8/a0');
    await turns();
    rig.say('/r8/a0', cdr(77));
    rig.clock.skip(11 * 60_000);
    await waves(rig, (n, note, key) => put(n, note, `${key}x`), 2_000);
    const kept = Array.from({ length: 2_000 }, (_, n) => rig.bus.last(`/r8/a${n}x`)).filter((last) => last);
    expect(kept.length).toBeLessThanOrEqual(512);
    expect(Object.keys(rig.bus.rates()).length).toBeLessThanOrEqual(513);
    expect(numberIn(rig.bus.last('/r8/a0')!.bytes)).toBe(77);
  });

  it('under ever new names makes so many topics of the robot and no more; the rest is denied, told once', async () => {
    const { rig, session, put, heard, reports } = await receiver();
    await rig.start(session);
    await waves(rig, put, 4_200);
    await rig.clock.advance(1_000);
    expect(rig.sink.advertised).toHaveLength(4_096);
    const { messages, dropped } = rig.routes.status()[0]!;
    expect({ messages, dropped }).toEqual({ messages: 4_096, dropped: { denied: 104 } });
    expect(reports.filter((message) => message.includes('4096'))).toHaveLength(1);
    // A name that it knows is taken as ever.
    rig.clock.skip(11 * 60_000);
    await put(9_999, {}, 'fleet/r8/a7');
    await turns();
    await rig.clock.advance(1_000);
    expect(heard().at(-1)).toBe(9_999);
  });
});

describe('names that come to nothing', () => {
  it('of samples that are refused are counted, and take neither room nor the names of others', async () => {
    const { rig, session, sender, put, heard } = await receiver();
    await rig.start(session);
    await put(1, {}, 'fleet/r8/known');
    await turns();
    await rig.clock.advance(1_000);
    await waves(rig, (n, _note, key) => sender.put(`${key}/${n % 7}`, cdr(n)), 4_200);
    await sender.put('fleet/r8/known', cdr(2));
    await put(3, {}, 'fleet/r8/fresh');
    await turns();
    await rig.clock.advance(1_000);
    expect(heard()).toEqual([1, 3]);
    const { messages, topics, dropped } = rig.routes.status()[0]!;
    expect({ messages, topics, dropped }).toEqual({ messages: 2, topics: 2, dropped: { malformed: 4_201 } });
    expect(rig.line('/r8/known')).toMatchObject({ received: 2, forwarded: 1, dropped: { malformed: 1 } });
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });

  it('are denied where the route denies them, whatever else is wrong with the sample', async () => {
    const { rig, session, sender } = await receiver(`${IN}deny = ["fleet/*/spam"]`);
    await rig.start(session);
    for (let n = 0; n < 3; n++) await sender.put('fleet/r2/spam', cdr(n));
    await turns();
    expect(rig.routes.status()[0]!.dropped).toEqual({ denied: 3 });
  });

  it('do not add up where nothing stays of them: out of ROS there is no last one', async () => {
    const reports: string[] = [];
    const rig = new RouteRig(OUT, { report: (_level, message) => void reports.push(message) });
    await rig.start(new MemoryKeySpace(rig.clock, new MemoryFabric()));
    await waves(rig, async (n, _note, key) => rig.say(`/${key}`, cdr(n)), 5_200);
    await rig.clock.advance(1_000);
    const { messages, dropped } = rig.routes.status()[0]!;
    expect({ messages, dropped }).toEqual({ messages: 5_200, dropped: {} });
    expect(reports.filter((message) => message.includes('4096'))).toEqual([]);
  });
});

describe('a sending route that made room for other topics', () => {
  it('goes on counting where it was: what gets lost after it is noticed', async () => {
    const { fabric, rig, session } = await receiver();
    const sender = new RouteRig(OUT, { robot: 'r2' }, rig.clock);
    await rig.start(session);
    await sender.start(new MemoryKeySpace(rig.clock, fabric));
    for (let n = 1; n <= 10; n++) sender.say('/a', cdr(n));
    await turns();
    await rig.clock.advance(1_000);
    for (let i = 0; i < 512; i++) {
      if (i === 0) rig.clock.skip(11 * 60_000);
      sender.say(`/b${i}`, cdr(i));
      if (i % 64 === 63) await turns(2);
    }
    await turns(2);
    await rig.clock.advance(1_000);
    rig.clock.skip(11 * 60_000);
    session.loses = ({ key }) => key === 'fleet/r2/a';
    sender.say('/a', cdr(11));
    await turns();
    session.loses = () => false;
    sender.say('/a', cdr(12));
    await turns();
    await rig.clock.advance(1_000);
    expect(rig.line('/r2/a')).toMatchObject({ received: 12, forwarded: 11, dropped: { middleware: 1 } });
  });
});
