import { describe, expect, it } from 'vitest';
import { LIMITS, type ProcessAccount } from '../../contract/index.ts';
import { beat, judge, newborn, observe } from '../../daemon/supervisor/liveness.ts';
import { NOT_STARVED, starve, starvedMs } from '../../daemon/supervisor/starvation.ts';
import { START_ORDER, Supervisor } from '../../daemon/supervisor/supervisor.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** What a process does in each millisecond of a silence, as the kernel would count it. */
type Life = {
  readonly state: ProcessAccount['state'];
  /** Shares of the time: on a processor, waiting for one. */
  readonly ran?: number;
  readonly waited?: number;
  /** The wait is not over: the kernel has not counted it yet. */
  readonly waitGoesOn?: boolean;
  readonly helpersRunnable?: boolean;
  readonly helpersOnDisk?: boolean;
  /** Share of the time in which some task of the host waited for a processor; undefined: not counted. */
  readonly pressure?: number | undefined;
  /** It reads files all the time. */
  readonly reads?: boolean;
  /** A kernel without the figures of its scheduler. */
  readonly noWaits?: boolean;
};

const QUIET = 0.05;
const LOADED = 0.98;
const { HEARTBEAT_SILENT_MS: OWN, HEARTBEAT_STARVED_MS: ALL } = LIMITS;
const LOOK = LIMITS.HEARTBEAT_MS;

/** When the supervisor kills a cell that lives so from now on, milliseconds; undefined: not within `mostMs`. */
async function killedAfter(
  life: Life | undefined,
  isStarting = false,
  pausing = false,
  mostMs = 70_000,
): Promise<{ ms: number | undefined; warned: string[] }> {
  const clock = new ManualClock();
  const warned: string[] = [];
  let beating = true;
  let sinceMs = 0;
  let killedMs: number | undefined;
  let reason = '';
  const supervisor = new Supervisor({
    clock,
    spawn: (name, events) => {
      const heart = clock.every(LOOK, () => {
        if (beating || name !== 'execution') events.onMessage({ t: 'heartbeat', work: [], rssBytes: 1 });
      });
      queueMicrotask(() => events.onMessage({ t: 'booted' }));
      return {
        pid: START_ORDER.indexOf(name) + 1,
        post: ({ t }) => {
          if (t === 'start' && !isStarting) queueMicrotask(() => events.onMessage({ t: 'started' }));
        },
        kill: () => {
          heart.cancel();
          killedMs ??= clock.monotonicMs() - sinceMs;
          events.onExit('signal SIGKILL');
        },
      };
    },
    probe: {
      look: (pid) => (pid === 1 && life ? accountOf(life, clock.monotonicMs() - sinceMs) : undefined),
      times: () => undefined,
    },
    notify: { ready() {}, status() {}, reloading() {}, watchdog() {}, stopping() {} },
    report: (_level, cell, message, facts) => {
      if (message.startsWith('the host') && killedMs === undefined) warned.push(cell);
      if (message === 'down') reason = String(facts['reason']);
    },
    watchdogMs: 0,
  });
  void supervisor.start();
  await clock.advance(1_000);
  beating = false;
  sinceMs = clock.monotonicMs();
  // A starved host keeps the supervisor waiting too: its own pauses count for nobody.
  if (pausing) for (let i = 0; i < 10; i++) await clock.advance(500).then(() => clock.skip(1_000));
  await clock.advance(mostMs);
  if (killedMs !== undefined) expect(reason).toMatch(/^no heartbeat for \d+ ms/);
  return { ms: killedMs, warned };
}

function accountOf(life: Life, ms: number): ProcessAccount {
  const { state, ran = 0, waited = 0, waitGoesOn, pressure, noWaits, reads } = life;
  const { helpersRunnable = false, helpersOnDisk = false } = life;
  return {
    ...{ state, helpersRunnable, helpersOnDisk, cpuMs: 5_000 + ran * ms },
    waitedMs: noWaits ? undefined : 700 + (waitGoesOn ? 0 : waited * ms),
    pressureMs: pressure === undefined ? undefined : 90_000 + pressure * ms,
    readBytes: 4e6 + (reads ? 1e5 * ms : 0),
  };
}

describe('a cell that hangs', () => {
  it('is found within 2 s of its hanging', () => {
    expect(OWN + LOOK).toBeLessThanOrEqual(2_000);
  });

  it.each<[string, Life]>([
    ['computes for ever', { state: 'runnable', ran: 1, pressure: QUIET }],
    ['computes for ever, on a kernel that counts no waits', { state: 'runnable', ran: 1, noWaits: true }],
    ['computes, sleeps and computes again', { state: 'runnable', ran: 0.5, pressure: QUIET }],
    ['is stopped by a signal', { state: 'stopped', pressure: QUIET }],
    [
      'is stopped by a signal on a loaded host',
      { state: 'stopped', pressure: LOADED, helpersRunnable: true },
    ],
    ['waits for a lock', { state: 'sleeping', pressure: QUIET }],
    [
      'waits for a lock while its other threads work',
      { state: 'sleeping', pressure: QUIET, helpersRunnable: true },
    ],
    ['waits for a lock on a loaded host, and no thread of it runs', { state: 'sleeping', pressure: LOADED }],
    ['waits for a lock on a host that counts no pressure', { state: 'sleeping', helpersRunnable: true }],
    ['is dead and not reaped', { state: 'dead', pressure: QUIET }],
    [
      'waits for a lock while its recorder waits for the disk',
      { state: 'sleeping', pressure: QUIET, helpersOnDisk: true },
    ],
  ])('and %s is killed within 2 s', async (_what, life) => {
    const { ms, warned } = await killedAfter(life);
    expect(ms).toBeLessThanOrEqual(OWN + LOOK);
    expect(warned).toEqual([]);
  });

  it('is killed within 2 s where this host says nothing of it', async () => {
    expect((await killedAfter(undefined)).ms).toBeLessThanOrEqual(OWN + LOOK);
  });

  it.each([0.5, 0.3, 0.15])(
    'and computes with %d of a processor is killed after about 2 s of processor time',
    async (share) => {
      const life: Life = { state: 'runnable', ran: share, waited: 1 - share, pressure: LOADED };
      const { ms } = await killedAfter(life);
      // The first half second is not looked at: it counts as its own.
      const { HEARTBEAT_SILENT_LOADED_MS: own } = LIMITS;
      expect(ms! * share).toBeGreaterThan(own - 2 * LOOK);
      expect(ms! * share).toBeLessThanOrEqual(2_000 + LOOK);
    },
  );

  it('and loops while it starts is killed after 5 s of processor time: it reads no code', async () => {
    const { HEARTBEAT_BOOT_LOOP_MS: most } = LIMITS;
    for (const ran of [1, 0.3]) {
      const life: Life = { state: 'runnable', ran, waited: 1 - ran, pressure: LOADED };
      const { ms } = await killedAfter(life, true);
      expect(ms! * ran).toBeGreaterThan(most);
      expect(ms! * ran).toBeLessThanOrEqual(most + 4 * LOOK);
    }
  });
});

describe('a cell that the host starves', () => {
  it.each<[string, Life]>([
    [
      'waits for a processor and gets little',
      { state: 'runnable', ran: 0.05, waited: 0.95, pressure: LOADED },
    ],
    ['waits for its first turn', { state: 'runnable', waited: 1, waitGoesOn: true, pressure: LOADED }],
    ['waits on a kernel that counts no waits', { state: 'runnable', ran: 0.05, noWaits: true }],
    ['is throttled on a quiet host', { state: 'runnable', waited: 1, waitGoesOn: true, pressure: QUIET }],
    [
      'sleeps while its other threads wait for a processor',
      { state: 'sleeping', pressure: LOADED, helpersRunnable: true },
    ],
    ['sleeps between its waits', { state: 'sleeping', ran: 0.02, waited: 0.95, pressure: LOADED }],
    ['waits for the disk', { state: 'disk', pressure: QUIET }],
  ])('and %s is waited for, with a warning, but not for ever', async (_what, life) => {
    const { ms, warned } = await killedAfter(life);
    expect(warned).toEqual(['execution']);
    expect(ms).toBeGreaterThan(ALL - LOOK);
    expect(ms).toBeLessThanOrEqual(ALL + LOOK);
  });

  it('and starts while its threads read its code from a slow disk is waited for', async () => {
    const life = (helpersOnDisk: boolean): Life => ({ state: 'sleeping', pressure: QUIET, helpersOnDisk });
    const { HEARTBEAT_BOOT_MS: own, HEARTBEAT_BOOT_STARVED_MS: all } = LIMITS;
    expect((await killedAfter(life(false), true)).ms).toBeLessThanOrEqual(own + 2 * LOOK);
    const { ms } = await killedAfter(life(true), true);
    expect(ms === undefined || ms > all - LOOK).toBe(true);
  });

  it('is reported once in a silence, also where the supervisor itself is kept waiting', async () => {
    const life = { state: 'runnable', ran: 0.05, waited: 0.95, pressure: LOADED } as const;
    const { ms, warned } = await killedAfter(life, false, true);
    expect(warned).toEqual(['execution']);
    expect(ms).toBeGreaterThan(ALL);
  });

  it('has longer while it starts, in its own time and altogether', async () => {
    const { ms: hangs, warned } = await killedAfter({ state: 'sleeping', pressure: QUIET }, true);
    expect(warned).toEqual([]);
    expect(hangs).toBeGreaterThan(LIMITS.HEARTBEAT_BOOT_MS - LOOK);
    expect(hangs).toBeLessThanOrEqual(LIMITS.HEARTBEAT_BOOT_MS + LOOK);
  });

  it.each([
    ['all', 1, QUIET],
    ['a half', 1 / 2, LOADED],
    ['a tenth', 1 / 10, LOADED],
  ])(
    'has a minute of processor time to load its code, where it gets %s of a processor',
    async (_, ran, pressure) => {
      const life: Life = { state: 'runnable', ran, waited: 1 - ran, pressure, reads: true };
      const { HEARTBEAT_BOOT_RUN_MS: most, HEARTBEAT_BOOT_STARVED_MS: all } = LIMITS;
      const { ms } = await killedAfter(life, true, false, 2 * all);
      expect(ms).toBeGreaterThan(Math.min(all, most / ran) - LOOK);
      // It is looked at only when it has been silent for a moment: what it took before that is not known.
      expect(ms).toBeLessThanOrEqual(Math.min(all + LOOK, most / ran + (4 / ran) * LOOK));
    },
  );

  it('is not waited for for ever while it starts: its disk may never answer', async () => {
    const { HEARTBEAT_BOOT_STARVED_MS: most } = LIMITS;
    const { ms } = await killedAfter({ state: 'disk', pressure: QUIET }, true, false, 2 * most);
    expect(ms).toBeGreaterThan(most - LOOK);
    expect(ms).toBeLessThanOrEqual(most + LOOK);
  });
});

describe('work that stands still', () => {
  /** When it counts against a cell that beats all the time, milliseconds. */
  function stalledAfter(helpersRunnable: boolean, pressure: number): number {
    let state = newborn(0);
    for (let ms = 0; ; ms += LOOK) {
      state = beat(state, ms, [{ name: 'recorder', done: 5, waiting: 3 }]);
      const account = accountOf({ state: 'sleeping', helpersRunnable, pressure }, ms);
      state = observe(state, { gapMs: LOOK, countedMs: LOOK }, account);
      const verdict = judge(state, ms);
      if (verdict.alive) continue;
      expect(verdict.reason).toMatch(/^recorder has made no progress for \d+ ms$/);
      return ms;
    }
  }

  it('is waited for while the threads that would do it wait for a processor, but not for ever', () => {
    const { WORK_STALLED_MS, WORK_STARVED_MS } = LIMITS;
    expect(stalledAfter(true, QUIET)).toBe(WORK_STALLED_MS + LOOK);
    expect(stalledAfter(false, LOADED)).toBe(WORK_STALLED_MS + LOOK);
    expect(stalledAfter(true, LOADED)).toBe(WORK_STARVED_MS + LOOK);
  });
});

describe('the account of a silence', () => {
  const account = (more: Partial<ProcessAccount>): ProcessAccount => ({
    ...{
      state: 'sleeping',
      helpersRunnable: false,
      helpersOnDisk: false,
      cpuMs: 0,
      waitedMs: 0,
      pressureMs: 0,
      readBytes: 0,
      ...more,
    },
  });
  const between = { gapMs: 250, countedMs: 250 };

  it('counts a wait that goes on once, when it is over', () => {
    const begun = starve(NOT_STARVED, between, account({}), account({ state: 'runnable' }));
    expect(starvedMs(begun)).toBe(250);
    const ended = account({ state: 'runnable', cpuMs: 50, waitedMs: 400 });
    expect(starvedMs(starve(begun, between, account({ state: 'runnable' }), ended))).toBe(400);
    // It was on its way to sleep by chance when it was looked at.
    expect(starvedMs(starve(begun, between, account({ state: 'runnable' }), account({})))).toBe(0);
  });

  it('excuses no more than the time that has passed, and none in which the observer itself stood', () => {
    const much = account({ state: 'stopped', waitedMs: 1e9 });
    expect(starvedMs(starve(NOT_STARVED, between, account({}), much))).toBe(250);
    const disk = account({ state: 'disk' });
    expect(starvedMs(starve(NOT_STARVED, { gapMs: 60_000, countedMs: 250 }, account({}), disk))).toBe(250);
    // A process id that was given away again: totals that fall excuse nothing.
    expect(starvedMs(starve(NOT_STARVED, between, account({ waitedMs: 500 }), account({})))).toBe(0);
  });
});
