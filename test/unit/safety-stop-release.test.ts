import { describe, expect, it } from 'vitest';
import type { EStopState, NewEvent } from '../../contract/index.ts';
import { EmergencyStopper } from '../../daemon/execution/safety/emergency-stopper.ts';
import { SafetyWord } from '../../daemon/execution/safety/safety-word.ts';
import { StopLatch } from '../../daemon/execution/safety/stop-latch.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An emergency stop whose disk writes when the test says so. */
function rig() {
  const latch = new StopLatch(new SafetyWord());
  const events: NewEvent[] = [];
  const stops: string[] = [];
  const causes: string[] = [];
  const waiting: { state: EStopState; done(): void; fail(written: boolean): void }[] = [];
  const disk: EStopState[] = [];
  const clock = new ManualClock();
  const stopper = new EmergencyStopper({
    clock,
    latch,
    write: (state) =>
      new Promise((resolve, reject) => {
        waiting.push({
          state,
          done: () => {
            disk.push(state);
            resolve();
          },
          fail: (written) => {
            if (written) disk.push(state);
            reject(new Error('broken'));
          },
        });
      }),
    stop: async (reason) => void stops.push(reason),
    causes: () => causes,
    note: (event) => void events.push(event),
    tell: () => {},
  });
  const write = async () => {
    await turn();
    waiting.shift()!.done();
    await turn();
  };
  const all = async () => {
    for (await turn(); waiting.length > 0; await turn()) waiting.shift()!.done();
  };
  const engaged = async () => {
    const pressed = stopper.engage('api', 'anna', 'first');
    await all();
    await pressed;
  };
  const release = (by = 'bert', press?: string) => {
    const ends = stopper.release('cli', by, 'all clear', press).catch((error: unknown) => error);
    return ends as Promise<EStopState | { code: string; message: string }>;
  };
  const onDisk = () => disk.at(-1)!.engaged;
  const releases = () => events.filter(({ kind }) => kind === 'estop.released').length;
  return { clock, latch, stopper, stops, causes, waiting, write, all, engaged, release, onDisk, releases };
}

const AGAIN = { code: 'command.refused', message: expect.stringContaining('engaged again') };

describe('an emergency stop that is pressed while somebody releases it', () => {
  it.each(['console', 'ros'] as const)(
    'holds, on disk too, also when it is said once: by %s',
    async (source) => {
      const { latch, stopper, stops, write, all, engaged, release, onDisk, releases } = rig();
      await engaged();
      const released = release();
      await turn();
      const pressed = stopper.engage(source, 'carl', 'a person in the cell');
      await write();
      await all();
      expect(await released).toMatchObject(AGAIN);
      expect(await pressed).toMatchObject({ engaged: true });
      expect(latch.engaged).toBe(true);
      expect(onDisk()).toBe(true);
      expect(releases()).toBe(0);
      // Whoever pressed it saw the robot told again.
      expect(stops).toHaveLength(2);
      const later = release();
      await all();
      expect(await later).toMatchObject({ engaged: false });
      expect([latch.engaged, onDisk()]).toEqual([false, false]);
    },
  );

  it('is answered only when it is on disk behind the release', async () => {
    const { stopper, write, all, engaged, release } = rig();
    await engaged();
    const released = release();
    await turn();
    let answered = false;
    const pressed = stopper.engage('zenoh', 'r1/estop', '').then(() => {
      answered = true;
    });
    await write();
    expect(answered).toBe(false);
    await all();
    await Promise.all([pressed, released]);
    expect(answered).toBe(true);
  });

  it('holds where it comes before the release began, which waits for another one', async () => {
    const { latch, stopper, write, all, engaged, release, onDisk } = rig();
    await engaged();
    const first = release();
    const second = release('dora');
    await turn();
    const pressed = stopper.engage('api', 'carl', '');
    await write();
    await all();
    expect(await first).toMatchObject(AGAIN);
    expect(await second).toMatchObject(AGAIN);
    expect(await pressed).toMatchObject({ engaged: true });
    expect([latch.engaged, onDisk()]).toEqual([true, true]);
  });

  it('holds where it comes while a refused release puts the disk right', async () => {
    const { latch, stopper, causes, write, all, engaged, release, onDisk } = rig();
    await engaged();
    const released = release();
    await turn();
    causes.push('true is published');
    await write();
    causes.pop();
    const pressed = stopper.engage('ros', '/emergency_stop', '');
    await all();
    expect(await released).toMatchObject({ code: 'command.refused' });
    expect(await pressed).toMatchObject({ engaged: true });
    expect([latch.engaged, onDisk()]).toEqual([true, true]);
  });

  it.each([true, false])('holds where the release fails, its write on disk: %s', async (written) => {
    const { latch, stopper, waiting, all, engaged, release, onDisk } = rig();
    await engaged();
    const released = release();
    await turn();
    const pressed = stopper.engage('ros', '/emergency_stop', '');
    waiting.shift()!.fail(written);
    await all();
    expect(await released).toMatchObject({ code: 'log.failed' });
    expect(await pressed).toMatchObject({ engaged: true });
    expect([latch.engaged, onDisk()]).toEqual([true, true]);
  });

  it('holds where it comes right after the release: disk and latch say the same', async () => {
    const { latch, stopper, write, all, engaged, release, onDisk } = rig();
    await engaged();
    const released = release();
    await write();
    expect(await released).toMatchObject({ engaged: false });
    const pressed = stopper.engage('file', '/data/estop', '');
    await all();
    expect(await pressed).toMatchObject({ engaged: true, source: 'file' });
    expect([latch.engaged, onDisk()]).toEqual([true, true]);
  });
});

describe('a release that names the press which its person saw', () => {
  const pressed = (state: { readonly press?: string }) => state.press!;

  it('leaves a newer press of anybody alone, which was there before it arrived', async () => {
    const { latch, stopper, all, engaged, release, onDisk, releases } = rig();
    await engaged();
    const seen = pressed(stopper.state());
    const again = stopper.engage('console', 'carl', 'a person in the cell');
    await all();
    await again;
    const late = release('bert', seen);
    await all();
    expect(await late).toMatchObject({
      code: 'command.refused',
      message: expect.stringContaining('engaged again by carl (console)'),
    });
    expect([latch.engaged, onDisk(), releases()]).toEqual([true, true, 0]);
    const knowing = release('bert', pressed(stopper.state()));
    await all();
    expect(await knowing).toMatchObject({ engaged: false });
  });

  it.each(['ros', 'zenoh', 'file'] as const)(
    'leaves one by %s alone, of which no state changes',
    async (source) => {
      const { latch, stopper, all, engaged, release } = rig();
      await engaged();
      const seen = pressed(stopper.state());
      const again = stopper.engage(source, '/emergency_stop', '');
      await all();
      await again;
      const late = release('bert', seen);
      await all();
      expect(await late).toMatchObject(AGAIN);
      expect(latch.state).toMatchObject({ by: 'anna', reason: 'first' });
    },
  );

  it('names presses that rise, also within one instant and over a clock that is set back', async () => {
    const { clock, stopper, all } = rig();
    const ids: bigint[] = [];
    for (const source of ['api', 'ros', 'file', 'cli'] as const) {
      const done = stopper.engage(source, 'x', '');
      await all();
      await done;
      ids.push(BigInt(pressed(stopper.state())));
      if (source === 'ros') clock.jumpWall(-3_600_000_000_000n);
    }
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('needs no name: then it answers all that came before it', async () => {
    const { stopper, all, engaged, release } = rig();
    await engaged();
    const again = stopper.engage('ros', '/emergency_stop', '');
    await all();
    await again;
    const released = release();
    await all();
    expect(await released).toMatchObject({ engaged: false });
    expect(stopper.state().press).toBeUndefined();
  });
});

describe('two releases of one emergency stop', () => {
  it('are one: both are answered, and the record has it once', async () => {
    const { latch, all, engaged, release, onDisk, releases } = rig();
    await engaged();
    const both = [release(), release('dora')];
    await all();
    for (const ended of both) expect(await ended).toMatchObject({ engaged: false });
    expect([latch.engaged, onDisk()]).toEqual([false, false]);
    expect(releases()).toBe(1);
  });

  it('asked before and after a press: the later one counts', async () => {
    const { latch, stopper, write, all, engaged, release, onDisk } = rig();
    await engaged();
    const before = release();
    await turn();
    const pressed = stopper.engage('api', 'carl', '');
    const after = release('dora');
    await write();
    await all();
    await pressed;
    expect(await before).toMatchObject(AGAIN);
    expect(await after).toMatchObject({ engaged: false });
    expect([latch.engaged, onDisk()]).toEqual([false, false]);
  });
});
