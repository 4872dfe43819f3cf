import { describe, expect, it } from 'vitest';
import { cpuLoad, memoryPressure, someOf } from '../../adapters/host-load/host-load.ts';
import { PressureWatch } from '../../daemon/runtime/queue/pressure-watch.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const PSI =
  'some avg10=31.25 avg60=4.00 avg300=1.00 total=1234\nfull avg10=9.99 avg60=0.00 avg300=0.00 total=1\n';
const host = (text: string | undefined, load = 12) => ({
  readText: () => {
    if (text === undefined) throw new Error('ENOENT');
    return text;
  },
  load: () => load,
  cores: 2,
});

describe('how busy the host is', () => {
  it('is read of the kernel, and unknown where that does not tell', () => {
    expect(memoryPressure(20, host(PSI)).read()).toBe(31.25);
    expect(memoryPressure(20, host(undefined)).read()).toBeUndefined();
    expect(someOf('avg10=1')).toBeUndefined();
    expect(cpuLoad(8, host(PSI)).read()).toBe(6);
    // And of this very host something sensible.
    expect(cpuLoad(8).read()).toBeGreaterThanOrEqual(0);
  });

  it('holds agents back above a limit, says why, and is asked once a second', async () => {
    const clock = new ManualClock();
    let load = 12;
    let asked = 0;
    const gauge = {
      ...cpuLoad(5),
      read: () => {
        asked++;
        return load / 2;
      },
    };
    const broken = {
      ...cpuLoad(1),
      read: () => {
        throw new Error('gone');
      },
    };
    const watch = new PressureWatch([{ ...cpuLoad(0), read: () => 99 }, broken, gauge], clock);
    expect(watch.held()).toBe('load of the host is 6 tasks per core, at most 5 for another agent');
    load = 4;
    expect(watch.held()).toMatch(/is 6/);
    expect(asked).toBe(1);
    await clock.advance(1_000);
    expect(watch.held()).toBeUndefined();
    expect(watch.readings().map(({ value }) => value)).toEqual([99, undefined, 2]);
  });
});
