import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EdgeError,
  type Sample,
  type SampleSink,
  type SampleSource,
  type SourceState,
  type TopicSpec,
} from '../../contract/index.ts';
import { until } from '../support/until.ts';

/** A source with a robot behind it that keeps publishing `topics`, and the sink that leads to the same robot. */
export type SampleIoUnderTest = {
  readonly source: SampleSource;
  readonly sink: SampleSink;
  /** Two or more topics that the robot publishes again and again. */
  readonly topics: readonly TopicSpec[];
  /** A topic that the robot obeys, and one command for it. */
  readonly command: { readonly topic: TopicSpec; readonly sample: Sample };
  /** How many commands the robot has taken since the start. */
  obeyed(): number;
  /** Takes the robot away as rudely as it goes, and brings it back. */
  lose(): Promise<void>;
  restore(): Promise<void>;
  end(): Promise<void>;
};

/** What every source and sink promises, whatever robot is behind it. */
export function sampleIoConformance(name: string, make: () => Promise<SampleIoUnderTest>): void {
  describe(`SampleSource and SampleSink: ${name}`, () => {
    let io: SampleIoUnderTest;
    let samples: Sample[];
    let states: SourceState[];
    beforeEach(async () => {
      io = await make();
      samples = [];
      states = [];
    });
    afterEach(async () => {
      await io.source.close();
      await io.sink.close();
      await io.end();
    });

    const open = (topics: readonly TopicSpec[] = io.topics) =>
      io.source.open(
        topics,
        (sample) => samples.push(sample),
        (state) => states.push(state),
      );
    const flowing = (more = 20) => {
      const wanted = samples.length + more;
      return until(() => samples.length >= wanted, `${more} samples`);
    };

    it('delivers the topics asked for, with their types, and no other', async () => {
      const asked = io.topics.slice(0, 1);
      await open(asked);
      await flowing();
      expect(new Set(samples.map(({ topic, type }) => `${topic} ${type}`))).toEqual(
        new Set(asked.map(({ topic, type }) => `${topic} ${type}`)),
      );
    });

    it('gives each topic in its order, with times that do not step back', async () => {
      await open();
      await flowing(60);
      for (const { topic } of io.topics) {
        const received = samples.filter((sample) => sample.topic === topic).map((sample) => sample.received);
        expect(received).toEqual(received.toSorted((a, b) => Number(a - b)));
      }
      expect(samples.every(({ bytes, stamp }) => bytes.length > 4 && stamp > 0n)).toBe(true);
    });

    it('leaves the bytes to the receiver', async () => {
      const kept: [Sample, string][] = [];
      const digest = (sample: Sample) => createHash('sha256').update(sample.bytes).digest('hex');
      await io.source.open(
        io.topics,
        (sample) => {
          samples.push(sample);
          kept.push([sample, digest(sample)]);
        },
        () => {},
      );
      await flowing(100);
      for (const [sample, hash] of kept) expect(digest(sample)).toBe(hash);
    });

    it('never calls the receiver from within itself', async () => {
      let depth = 0;
      let deepest = 0;
      await io.source.open(
        io.topics,
        (sample) => {
          depth++;
          deepest = Math.max(deepest, depth);
          samples.push(sample);
          io.source.state();
          io.sink.offer(io.command.sample);
          depth--;
        },
        () => {},
      );
      await io.sink.advertise(io.command.topic);
      await flowing(40);
      expect(deepest).toBe(1);
    });

    it('says that it is connected, and why not when it lost its robot, and finds it again by itself', async () => {
      await open();
      await flowing();
      expect(io.source.state()).toMatchObject({ connected: true, reason: '' });
      await io.lose();
      await until(() => !io.source.state().connected, 'the loss to be noticed');
      expect(io.source.state().reason).not.toBe('');
      expect(states.at(-1)).toMatchObject({ connected: false });
      expect(io.sink.offer(io.command.sample)).toBe(false);
      await io.restore();
      await until(() => io.source.state().connected, 'the robot to be found again');
      await flowing();
      expect(states.at(-1)).toMatchObject({ connected: true });
    });

    it('tells a connection once and not again and again', async () => {
      await open();
      await flowing();
      expect(states.filter(({ connected }) => connected)).toHaveLength(1);
    });

    it('is silent after it was closed, and may be closed twice', async () => {
      await open();
      await flowing();
      await io.source.close();
      await io.source.close();
      const count = samples.length;
      expect(io.source.state().connected).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(samples).toHaveLength(count);
    });

    it('may be closed before it was opened, and is not opened afterwards', async () => {
      await io.source.close();
      await expect(open()).rejects.toBeInstanceOf(EdgeError);
    });

    it('takes commands for what was advertised, and the robot obeys them', async () => {
      await io.sink.advertise(io.command.topic);
      await io.sink.advertise(io.command.topic);
      await open();
      await flowing();
      const before = io.obeyed();
      await until(() => io.sink.offer(io.command.sample) && io.obeyed() > before, 'the robot to obey');
    });

    it('refuses, without throwing, what was not advertised and what comes after the end', async () => {
      await open();
      await flowing();
      expect(io.sink.offer({ ...io.command.sample, topic: '/nobody/listens' })).toBe(false);
      await io.sink.advertise(io.command.topic);
      expect(io.sink.offer({ ...io.command.sample, topic: '/nobody/listens' })).toBe(false);
      await io.sink.close();
      await io.sink.close();
      expect(io.sink.offer(io.command.sample)).toBe(false);
    });
  });
}
