import { describe, expect, it } from 'vitest';
import type { RosHost } from '../../adapters/ros/ros-host.ts';
import { RosSource } from '../../adapters/ros/ros-source.ts';
import type { Sample, TopicSpec } from '../../contract/core.ts';

/** As much of a ROS host as a source needs: channels, and who is on them. */
class Host {
  readonly calls: string[] = [];
  readonly channels = new Map<number, { spec: TopicSpec; onSample: (sample: Sample) => void }>();
  refusal: Error | undefined;
  /** Answers the next subscription only when told to. */
  gate: Promise<void> = Promise.resolve();
  #next = 0;
  readonly #silent = new Set<number>();
  readonly ownNodes = new Set<string>();

  async start(): Promise<void> {}
  async release(): Promise<void> {}
  definitionOf = () => 'uint32 data';
  isInstalled = () => true;
  onState(): void {}
  state = () => ({ connected: true, reason: '', lost: {} });

  async subscribe(spec: TopicSpec, onSample: (sample: Sample) => void): Promise<number> {
    await this.gate;
    if (this.refusal) throw this.refusal;
    const channel = this.#next++;
    this.channels.set(channel, { spec, onSample });
    this.calls.push(`+${spec.topic}`);
    return channel;
  }

  /** As the real one: the number stays, and with it the topic. */
  async resubscribe(channel: number): Promise<void> {
    const { topic } = this.channels.get(channel)!.spec;
    this.calls.push(`-${topic}`);
    this.#silent.add(channel);
    await this.gate;
    if (this.refusal) throw this.refusal;
    this.#silent.delete(channel);
    this.calls.push(`+${topic}`);
  }

  unsubscribe(channel: number): void {
    this.calls.push(`-${this.channels.get(channel)!.spec.topic}`);
    this.channels.delete(channel);
  }

  say(topic: string): void {
    for (const [channel, { spec, onSample }] of this.channels)
      if (spec.topic === topic && !this.#silent.has(channel))
        onSample({ topic, type: spec.type, stamp: 0n, received: 0n, bytes: new Uint8Array(8) });
  }
}

const topic = (name: string): TopicSpec => ({
  topic: name,
  type: 'std_msgs/msg/UInt32',
  qos: { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 10 },
});

async function opened() {
  const host = new Host();
  const source = new RosSource(host as unknown as RosHost);
  const heard: string[] = [];
  await source.open(
    [topic('/a'), topic('/b')],
    (sample) => heard.push(sample.topic),
    () => {},
  );
  host.calls.length = 0;
  return { host, source, heard };
}

it('a source that is opened once more hears each message once', async () => {
  const { host, source, heard } = await opened();
  await source.open(
    [topic('/a'), topic('/b'), topic('/c')],
    (sample) => heard.push(sample.topic),
    () => {},
  );
  expect(host.calls).toEqual(['+/c']);
  host.say('/a');
  expect(heard).toEqual(['/a']);
});

describe('subscribing one topic of a ROS graph anew', () => {
  it('touches that topic alone, and hears it once for each message', async () => {
    const { host, source, heard } = await opened();
    await source.resubscribe('/a');
    expect(host.calls).toEqual(['-/a', '+/a']);
    host.say('/a');
    host.say('/b');
    expect(heard).toEqual(['/a', '/b']);
    expect(source.topics().map((spec) => spec.topic)).toEqual(['/a', '/b']);
    await source.resubscribe('/unknown');
    expect(host.calls).toHaveLength(2);
  });

  it('may fail and be asked again', async () => {
    const { host, source, heard } = await opened();
    host.refusal = new Error('no such type support');
    await expect(source.resubscribe('/a')).rejects.toThrow('no such type support');
    host.refusal = undefined;
    await source.resubscribe('/a');
    host.say('/a');
    expect(heard).toEqual(['/a']);
    await source.close();
    expect(host.channels.size).toBe(0);
  });

  it('leaves nothing behind when the source is closed meanwhile, or asked twice at once', async () => {
    const { host, source } = await opened();
    const opening = Promise.withResolvers<void>();
    host.gate = opening.promise;
    const asked = [source.resubscribe('/a'), source.resubscribe('/a')];
    opening.resolve();
    await Promise.all(asked);
    expect([...host.channels.values()].map(({ spec }) => spec.topic).sort()).toEqual(['/a', '/b']);
    const late = Promise.withResolvers<void>();
    host.gate = late.promise;
    const closing = source.resubscribe('/a');
    await source.close();
    late.resolve();
    await closing;
    expect(host.channels.size).toBe(0);
  });
});
