import { describe, expect, it } from 'vitest';
import {
  hostClockQuality,
  readChrony,
  readPmc,
  readTimedatectl,
  runTool,
} from '../../adapters/clock/host-clock-quality.ts';
import type { ClockQuality, EventPayload, NewEvent, Sample } from '../../contract/core.ts';
import { ClockWatch } from '../../daemon/execution/clock/clock-watch.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** As the tools print it. */
const CHRONY =
  'A29FC87B,162.159.200.123,4,1763726400.123456789,0.000012345,-0.000001234,0.000023456,-12.345,0.001,0.034,0.012345678,0.000987654,64.4,Normal\n';
const CHRONY_ALONE =
  '7F7F0101,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.0,1.0,0.0,Not synchronised\n';
const PMC = `sending: GET PORT_DATA_SET
	b827eb.fffe.123456-1 seq 0 RESPONSE MANAGEMENT PORT_DATA_SET
		portIdentity            b827eb.fffe.123456-1
		portState               SLAVE
sending: GET CURRENT_DATA_SET
	b827eb.fffe.123456-0 seq 0 RESPONSE MANAGEMENT CURRENT_DATA_SET
		stepsRemoved     1
		offsetFromMaster -123.0
		meanPathDelay    4567.0
`;

describe('the clock of the host', () => {
  it('is read from chrony, PTP and systemd', () => {
    expect(readChrony(CHRONY)).toEqual({ source: 'ntp', synchronised: true, offset_ns: 12_345 });
    expect(readChrony(CHRONY.replace('162.159.200.123', 'PPS'))).toMatchObject({ source: 'gps' });
    expect(readChrony(CHRONY_ALONE)).toEqual({ source: 'ntp', synchronised: false });
    expect(readPmc(PMC)).toEqual({ source: 'ptp', synchronised: true, offset_ns: -123 });
    expect(readPmc(PMC.replace('SLAVE', 'MASTER'))).toBeUndefined();
    expect(readTimedatectl('NTP=yes\nNTPSynchronized=yes\n')).toEqual({ source: 'ntp', synchronised: true });
    expect(readTimedatectl('NTP=no\nNTPSynchronized=no\n')).toEqual({
      source: 'system',
      synchronised: false,
    });
    for (const read of [readChrony, readPmc, readTimedatectl])
      expect(read('506 Cannot talk to daemon')).toBeUndefined();
  });

  it('is what the first tool that follows a reference says, and unknown where none is there', async () => {
    const tools: Record<string, string> = {
      chronyc: CHRONY_ALONE,
      timedatectl: 'NTP=yes\nNTPSynchronized=yes\n',
    };
    const run = async (command: string) => tools[command] ?? Promise.reject(new Error('ENOENT'));
    expect(await hostClockQuality(run)).toEqual({ source: 'ntp', synchronised: true });
    delete tools['timedatectl'];
    expect(await hostClockQuality(run)).toEqual({ source: 'ntp', synchronised: false });
    expect(await hostClockQuality(async () => Promise.reject(new Error('ENOENT')))).toEqual({
      source: 'unknown',
      synchronised: false,
    });
  });

  it('starts no process for a tool that the host does not have', async () => {
    await expect(runTool('no-such-clock-tool', [])).rejects.toThrow('no-such-clock-tool is not installed');
    expect(await runTool('true', [])).toBe('');
  });

  it('asks with a deadline: a tool that hangs is killed', async () => {
    await expect(runTool('sleep', ['60'])).rejects.toThrow();
    // And for real, whatever this host has.
    expect(await hostClockQuality()).toMatchObject({
      source: expect.any(String),
      synchronised: expect.any(Boolean),
    });
  });
});

describe('the watch over clocks', () => {
  function watchWith(isSimulated = false) {
    const clock = new ManualClock();
    const events: NewEvent[] = [];
    const facts: Readonly<Record<string, string>>[] = [];
    let host: ClockQuality = { source: 'ntp', synchronised: true, offset_ns: 1_000 };
    const watch = new ClockWatch({
      clock,
      ask: async () => host,
      source: isSimulated ? 'sim' : 'ros',
      isSimulated,
      emit: async (told) => void events.push(...told),
      report: () => {},
      onChange: (told) => facts.push(told),
    });
    const say = (offsetMs: number) => {
      const received = clock.now();
      watch.sample({ received, stamp: received - BigInt(Math.round(offsetMs * 1e6)) } as Sample);
    };
    const told = () => events.map((e) => e.payload as EventPayload<'clock.quality'>);
    return { clock, watch, events, facts, say, told, setHost: (next: ClockQuality) => (host = next) };
  }

  it('tells the host once, and again only when something changed or it is time', async () => {
    const { clock, watch, told, setHost } = watchWith();
    watch.start();
    await clock.advance(1_000);
    expect(told().map(({ subject }) => subject)).toEqual(['host', 'ros']);
    await clock.advance(5 * 60_000);
    expect(told()).toHaveLength(2);
    setHost({ source: 'ntp', synchronised: false });
    await clock.advance(61_000);
    expect(told().slice(2)).toMatchObject([
      { subject: 'host', clock: { source: 'ntp', synchronised: false }, reason: 'changed' },
      { subject: 'ros', clock: { synchronised: false } },
    ]);
    await clock.advance(11 * 60_000);
    expect(told().at(-1)).toMatchObject({ reason: 'as before' });
    watch.close();
  });

  it('says how far stamps are off, and puts it beside the data', async () => {
    const { clock, watch, facts, say, told } = watchWith();
    watch.start();
    for (let i = 0; i < 100; i++) say(40 + (i % 11));
    await clock.advance(1_500);
    const { stamps } = told().find((payload) => payload.stamps)!;
    expect(stamps).toEqual({ samples: 100, median_ms: 45, spread_ms: 8 });
    expect(facts.at(-1)).toEqual({
      subject: 'ros',
      source: 'ntp',
      synchronised: 'true',
      offset_ns: '1000',
      stamp_median_ms: '45.000',
      stamp_spread_ms: '8.000',
    });
    watch.close();
  });

  it.each([
    ['forwards', 90_000],
    ['backwards', -3_600_000],
  ])('tells a jump %s, once, and goes on', async (word, ms) => {
    const { clock, watch, told } = watchWith();
    watch.start();
    await clock.advance(5_000);
    clock.jumpWall(BigInt(ms) * 1_000_000n);
    await clock.advance(5_000);
    const jumps = told().filter(({ jump_ms }) => jump_ms !== undefined);
    expect(jumps).toMatchObject([{ subject: 'host', jump_ms: ms, reason: expect.stringContaining(word) }]);
    watch.close();
  });

  it('does not take a process that was stopped for a clock that jumped', async () => {
    const { clock, watch, told } = watchWith();
    watch.start();
    await clock.advance(2_000);
    clock.skip(30_000);
    await clock.advance(5_000);
    expect(told().filter(({ jump_ms }) => jump_ms !== undefined)).toEqual([]);
    watch.close();
  });

  it('says simulation in simulation, whatever the host says', async () => {
    const { clock, watch, told } = watchWith(true);
    watch.start();
    await clock.advance(1_000);
    expect(told().find(({ subject }) => subject === 'sim')).toMatchObject({
      clock: { source: 'simulation' },
    });
    watch.close();
  });
});
