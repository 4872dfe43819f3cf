import { describe, expect, it } from 'vitest';
import { STANDBY_TICK_MS, StandbyDesk } from '../../adapters/zenoh/ros/standby-desk.ts';
import { LIMITS } from '../../contract/index.ts';
import { STOP_REPEATS } from '../../formats/ros2/velocity-guard.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { VirtualProcess } from '../support/faults/virtual/process.ts';

const BEAT_MS = 75;
const ALL = 10 * STOP_REPEATS * STANDBY_TICK_MS;
const WHEELS = '/cmd_vel';
const LIFT = '/lift/commands';

/** A standby in a process that the test may freeze, the zeros that it sent, and a sender that beats while it lives. */
function rig(topics: readonly string[] = [WHEELS]) {
  const clock = new ManualClock();
  const process = new VirtualProcess('standby', clock);
  const zeros: string[] = [];
  const reported: string[] = [];
  const ended = { count: 0 };
  const desk = new StandbyDesk(process, {
    stopped: (some) => void reported.push(...some),
    done: () => void ended.count++,
  });
  const link = { listeners: 1, takes: true };
  for (const topic of topics)
    desk.guard({
      ...{ topic, bounded: false, listeners: () => link.listeners },
      sendStop: () => {
        if (link.takes) zeros.push(topic);
        return link.takes;
      },
    });
  const drives = async (ms: number, ...moving: string[]) => {
    for (let left = ms; left > 0; left -= BEAT_MS) {
      process.deliver(() => desk.beat(moving));
      await clock.advance(BEAT_MS);
    }
  };
  const leave = () => process.deliver(() => desk.leave());
  return { clock, process, zeros, reported, link, drives, leave, ended };
}

describe('the standby of a robot on rmw_zenoh', () => {
  it('sends nothing while its sender drives, stands or has not moved anything', async () => {
    const { clock, zeros, drives } = rig();
    await clock.advance(ALL);
    await drives(3_000, WHEELS);
    await drives(BEAT_MS);
    await clock.advance(ALL);
    expect(zeros).toEqual([]);
  });

  it('stops what moved when the beats stay away, each topic by itself, and says so once', async () => {
    const { clock, zeros, reported, drives } = rig([WHEELS, LIFT]);
    await drives(300, WHEELS);
    const sinceMs = clock.monotonicMs() - BEAT_MS;
    while (zeros.length === 0) await clock.advance(STANDBY_TICK_MS);
    expect(clock.monotonicMs() - sinceMs).toBeLessThanOrEqual(LIMITS.COMMAND_EXPIRY_MS + 2 * STANDBY_TICK_MS);
    await clock.advance(ALL);
    expect(zeros).toEqual(Array.from({ length: STOP_REPEATS }, () => WHEELS));
    expect(reported).toEqual([WHEELS]);
  });

  it.each([
    [310, 'timers'],
    [400, 'timers'],
    [2_000, 'timers'],
    [2_000, 'mail'],
    [60_000, 'timers'],
  ] as const)(
    'sends no zero of its own where it was not run for %i ms and its sender drove on; %s first',
    async (ms, first) => {
      const { clock, process, zeros, drives } = rig();
      await drives(300, WHEELS);
      process.freeze();
      await drives(ms, WHEELS);
      process.thaw(first === 'mail');
      await clock.advance(STANDBY_TICK_MS);
      await drives(1_000, WHEELS);
      expect(zeros).toEqual([]);
    },
  );

  it('stops at once when it runs again, where the sender was silent in that time too', async () => {
    const { clock, process, zeros, drives } = rig();
    await drives(300, WHEELS);
    process.freeze();
    await clock.advance(2_000);
    process.thaw();
    await clock.advance(STANDBY_TICK_MS - 1);
    expect(zeros).toEqual([WHEELS]);
  });

  it('stops also where the host never runs it in time', async () => {
    const { clock, process, zeros, drives } = rig();
    await drives(300, WHEELS);
    for (let i = 0; i < 5; i++) {
      process.freeze();
      await clock.advance(200);
      process.thaw();
      await clock.advance(2);
    }
    expect(zeros.length).toBeGreaterThan(2);
  });

  it('does not wait for its mail where the sender is gone', async () => {
    const { clock, process, zeros, drives, leave } = rig();
    await drives(300, WHEELS);
    process.freeze();
    leave();
    await clock.advance(200);
    process.thaw();
    expect(zeros).toEqual([WHEELS]);
    await clock.advance(ALL);
    expect(zeros).toHaveLength(STOP_REPEATS);
  });

  it('leaves when all that moved was stopped, and at once where nothing moved', async () => {
    const still = rig();
    await still.drives(300);
    still.leave();
    await still.clock.advance(0);
    expect(still.ended.count).toBe(1);
    const { clock, drives, leave, ended, link } = rig([WHEELS, LIFT]);
    await drives(300, WHEELS, LIFT);
    link.listeners = 0;
    leave();
    await clock.advance(ALL);
    expect(ended.count).toBe(0);
    link.listeners = 1;
    await clock.advance(ALL);
    expect(ended.count).toBe(1);
  });

  it('ends what it had begun to stop before its sender went', async () => {
    const { clock, zeros, drives, leave, ended } = rig();
    await drives(300, WHEELS);
    while (zeros.length < 3) await clock.advance(STANDBY_TICK_MS);
    leave();
    expect(ended.count).toBe(0);
    await clock.advance(ALL);
    expect([zeros.length, ended.count]).toEqual([STOP_REPEATS, 1]);
  });

  it('tries again what the link did not take, and gives up after half a minute', async () => {
    const { clock, zeros, drives, leave, ended, link } = rig();
    await drives(300, WHEELS);
    link.takes = false;
    leave();
    await clock.advance(20_000);
    expect([zeros.length, ended.count]).toEqual([0, 0]);
    link.takes = true;
    await clock.advance(ALL);
    expect([zeros.length, ended.count]).toEqual([STOP_REPEATS, 1]);
    const lost = rig();
    await lost.drives(300, WHEELS);
    lost.link.listeners = 0;
    lost.leave();
    await lost.clock.advance(30_100);
    expect(lost.ended.count).toBe(1);
  });
});
