import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS, type ProcessAccount } from '../../contract/index.ts';
import { beat, isSuspicious, judge, newborn, observe, patienceOf } from '../../daemon/supervisor/liveness.ts';

/** What the main thread of a process does for a while. */
type Part = { readonly does: 'run' | 'wait' | 'sleep' | 'disk'; readonly ms: number };
type Death = { readonly atMs: number; readonly cpuMs: number };

const LOOK = LIMITS.HEARTBEAT_MS;
const TICK = 5;
/** A healthy cell beats after this much processor time at the latest, milliseconds. */
const HEALTHY_RUN_MS = 1_250;

/**
 * Plays the parts in a circle. The kernel adds a wait to its account when it is over, as Linux does. `beatsAfterMs`:
 * processor time between two heartbeats; undefined: it beats for a second, then it hangs. The death is counted from there.
 */
function play(
  parts: readonly Part[],
  beatsAfterMs: number | undefined,
  phase: number,
  forMs: number,
): Death | undefined {
  let state = newborn(0);
  let [cpuMs, waitedMs, waitsMs, sinceBeatMs, lookedMs] = [0, 0, 0, 0, 0];
  const hangsFrom = beatsAfterMs === undefined ? 1_000 : 0;
  let cpuThen = 0;
  let index = 0;
  let left = parts[0]!.ms;
  for (let now = TICK; now <= hangsFrom + forMs; now += TICK) {
    const { does } = now <= hangsFrom ? { does: 'sleep' as const } : parts[index]!;
    if (does === 'run') {
      cpuMs += TICK;
      sinceBeatMs += TICK;
      waitedMs += waitsMs;
      waitsMs = 0;
    } else if (does === 'wait') waitsMs += TICK;
    if (now <= hangsFrom) {
      if (now % LOOK === 0) state = beat(state, now, []);
      cpuThen = cpuMs;
    } else {
      left -= TICK;
      if (left <= 0) {
        index = (index + 1) % parts.length;
        left = parts[index]!.ms;
      }
    }
    if (beatsAfterMs !== undefined && sinceBeatMs >= beatsAfterMs) {
      state = beat(state, now, []);
      sinceBeatMs = 0;
    }
    if ((now + phase) % LOOK !== 0) continue;
    const times = { cpuMs, waitedMs, pressureMs: 0, readBytes: 0 };
    const kind: ProcessAccount['state'] =
      does === 'sleep' ? 'sleeping' : does === 'disk' ? 'disk' : 'runnable';
    const whole = { ...times, state: kind, helpersRunnable: false, helpersOnDisk: false };
    const gapMs = now - lookedMs;
    state = observe(state, { gapMs, countedMs: gapMs }, isSuspicious(state, now) ? whole : times);
    lookedMs = now;
    if (!judge(state, now, patienceOf(false)).alive) return { atMs: now - hangsFrom, cpuMs: cpuMs - cpuThen };
  }
  return undefined;
}

const phase = fc.integer({ min: 0, max: LOOK / TICK - 1 }).map((n) => n * TICK);
const ms = (min: number, max: number) =>
  fc.integer({ min: min / TICK, max: max / TICK }).map((n) => n * TICK);
const part = (does: Part['does'], min: number, max: number) =>
  ms(min, max).map((m): Part => ({ does, ms: m }));
const isRun = ({ does }: Part) => does === 'run';
const sum = (parts: readonly Part[], which: (one: Part) => boolean = () => true) =>
  parts.filter(which).reduce((all, one) => all + one.ms, 0);
/** The share of a processor that the host gives, in pieces. */
const given = fc
  .array(fc.tuple(part('run', 5, 60), part('wait', 0, 300)), { minLength: 1, maxLength: 12 })
  .map((pairs) => pairs.flat().filter((one) => one.ms > 0))
  .filter((parts) => sum(parts, isRun) / sum(parts) >= 0.12);

describe('the liveness of a cell, over generated traces', () => {
  it('never kills a cell that computes and beats, however small the share that its host gives', () => {
    fc.assert(
      fc.property(given, ms(250, HEALTHY_RUN_MS), phase, (parts, every, at) => {
        expect(play(parts, every, at, 20_000)).toBeUndefined();
      }),
      { numRuns: 300, seed: 22 },
    );
  });

  it('never kills it for waits for the disk in between either', () => {
    const mixed = fc.tuple(given, part('disk', 50, 2_000)).map(([parts, disk]) => [...parts, disk]);
    fc.assert(
      fc.property(mixed, ms(250, 750), phase, (parts, every, at) => {
        // The part of a look before or after the disk is not known: few of them in one silence.
        fc.pre(sum(parts, isRun) >= every && sum(parts) < 5_000);
        expect(play(parts, every, at, 20_000)).toBeUndefined();
      }),
      { numRuns: 200, seed: 22 },
    );
  });

  it('finds a loop after about 2 s of its processor time, whatever share the host gives', () => {
    fc.assert(
      fc.property(given, phase, (parts, at) => {
        const death = play(parts, undefined, at, 30_000)!;
        expect(death).toBeDefined();
        expect(death.atMs).toBeLessThanOrEqual(LIMITS.HEARTBEAT_STARVED_MS + LOOK);
        // One look late.
        expect(death.cpuMs).toBeLessThanOrEqual(LIMITS.HEARTBEAT_SILENT_LOADED_MS + LOOK);
      }),
      { numRuns: 300, seed: 22 },
    );
  });

  it('finds a cell that only sleeps within 2 s', () => {
    fc.assert(
      fc.property(part('sleep', 100, 1_000), phase, (sleep, at) => {
        const death = play([sleep], undefined, at, 10_000)!;
        expect(death.atMs).toBeLessThanOrEqual(2_000);
      }),
      { numRuns: 50, seed: 22 },
    );
  });

  it('finds one that computes and sleeps in turn within 2 s, and one look', () => {
    const turns = fc.tuple(part('run', 5, 400), part('sleep', 5, 400)).map((both) => [...both]);
    fc.assert(
      fc.property(turns, phase, (parts, at) => {
        expect(play(parts, undefined, at, 10_000)!.atMs).toBeLessThanOrEqual(2_000 + LOOK);
      }),
      { numRuns: 100, seed: 22 },
    );
  });
});
