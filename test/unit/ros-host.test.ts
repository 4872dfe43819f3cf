import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ChannelNumbers } from '../../adapters/ros/channel-numbers.ts';
import type { HostEvents, HostProcess } from '../../adapters/ros/host-process.ts';
import { ROS_LIMITS } from '../../adapters/ros/options.ts';
import { RosHost } from '../../adapters/ros/ros-host.ts';
import { DEFAULT_QOS, EdgeError, type TopicSpec } from '../../contract/index.ts';
import { decodeFloat64MultiArray, FLOAT64_MULTI_ARRAY } from '../../formats/cdr/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** Looks like an installation of ROS with rclnodejs to whoever only looks for their files. */
const directory = mkdtempSync(join(tmpdir(), 'ros-host-'));
afterAll(() => rmSync(directory, { recursive: true }));
mkdirSync(join(directory, 'lib'));
for (const name of ['lib/librcl.so', 'package.json']) writeFileSync(join(directory, name), '');

/** One life of a host process. */
class Life {
  /** What it was asked for, in order. */
  readonly asked: string[] = [];
  /** Topics that it was told to guard, the numbers of their stops, and whether it stands by. */
  readonly guarded: { topic: string; stop: number[]; standby: boolean; bounded: boolean }[] = [];
  refusal: EdgeError | undefined;
  readonly pid = 1;
  readonly lost = {};
  alive = true;
  readonly #events: HostEvents;

  constructor(events: HostEvents) {
    this.#events = events;
  }

  async ready(): Promise<void> {}
  async close(): Promise<void> {}
  halt(): void {}
  has(): boolean {
    return false;
  }

  async request(asked: {
    kind: string;
    channel: number;
    spec: TopicSpec;
    guard?: { stop: string; standby: boolean; bounded: boolean };
  }): Promise<void> {
    this.asked.push(`${asked.kind} ${asked.spec.topic} as ${asked.channel}`);
    const { guard, spec } = asked;
    if (guard) {
      const stop = [...decodeFloat64MultiArray(Buffer.from(guard.stop, 'base64'))];
      const { standby, bounded } = guard;
      this.guarded.push({ topic: spec.topic, stop, standby, bounded });
    }
    if (this.refusal) throw this.refusal;
  }

  forget(channel: number): void {
    this.asked.push(`forget ${channel}`);
  }

  say(channel: number): void {
    this.#events.onSample({ channel, stamp: 1n, received: 1n, bytes: new Uint8Array(4) });
  }

  die(): void {
    this.alive = false;
    this.#events.onExit('killed');
  }
}

async function started() {
  const clock = new ManualClock();
  const lives: Life[] = [];
  const env = { AMENT_PREFIX_PATH: directory, CC: 'no-such-compiler' };
  const options = { rclnodejs: directory, nativeDir: join(directory, 'native'), env };
  const host = new RosHost(options, clock, (_place, _start, _clock, events) => {
    const life = new Life(events);
    lives.push(life);
    return life as unknown as HostProcess;
  });
  await host.start({});
  return { clock, lives, host };
}

const topic = (name: string): TopicSpec => ({ topic: name, type: 'std_msgs/msg/UInt32', qos: DEFAULT_QOS });
const failed = () =>
  new EdgeError('ros.failed', { operation: 'subscribe', subject: '/a', message: 'refused' });

it('a topic that could not be subscribed anew comes back with the next host', async () => {
  const { clock, lives, host } = await started();
  const heard: string[] = [];
  const channel = await host.subscribe(topic('/a'), (sample) => heard.push(sample.topic));
  await host.resubscribe(channel);
  expect(lives[0]!.asked).toEqual(['subscribe /a as 0', 'forget 0', 'subscribe /a as 0']);
  lives[0]!.say(channel);
  lives[0]!.refusal = failed();
  await expect(host.resubscribe(channel)).rejects.toMatchObject({ code: 'ros.failed' });
  lives[0]!.die();
  await clock.advance(1_000);
  expect(lives[1]!.asked).toEqual(['subscribe /a as 0']);
  lives[1]!.say(channel);
  expect(heard).toEqual(['/a', '/a']);
  // One that was let go does not.
  host.unsubscribe(channel);
  lives[1]!.die();
  await clock.advance(10_000);
  expect(lives[2]!.asked).toEqual([]);
});

it('the number of a topic that was refused is given again after its rest', async () => {
  const { clock, lives, host } = await started();
  const [life] = lives as [Life];
  life.refusal = failed();
  for (let i = 0; i < 3; i++) {
    await expect(host.subscribe(topic('/a'), () => {})).rejects.toThrow('refused');
    await expect(host.advertise(topic('/b'))).rejects.toThrow('refused');
  }
  // A host that was only late with its answer must not say /a under a number that is soon another topic's.
  expect(life.asked.slice(0, 3)).toEqual(['subscribe /a as 0', 'forget 0', 'advertise /b as 1']);
  life.refusal = undefined;
  expect(await host.subscribe(topic('/a'), () => {})).toBe(6);
  await clock.advance(ROS_LIMITS.CHANNEL_REST_MS);
  expect(await host.subscribe(topic('/c'), () => {})).toBe(0);
  expect(await host.advertise(topic('/d'))).toBe(1);
});

it('a topic that is withdrawn is forgotten by the host and the next one; what moves the robot stays', async () => {
  const { clock, lives, host } = await started();
  const [a, b] = [await host.advertise(topic('/a')), await host.advertise(topic('/b'))];
  expect([host.withdraw(a), host.withdraw(a)]).toEqual([true, false]);
  expect(lives[0]!.asked).toEqual(['advertise /a as 0', 'advertise /b as 1', `forget ${a}`]);
  const speeds = await host.advertise({ ...topic('/speeds'), type: FLOAT64_MULTI_ARRAY, speeds: 3 });
  expect(host.withdraw(speeds)).toBe(false);
  lives[0]!.die();
  await clock.advance(10_000);
  expect(lives[1]!.asked).toEqual([`advertise /b as ${b}`, `advertise /speeds as ${speeds}`]);
});

it('joints that are driven by velocity are stopped by the host, by the one that stands by, and by the next', async () => {
  const { clock, lives, host } = await started();
  const joints = (name: string) => ({ ...topic(name), type: FLOAT64_MULTI_ARRAY });
  await host.advertise({ ...joints('/speeds'), speeds: 3 });
  // Of positions, zeros are a place to go to.
  await host.advertise(joints('/positions'));
  const guarded = { topic: '/speeds', stop: [0, 0, 0], standby: false, bounded: true };
  expect(lives[0]!.guarded).toEqual([guarded]);
  await clock.advance(ROS_LIMITS.STANDBY_AFTER_MS);
  expect(lives[1]!.guarded).toEqual([{ ...guarded, standby: true }]);
  lives[0]!.die();
  await clock.advance(1_000);
  expect(lives[1]!.guarded.at(-1)).toEqual(guarded);
});

it('there are as many numbers as the wire has', async () => {
  const clock = new ManualClock();
  const numbers = new ChannelNumbers(clock);
  for (let i = 0; i < 65_536; i++) numbers.take('/many');
  expect(() => numbers.take('/more')).toThrow('65536 topics');
  numbers.release(7);
  await clock.advance(ROS_LIMITS.CHANNEL_REST_MS);
  expect(numbers.take('/more')).toBe(7);
});
