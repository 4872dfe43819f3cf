import { describe, expect, it } from 'vitest';
import { makeAttachment, SequenceGaps } from '../../adapters/zenoh/ros/attachment.ts';
import { RosZenohSession, RosZenohSink, RosZenohSource } from '../../adapters/zenoh/ros/index.ts';
import { type Entity, tokenOf } from '../../adapters/zenoh/ros/names.ts';
import { qosText } from '../../adapters/zenoh/ros/qos-text.ts';
import { TopicReader } from '../../adapters/zenoh/ros/topic-reader.ts';
import { DEFAULT_QOS, type KeySpace, SENSOR_QOS, type TopicSpec } from '../../contract/core.ts';
import { readConfig } from '../../daemon/config.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import { TypeBook } from '../../formats/ros2/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { turns } from '../support/route-rig.ts';

const TEXT: TopicSpec = { topic: '/text', type: 'std_msgs/msg/String', qos: DEFAULT_QOS };
const TWIST: TopicSpec = { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', qos: DEFAULT_QOS };

function ros(open?: (made: MemoryKeySpace) => Promise<KeySpace>) {
  const clock = new ManualClock();
  const fabric = new MemoryFabric();
  const reports: string[] = [];
  const opened: MemoryKeySpace[] = [];
  const types = new TypeBook(() => undefined);
  const session = new RosZenohSession(
    { node: 'edge', namespace: '', domain: 0 },
    {
      clock,
      types,
      report: (_level, message) => void reports.push(message),
      open: async () => {
        const made = new MemoryKeySpace(clock, fabric);
        opened.push(made);
        return open ? open(made) : made;
      },
    },
  );
  const stranger = new MemoryKeySpace(clock, fabric);
  let id = 1;
  /** Announces a publisher of somebody else, or a subscription. */
  const publisher = (end: Partial<NonNullable<Entity['end']>>, kind: Entity['kind'] = 'MP') => {
    const { topic, type, qos } = TEXT;
    return stranger.liveliness(
      tokenOf({
        domain: 0,
        zid: 'abc',
        nodeId: '0',
        entityId: `${id++}`,
        kind,
        enclave: '',
        namespace: '/',
        node: 'talker',
        end: { name: topic, type, hash: types.hash(type), qos: qosText(qos), ...end },
      }),
    );
  };
  return { clock, fabric, session, reports, opened, publisher, stranger };
}

describe('nodes that do not agree with us', () => {
  it('are reported as over DDS: by topic, kind and count', async () => {
    const { session, publisher, reports } = ros();
    await session.start(TEXT);
    const reader = new TopicReader(session, TEXT, () => {});
    await reader.open();
    await publisher({ qos: qosText(SENSOR_QOS) });
    await publisher({ qos: qosText(SENSOR_QOS) });
    await publisher({ type: 'std_msgs/msg/Bool' });
    await turns();
    const found = session.peerFaults.reports();
    expect(found).toMatchObject([
      { topic: '/text', direction: 'in', kind: 'incompatible', count: 2, ours: DEFAULT_QOS },
      { topic: '/text', direction: 'in', kind: 'type', count: 1 },
    ]);
    expect(found[0]!.message).toContain('/talker');
    expect(reports).toHaveLength(2);
  });

  it('fill neither the log nor the memory with ever new definitions', async () => {
    const { session, publisher, reports } = ros();
    await session.start(TEXT);
    const reader = new TopicReader(session, TEXT, () => {});
    await reader.open();
    for (let n = 0; n < 500; n++) {
      const token = await publisher({ hash: `RIHS01_${n}` });
      await token.undeclare();
    }
    await turns();
    expect(session.peerFaults.reports()).toMatchObject([{ kind: 'type', count: 500 }]);
    expect(reports.length).toBeLessThan(20);
  });

  it('in a type without definition are told once, however often the topic is read anew', async () => {
    const { session, publisher, reports } = ros();
    const GRIP: TopicSpec = { topic: '/grip', type: 'acme_msgs/msg/Grip', qos: DEFAULT_QOS };
    await session.start(GRIP);
    const publishes = (hash: string) => publisher({ name: GRIP.topic, type: GRIP.type, hash });
    const read = async () => {
      const reader = new TopicReader(session, GRIP, () => {});
      await reader.open();
      await turns();
      await reader.close();
    };
    const first = await publishes('RIHS01_a');
    for (let i = 0; i < 3; i++) await read();
    expect(reports).toEqual([expect.stringContaining('(RIHS01_a) has no definition on this host')]);
    await first.undeclare();
    await publishes('RIHS01_b');
    await turns();
    await read();
    expect(reports.slice(1)).toEqual([expect.stringContaining('(RIHS01_b)')]);
  });

  it('are no topics under names that ROS does not have', async () => {
    const { clock, session, publisher } = ros();
    const found: string[] = [];
    const source = new RosZenohSource(session, {
      discover: () => true,
      onTopics: (topics) => void found.push(...topics.map(({ topic }) => topic)),
    });
    await source.open(
      [],
      () => {},
      () => {},
    );
    await publisher({ name: '/good' });
    await publisher({ name: '/bad-name' });
    await publisher({ name: '//x' });
    await turns();
    await clock.advance(200);
    await turns();
    expect(found).toEqual(['/good']);
    await source.close();
  });
});

describe('a publisher whose numbers jump', () => {
  it('has lost nothing that anybody could have sent', () => {
    const gaps = new SequenceGaps();
    const gid = new Uint8Array(16).fill(7);
    const take = (sequence: bigint) => gaps.take(makeAttachment(sequence, 0n, gid));
    expect([take(1n), take(5n), take(1n << 52n), take((1n << 52n) + 2n)]).toEqual([0, 3, 0, 1]);
  });
});

describe('a session of ROS over Zenoh', () => {
  it('is closed although something of it could not be undeclared', async () => {
    const { session, opened } = ros(async (made) => {
      const liveliness = made.liveliness.bind(made);
      made.liveliness = async (key) => ({
        ...(await liveliness(key)),
        undeclare: () => Promise.reject(new Error('stuck')),
      });
      return made;
    });
    await session.start(TEXT);
    await session.release(TEXT);
    await expect(opened[0]!.put('a', new Uint8Array(1))).rejects.toMatchObject({ code: 'zenoh.closed' });
  });

  it('of a second try is not forgotten by the failure of the first', async () => {
    let tries = 0;
    const { session, opened } = ros(async (made) => {
      if (++tries === 1) throw new Error('no link yet');
      return made;
    });
    const [a, b] = [{}, {}];
    const first = session.start(a).catch(() => session.start(a));
    const second = session.start(b).catch(() => session.start(b));
    await Promise.all([first, second]);
    expect(opened).toHaveLength(2);
    await session.release(a);
    await session.release(b);
    await expect(opened[1]!.put('a', new Uint8Array(1))).rejects.toMatchObject({ code: 'zenoh.closed' });
  });

  it('does not outlive a sink that is closed while a topic is declared', async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { clock, fabric, session, opened } = ros(async (made) => {
      const liveliness = made.liveliness.bind(made);
      made.liveliness = async (key) => {
        if (key.includes('/MP/')) {
          asked.resolve();
          await gate.promise;
        }
        return liveliness(key);
      };
      return made;
    });
    // The source is in the graph still.
    await session.start(TEXT);
    const sink = new RosZenohSink(session);
    const advertising = sink.advertise(TWIST);
    advertising.catch(() => {});
    await asked.promise;
    await sink.close();
    gate.resolve();
    await expect(advertising).rejects.toThrow();
    await clock.advance(1_000);
    const tokens = [...fabric.tokens.values()].filter((token) => token.includes('/MP/'));
    expect(tokens).toEqual([]);
    await session.release(TEXT);
    await expect(opened[0]!.put('a', new Uint8Array(1))).rejects.toMatchObject({ code: 'zenoh.closed' });
  });
});

describe('a stop over a full link', () => {
  async function driven() {
    const puts: { payload: Uint8Array; congestion: string | undefined; done: () => void }[] = [];
    let isStuck = false;
    const rig = ros(async (made) => {
      made.put = (_key, payload, options) =>
        new Promise<void>((resolve) => {
          puts.push({ payload, congestion: options?.congestion, done: resolve });
          if (!isStuck) resolve();
        });
      return made;
    });
    const sink = new RosZenohSink(rig.session);
    await sink.advertise(TWIST);
    const hash = new TypeBook(() => undefined).hash(TWIST.type);
    await rig.publisher({ name: TWIST.topic, type: TWIST.type, hash }, 'MS');
    await turns();
    const drive = (x = 1) => {
      const bytes = encodeTwist({ linear: { x, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } });
      return sink.offer({ topic: TWIST.topic, type: TWIST.type, stamp: 1n, received: 1n, bytes });
    };
    const stick = (stuck: boolean) => {
      isStuck = stuck;
    };
    return { ...rig, sink, puts, drive, stick };
  }
  const isStill = ({ payload }: { payload: Uint8Array }) => payload.subarray(4).every((byte) => byte === 0);

  it('waits for room, where other commands are dropped', async () => {
    const { clock, puts, drive } = await driven();
    drive();
    await clock.advance(1_000);
    expect(puts.filter((put) => !isStill(put)).map(({ congestion }) => congestion)).toEqual(['drop']);
    const stops = puts.filter(isStill).map(({ congestion }) => congestion);
    expect(stops.length).toBeGreaterThan(1);
    expect(new Set(stops)).toEqual(new Set(['block']));
  });

  it('waits as well where it is an order', async () => {
    const { puts, drive } = await driven();
    drive(1);
    drive(0);
    expect(puts.slice(-2).map(({ congestion }) => congestion)).toEqual(['drop', 'block']);
  });

  it('stays owed while nothing more is taken', async () => {
    const { clock, puts, drive, stick } = await driven();
    stick(true);
    for (let n = 0; n < 300; n++) drive();
    await clock.advance(5_000);
    expect(puts.some(isStill)).toBe(false);
    stick(false);
    for (const { done } of puts) done();
    await clock.advance(1_000);
    expect(puts.some(isStill)).toBe(true);
  });
});

describe('a configuration that could only be silent', () => {
  const faults = (toml: string) => readConfig(toml, 'test.toml', {}).faults.map(({ key }) => key);

  it('is refused with the key that is wrong', () => {
    const robot = '[robot]\nsource = "ros_zenoh"\n';
    expect(faults(`${robot}[zenoh]\nenabled = false\nconnect = ["tcp/10.0.0.1:7447"]\n`)).toEqual([
      'robot.source',
    ]);
    expect(faults(robot)).toEqual(['zenoh.connect']);
    expect(faults(`${robot}[zenoh]\nconnect = ["tcp/10.0.0.1:7447"]\n`)).toEqual([]);
    expect(faults(`${robot}[zenoh]\nmode = "router"\nlisten = ["tcp/0.0.0.0:7447"]\n`)).toEqual([]);
    expect(faults('[zenoh]\nbulk_connection = true\n')).toEqual(['zenoh.bulk_connection']);
  });
});
