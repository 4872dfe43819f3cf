import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeError, NS_PER_MS, type ScheduleSpec, TOPICS } from '../../contract/index.ts';
import { jitterOf } from '../../daemon/runtime/schedule/decide-due.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { duesOf, firedOf, intentsOf, iso, ScheduleLife, spec } from '../support/schedule-rig.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = '2026-05-01T00:30:00Z';
const clockAt = (time: string) => new ManualClock(BigInt(Date.parse(time)) * NS_PER_MS);

/** Lets time pass in steps, each with enough turns for what a step sets off to be written and answered. */
async function pass(clock: ManualClock, ms: number, stepMs = 1_000): Promise<void> {
  for (let left = ms; left >= 0; left -= stepMs) {
    await clock.advance(Math.min(left, stepMs));
    for (let i = 0; i < 60; i++) await Promise.resolve();
  }
}

async function begin(clock: ManualClock, disk: MemoryLogDisk, ...specs: ScheduleSpec[]) {
  const life = new ScheduleLife(clock, disk, specs.length > 0 ? specs : [spec()]);
  await life.runner.start();
  await pass(clock, 0);
  return life;
}

describe('a schedule', () => {
  it('opens a run at each due time, with the time as its key, and nothing before', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    await begin(clock, disk, spec({ params: { floor: 2 }, priority: 7, deadlineMs: 30 * MINUTE }));
    await pass(clock, 29 * MINUTE + 59_000);
    expect(intentsOf(disk)).toEqual([]);
    await pass(clock, 1_000 + 2 * HOUR);
    expect(duesOf(disk)).toEqual(['2026-05-01T01:00:00Z', '2026-05-01T02:00:00Z', '2026-05-01T03:00:00Z']);
    const { intent } = intentsOf(disk)[0]!.payload;
    expect(intent).toMatchObject({ type: 'test/patrol', params: { floor: 2 }, priority: 7 });
    expect(intent.policy_ctx).toEqual({
      tenant: 'local',
      principal: 'schedule/patrol',
      roles: ['operator'],
      origin: 'schedule',
    });
    expect(iso(intent.deadline!)).toBe('2026-05-01T01:30:00Z');
  });

  it('is in the log as due before its intent is, and says so when it is new', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    await begin(clock, disk);
    await pass(clock, HOUR);
    expect(disk.events.map(({ kind }) => kind)).toEqual([
      'schedule.fired',
      'schedule.fired',
      'intent.accepted',
    ]);
    expect(firedOf(disk)).toMatchObject([
      { action: 'known', reason: 'the schedule is new', spec: '0 * * * * UTC' },
      { action: 'run', missed: 0, reason: 'due' },
    ]);
  });

  it('puts each time off by its own jitter, the same after a restart, another on another robot', async () => {
    const one = spec({ jitterMs: 10 * MINUTE });
    const due = Date.parse('2026-05-01T01:00:00Z');
    const delay = jitterOf(one, due, 'r1');
    expect(delay).toBeLessThanOrEqual(10 * MINUTE);
    const delays = new Set(Array.from({ length: 50 }, (_, i) => jitterOf(one, due, `r${i}`)));
    expect(delays.size).toBeGreaterThan(45);
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    await begin(clock, disk, one);
    await pass(clock, 30 * MINUTE + delay - 1);
    expect(intentsOf(disk)).toEqual([]);
    await pass(clock, 1);
    expect(duesOf(disk)).toEqual(['2026-05-01T01:00:00Z']);
  });
});

describe('times that passed while the daemon was down', () => {
  async function down(missed: ScheduleSpec['missed'], ms: number) {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const first = await begin(clock, disk, spec({ missed }));
    first.kill();
    clock.skip(ms);
    const life = await begin(clock, disk, spec({ missed }));
    await pass(clock, 3_000);
    return { disk, life };
  }

  it('are made up for once, with their number', async () => {
    const { disk, life } = await down('run_once', 5 * HOUR);
    expect(duesOf(disk)).toEqual(['2026-05-01T05:00:00Z']);
    expect(life.runner.views()[0]).toMatchObject({
      last: { action: 'run', missed: 4, reason: 'made up for: seen 30 min late', run_id: expect.any(String) },
    });
  });

  it('are each made up for, the newest of very many', async () => {
    const { disk } = await down('run_all', 5 * HOUR);
    expect(duesOf(disk)).toEqual([1, 2, 3, 4, 5].map((hour) => `2026-05-01T0${hour}:00:00Z`));
    const long = await down('run_all', 240 * HOUR);
    expect(duesOf(long.disk)).toHaveLength(24);
    expect(duesOf(long.disk).at(-1)).toBe('2026-05-11T00:00:00Z');
    expect(firedOf(long.disk)[1]).toMatchObject({ action: 'run', missed: 216 });
  });

  it('are skipped where they shall be, and the log says how many', async () => {
    const { disk } = await down('skip', 5 * HOUR);
    expect(intentsOf(disk)).toEqual([]);
    expect(firedOf(disk).at(-1)).toMatchObject({ action: 'skipped', missed: 4 });
  });

  it('do not count before the schedule was known, or by the expression it had before', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    (await begin(clock, disk)).kill();
    clock.skip(5 * HOUR);
    await begin(clock, disk, spec({ cron: '15 * * * *' }));
    await pass(clock, MINUTE);
    expect(intentsOf(disk)).toEqual([]);
    expect(firedOf(disk).at(-1)).toMatchObject({ action: 'known', reason: 'the schedule was changed' });
  });

  it('cost no more when it was a year of seconds', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    (await begin(clock, disk, spec({ cron: '* * * * * *' }))).kill();
    clock.skip(365 * 24 * HOUR);
    await begin(clock, disk, spec({ cron: '* * * * * *' }));
    expect(firedOf(disk).at(-1)).toMatchObject({ action: 'run' });
    expect(firedOf(disk).at(-1)!.missed).toBeGreaterThanOrEqual(1_000);
    expect(duesOf(disk)).toEqual(['2027-05-01T00:30:00Z']);
  });
});

describe('a run of an earlier time that has not ended', () => {
  it('is left alone: the time is skipped, and says for which run', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk, spec({ overlap: 'skip' }));
    await pass(clock, 2 * HOUR);
    const [run] = intentsOf(disk);
    expect(intentsOf(disk)).toHaveLength(1);
    expect(firedOf(disk).at(-1)).toMatchObject({ action: 'skipped' });
    expect(firedOf(disk).at(-1)!.reason).toContain(run!.run_id);
    await life.finish(run!.run_id!);
    await pass(clock, HOUR);
    expect(intentsOf(disk)).toHaveLength(2);
  });
});

describe('an intent that is refused', () => {
  it('is told with its reason, and the next time is tried again', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk);
    life.refusal = new EdgeError('policy.denied', {
      operation: 'submit',
      subject: 'x',
      message: 'not at night',
    });
    await pass(clock, HOUR);
    expect(firedOf(disk).at(-1)).toMatchObject({ action: 'refused', reason: 'policy.denied: not at night' });
    life.refusal = undefined;
    await pass(clock, HOUR);
    expect(duesOf(disk)).toEqual(['2026-05-01T02:00:00Z']);
  });

  it('for lack of an answer of a policy is not put again after a stop', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk);
    life.refusal = new EdgeError('policy.denied', { operation: 'x', subject: 'x', retryable: true });
    await pass(clock, 31 * MINUTE);
    expect(firedOf(disk).map(({ action }) => action)).toEqual(['known', 'run']);
    life.refusal = undefined;
    life.stops.note();
    await pass(clock, 20 * MINUTE);
    expect(intentsOf(disk)).toEqual([]);
    expect(firedOf(disk).at(-1)).toMatchObject({
      action: 'skipped',
      reason: 'the robot was stopped before it started',
    });
    await pass(clock, HOUR);
    expect(intentsOf(disk)).toHaveLength(1);
  });

  it.each([
    ['reads', 'the agent of a run', 1],
    ['moves', 'the agent of a run', 0],
    ['reads', 'a person', 0],
  ])('for lack of an answer of a policy, and %s, after a stop of %s', async (what, who, opened) => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk);
    life.moves = what === 'moves';
    life.refusal = new EdgeError('policy.denied', { operation: 'x', subject: 'x', retryable: true });
    await pass(clock, 31 * MINUTE);
    life.refusal = undefined;
    const run = who === 'a person' ? {} : { run: 'r' };
    life.bus.tell(TOPICS.robotStopped, { atMs: clock.monotonicMs(), ...run });
    await pass(clock, 20 * MINUTE);
    expect(intentsOf(disk)).toHaveLength(opened);
    expect(firedOf(disk).at(-1)).toMatchObject({ action: opened === 1 ? 'run' : 'skipped' });
  });

  it('for lack of an answer of a policy is put again after growing pauses, ten times', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk);
    life.refusal = new EdgeError('policy.denied', { operation: 'x', subject: 'x', retryable: true });
    await pass(clock, 31 * MINUTE);
    expect(firedOf(disk).map(({ action }) => action)).toEqual(['known', 'run']);
    await pass(clock, 20 * MINUTE);
    expect(firedOf(disk).map(({ action }) => action)).toEqual(['known', 'run', 'refused']);
    expect(life.submitted).toBe(10);
    life.refusal = undefined;
    await pass(clock, 40 * MINUTE);
    expect(duesOf(disk)).toEqual(['2026-05-01T02:00:00Z']);
  });

  it('for now only is put again until it is decided', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk);
    life.refusal = new EdgeError('cell.unavailable', { operation: 'submit', subject: 'x' });
    await pass(clock, 40 * MINUTE);
    life.refusal = undefined;
    await pass(clock, 5_000);
    expect(duesOf(disk)).toEqual(['2026-05-01T01:00:00Z']);
    expect(firedOf(disk).filter(({ action }) => action === 'run')).toHaveLength(1);
  });
});

describe('a time that is due and has no run yet, where missed times are skipped', () => {
  const NIGHTLY = spec({ cron: '0 1 * * *', missed: 'skip' });
  const last = (disk: MemoryLogDisk) => firedOf(disk).at(-1);

  /** The power goes between the time and its intent, and comes back after so long. */
  async function cutFor(ms: number) {
    const clock = clockAt('2026-05-01T00:59:55Z');
    const disk = new MemoryLogDisk();
    const first = await begin(clock, disk, NIGHTLY);
    first.cut = { left: 0, written: true };
    await pass(clock, 5_000);
    expect(last(disk)).toMatchObject({ action: 'run', reason: 'due' });
    first.kill();
    clock.skip(ms);
    const life = await begin(clock, disk, NIGHTLY);
    await pass(clock, 3_000);
    return { clock, disk, life };
  }

  it('is skipped when it is too late for it: what belongs to the night does not begin in the morning', async () => {
    const { clock, disk, life } = await cutFor(8 * HOUR);
    expect(intentsOf(disk)).toEqual([]);
    expect(last(disk)).toMatchObject({ action: 'skipped', reason: 'missed: seen 480 min late' });
    expect(iso(last(disk)!.due_ns)).toBe('2026-05-01T01:00:00Z');
    expect(life.runner.views()[0]!.last).toMatchObject({ action: 'skipped' });
    clock.jumpWall(BigInt(16 * HOUR - MINUTE) * NS_PER_MS);
    await pass(clock, 2 * MINUTE);
    expect(duesOf(disk)).toEqual(['2026-05-02T01:00:00Z']);
  });

  it('still opens its run when the daemon is back at once', async () => {
    const { disk } = await cutFor(4_000);
    expect(duesOf(disk)).toEqual(['2026-05-01T01:00:00Z']);
  });

  it('is skipped when the log refuses its intent for long, and the next time is served', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk, spec({ missed: 'skip' }));
    life.refusal = new EdgeError('log.failed', { operation: 'submit', subject: 'x', message: 'disk full' });
    await pass(clock, 40 * MINUTE);
    life.refusal = undefined;
    await pass(clock, MINUTE);
    expect(intentsOf(disk)).toEqual([]);
    expect(last(disk)).toMatchObject({
      action: 'skipped',
      reason: expect.stringMatching(/^missed: seen 1. s/),
    });
    await pass(clock, HOUR);
    expect(duesOf(disk)).toEqual(['2026-05-01T02:00:00Z']);
  });

  it('has its run where the log took the intent and the answer was lost', async () => {
    const clock = clockAt('2026-05-01T00:59:55Z');
    const disk = new MemoryLogDisk();
    const life = await begin(clock, disk, NIGHTLY);
    life.lost = new EdgeError('deadline.exceeded', { operation: 'submit', subject: 'x' });
    await pass(clock, MINUTE);
    expect(duesOf(disk)).toEqual(['2026-05-01T01:00:00Z']);
    expect(last(disk)).toMatchObject({ action: 'run' });
    expect(life.runner.views()[0]!.last).toMatchObject({ run_id: intentsOf(disk)[0]!.run_id });
  });
});

describe('a clock that jumps', () => {
  it('forwards: what it jumped over is made up for by the rule for missed times', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    await begin(clock, disk);
    clock.jumpWall(BigInt(3 * HOUR) * NS_PER_MS);
    await pass(clock, 2_000);
    expect(duesOf(disk)).toEqual(['2026-05-01T03:00:00Z']);
    expect(firedOf(disk).at(-1)).toMatchObject({ missed: 2 });
  });

  it('backwards: no time runs twice, and the times between are not waited for in vain', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    await begin(clock, disk);
    await pass(clock, 3 * HOUR);
    clock.jumpWall(-BigInt(2 * HOUR) * NS_PER_MS);
    await pass(clock, 3 * HOUR);
    expect(duesOf(disk)).toEqual([1, 2, 3, 4].map((hour) => `2026-05-01T0${hour}:00:00Z`));
  });

  it('from a wrong future to now: the schedule goes on today, not in that future', async () => {
    const clock = clockAt('2030-01-01T00:30:00Z');
    const disk = new MemoryLogDisk();
    const first = await begin(clock, disk);
    await pass(clock, HOUR);
    first.kill();
    clock.jumpWall(BigInt(Date.parse(START)) * NS_PER_MS - clock.now());
    await begin(clock, disk);
    await pass(clock, HOUR);
    expect(duesOf(disk)).toEqual(['2030-01-01T01:00:00Z', '2026-05-01T01:00:00Z']);
  });

  it('from 1970 to now, as on a host without a battery: only what was missed since it was last up counts', async () => {
    const clock = clockAt(START);
    const disk = new MemoryLogDisk();
    const first = await begin(clock, disk);
    await pass(clock, HOUR);
    first.kill();
    const today = clock.now();
    clock.jumpWall(-today);
    await begin(clock, disk);
    await pass(clock, 5_000);
    clock.jumpWall(today + BigInt(2 * HOUR) * NS_PER_MS - clock.now());
    await pass(clock, 5_000);
    expect(duesOf(disk)).toEqual(['2026-05-01T01:00:00Z', '2026-05-01T03:00:00Z']);
    expect(firedOf(disk).at(-1)).toMatchObject({ missed: 1 });
  });
});

it('opens each due time exactly once, wherever it is killed', async () => {
  const cuts = fc.array(
    fc.record({
      appends: fc.integer({ min: 0, max: 5 }),
      written: fc.boolean(),
      downMin: fc.integer({ min: 0, max: 200 }),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(cuts, async (lives) => {
      const clock = clockAt(START);
      const disk = new MemoryLogDisk();
      (await begin(clock, disk, spec({ missed: 'run_all' }))).kill();
      for (const { appends, written, downMin } of lives) {
        const life = new ScheduleLife(clock, disk, [spec({ missed: 'run_all' })]);
        life.cut = { left: appends, written };
        await life.runner.start();
        for (let i = 0; i < 18 && !life.dead; i++) await pass(clock, 10 * MINUTE, 5 * MINUTE);
        life.kill();
        clock.skip(downMin * MINUTE);
      }
      const last = await begin(clock, disk, spec({ missed: 'run_all' }));
      await pass(clock, 1_000);
      const hours: string[] = [];
      for (let at = Date.parse('2026-05-01T01:00:00Z'); at <= last.now.getTime(); at += HOUR)
        hours.push(iso(String(BigInt(at) * NS_PER_MS)));
      expect(duesOf(disk)).toEqual(hours);
      last.kill();
    }),
    { numRuns: 20 },
  );
});
