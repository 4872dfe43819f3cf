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

describe('the bus', () => {
  it('refuses what is above the limit and counts it', () => {
    const { bus, ledger } = makeBus();
    let seen = 0;
    bus.tap('r', () => {
      seen += 1;
    });
    bus.publish({ ...sampleOf('/a', 0), bytes: new Uint8Array(LIMITS.SAMPLE_BYTES_MAX + 1) });
    expect(seen).toBe(0);
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
