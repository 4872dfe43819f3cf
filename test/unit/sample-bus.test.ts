import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS, type Sample } from '../../contract/index.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { sampleOf } from '../support/recorder.ts';

const makeBus = () => {
  const clock = new ManualClock();
  const ledger = new Ledger();
  return { clock, ledger, bus: new SampleBus({ clock, ledger }) };
};
const numbers = (samples: readonly Sample[]) =>
  samples.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true));

describe('a subscription', () => {
  it('gives its reader the topics it asked for, in order', () => {
    const { bus } = makeBus();
    const reader = bus.subscribe({ name: 'r', topics: new Set(['/a']), whenFull: 'refuse' });
    for (let i = 0; i < 5; i++) bus.publish(sampleOf(i % 2 === 0 ? '/a' : '/b', i));
    expect(numbers(reader.take())).toEqual([0, 2, 4]);
  });

  it('that is full drops its oldest or refuses the new one, and counts either', () => {
    const { bus } = makeBus();
    const oldest = bus.subscribe({ name: 'o', whenFull: 'drop_oldest', samplesMax: 3 });
    const refuse = bus.subscribe({ name: 'r', whenFull: 'refuse', samplesMax: 3 });
    for (let i = 0; i < 5; i++) bus.publish(sampleOf('/a', i));
    expect(numbers(oldest.take())).toEqual([2, 3, 4]);
    expect(numbers(refuse.take())).toEqual([0, 1, 2]);
    expect(oldest.dropped()).toEqual({ '/a': { queue_full: 2 } });
    expect(refuse.dropped()).toEqual({ '/a': { queue_full: 2 } });
  });

  it('never holds more bytes than its bound, and accounts for every sample', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 8, max: 400 }), fc.nat(3)), { maxLength: 200 }),
        fc.constantFrom('drop_oldest' as const, 'refuse' as const),
        (steps, whenFull) => {
          const { bus } = makeBus();
          const reader = bus.subscribe({ name: 'r', whenFull, bytesMax: 1000, samplesMax: 7 });
          let taken = 0;
          for (const [size, take] of steps) {
            bus.publish(sampleOf('/a', 0, size));
            expect(reader.queuedBytes).toBeLessThanOrEqual(1000);
            expect(reader.queued).toBeLessThanOrEqual(7);
            if (take === 0) taken += reader.take(2).length;
          }
          const dropped = reader.dropped()['/a']?.queue_full ?? 0;
          expect(taken + dropped + reader.queued).toBe(steps.length);
        },
      ),
    );
  });

  it('wakes a waiting reader and ends it when it is closed', async () => {
    const { bus } = makeBus();
    const reader = bus.subscribe({ name: 'r', whenFull: 'refuse' });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const sample of reader) seen.push(...numbers([sample]));
    })();
    for (let i = 0; i < 3; i++) {
      bus.publish(sampleOf('/a', i));
      await Promise.resolve();
    }
    reader.close();
    await reading;
    bus.publish(sampleOf('/a', 9));
    expect(seen).toEqual([0, 1, 2]);
  });
});

describe('the bus', () => {
  it('refuses what is above the limit and counts it', () => {
    const { bus, ledger } = makeBus();
    const reader = bus.subscribe({ name: 'r', whenFull: 'refuse' });
    bus.publish({ ...sampleOf('/a', 0), bytes: new Uint8Array(LIMITS.SAMPLE_BYTES_MAX + 1) });
    expect(reader.queued).toBe(0);
    expect(ledger.lines()).toEqual([{ topic: '/a', received: 1, written: 0, dropped: { too_large: 1 } }]);
  });

  it('keeps one bad tap from the others and says so', () => {
    const told: string[] = [];
    const bus = new SampleBus({
      ...{ clock: new ManualClock(), ledger: new Ledger() },
      onTapFault: (tap, error, times) => void told.push(`${tap} ${(error as Error).message} ${times}`),
    });
    let seen = 0;
    bus.tap('bad', () => {
      throw new Error('defect');
    });
    bus.tap('good', () => {
      seen += 1;
    });
    bus.publish(sampleOf('/a', 0));
    expect(seen).toBe(1);
    expect(bus.tapFaults()).toEqual({ bad: 1 });
    for (let n = 1; n < 150; n++) bus.publish(sampleOf('/a', n));
    expect(told).toEqual(['bad defect 1', 'bad defect 10', 'bad defect 100']);
  });

  it('forgets topics that are gone, and what they cost in memory; the ledger keeps its counts', () => {
    const { bus, ledger } = makeBus();
    bus.publish(sampleOf('/gone', 0));
    bus.publish({ ...sampleOf('/gone', 1), bytes: new Uint8Array(LIMITS.SAMPLE_BYTES_MAX + 1) });
    bus.publish(sampleOf('/kept', 0));
    bus.forget(['/gone', '/unknown']);
    expect([bus.last('/gone'), Object.keys(bus.rates())]).toEqual([undefined, ['/kept']]);
    expect(ledger.lines()).toMatchObject([{ topic: '/gone', received: 1, dropped: { too_large: 1 } }]);
    bus.publish(sampleOf('/gone', 2));
    expect(numbers([bus.last('/gone')!])).toEqual([2]);
  });

  it('knows the rate of a topic, also after it fell silent', async () => {
    const { bus, clock } = makeBus();
    for (let i = 0; i < 150; i++) {
      bus.publish(sampleOf('/a', i));
      await clock.advance(10);
    }
    expect(bus.rates()['/a']).toBeCloseTo(100, 0);
    await clock.advance(5_000);
    expect(bus.rates()['/a']).toBeLessThan(20);
    await clock.advance(5_000);
    expect(bus.rates()['/a']).toBe(0);
  });
});
