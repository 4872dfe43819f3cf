import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { RosZenohSink } from '../../adapters/zenoh/ros/index.ts';
import { TopicReader } from '../../adapters/zenoh/ros/topic-reader.ts';
import { DEFAULT_QOS, LIMITS, type TopicSpec } from '../../contract/core.ts';
import { encodeTwist, FLOAT64_MULTI_ARRAY, TWIST } from '../../formats/cdr/index.ts';
import { STOP_BOUND_MS, STOP_REPEATS } from '../../formats/ros2/velocity-guard.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { rosNode } from '../support/ros-zenoh.ts';

const SPEEDS: TopicSpec = { topic: '/speeds', type: FLOAT64_MULTI_ARRAY, qos: DEFAULT_QOS, speeds: 2 };
const BASE: TopicSpec = { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS };

it('tells its standby what moves before a command leaves, as long as it moves, and not of what stands', async () => {
  const [clock, fabric] = [new ManualClock(), new MemoryFabric()];
  const { session, api } = await rosNode('edge', async () => new MemoryKeySpace(clock, fabric), { clock });
  const told: string[] = [];
  const sink = new RosZenohSink(session, {
    guard: ({ topic }) => void told.push(`guard ${topic}`),
    beat: (moving) => void told.push(moving.join(' ') || 'nothing'),
    close: () => void told.push('close'),
  });
  await sink.advertise(BASE);
  await sink.advertise({ ...BASE, topic: '/chatter', type: 'std_msgs/msg/String' });
  await clock.advance(50);
  expect(new Set(told.splice(0))).toEqual(new Set([`guard ${BASE.topic}`, 'nothing']));
  const twist = (x: number) => {
    const bytes = encodeTwist({ linear: { x, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } });
    sink.offer({ topic: BASE.topic, type: TWIST, stamp: 1n, received: 1n, bytes });
    return told.splice(0);
  };
  expect(twist(0.2)).toEqual([BASE.topic]);
  await clock.advance(100);
  expect(new Set(told.splice(0))).toEqual(new Set([BASE.topic]));
  twist(0);
  await clock.advance(50);
  expect(new Set(told.splice(0))).toEqual(new Set(['nothing']));
  // Nor of a command that was not renewed: it is stopped here.
  twist(0.2);
  await clock.advance(LIMITS.COMMAND_EXPIRY_MS + 50);
  expect(told.at(-1)).toBe('nothing');
  await sink.close();
  expect(told.at(-1)).toBe('close');
  await api.close();
});

it('whoever begins to listen to speeds of joints that we never sent does not halt them; a base is told to stand', async () => {
  const [clock, fabric] = [new ManualClock(), new MemoryFabric()];
  const node = (name: string) => rosNode(name, async () => new MemoryKeySpace(clock, fabric), { clock });
  const [us, robot, person] = [await node('edge'), await node('robot'), await node('person')];
  const heard = new Map<string, number>();
  const listen = async ({ session }: typeof us, spec: TopicSpec) => {
    const reader = new TopicReader(session, spec, () => {
      heard.set(spec.topic, (heard.get(spec.topic) ?? 0) + 1);
    });
    await reader.open();
    return reader;
  };
  /** What was sent in a step is heard before the next one. */
  const pass = async (ms: number) => {
    for (let i = 0; i < ms; i += 25) {
      await clock.advance(25);
      await turn();
    }
  };
  const readers = [await listen(robot, SPEEDS), await listen(robot, BASE)];
  const sink = new RosZenohSink(us.session);
  for (const spec of [SPEEDS, BASE]) await sink.advertise(spec);
  await pass(2 * STOP_BOUND_MS);
  expect([...heard]).toEqual([
    [SPEEDS.topic, STOP_REPEATS],
    [BASE.topic, STOP_REPEATS],
  ]);
  heard.clear();
  readers.push(await listen(person, SPEEDS), await listen(person, BASE));
  await pass(2 * STOP_BOUND_MS);
  expect([...heard]).toEqual([[BASE.topic, 2 * STOP_REPEATS]]);
  await sink.close();
  for (const reader of readers) await reader.close();
  for (const { api } of [us, robot, person]) await api.close();
});
