import { expect, it } from 'vitest';
import { RestartPause } from '../../daemon/execution/attached/restart-pause.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

function rig() {
  const clock = new ManualClock();
  const startsMs: number[] = [];
  const at = { isWanted: true };
  const start = () => {
    startsMs.push(clock.monotonicMs() - beganMs);
    pause.started();
  };
  const pause = new RestartPause({ clock, isWanted: () => at.isWanted, start });
  const beganMs = clock.monotonicMs();
  pause.started();
  return { clock, pause, at, startsMs };
}

it('a thread that dies at its start is started again after growing pauses while a client waits', async () => {
  const { clock, pause, startsMs } = rig();
  for (let i = 0; i < 9; i++) {
    pause.ended(true);
    expect(pause.isPausing).toBe(true);
    await clock.advance(30_000);
    expect(pause.isPausing).toBe(false);
  }
  const pauses = startsMs.map((ms, i) => ms - i * 30_000);
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

it('one that served for long begins anew, and one that ended on request starts at once', async () => {
  const { clock, pause, startsMs } = rig();
  for (let i = 0; i < 4; i++) {
    pause.ended(true);
    await clock.advance(5_000);
  }
  await clock.advance(60_000);
  startsMs.length = 0;
  const fromMs = 80_000;
  pause.ended(true);
  await clock.advance(600);
  pause.ended(false);
  expect(startsMs.map((ms) => ms - fromMs)).toEqual([500, 600]);
});

it('nothing is started that nobody wants, and nothing after the end', async () => {
  const { clock, pause, at, startsMs } = rig();
  at.isWanted = false;
  pause.ended(true);
  await clock.advance(1_000);
  expect([startsMs, pause.isPausing]).toEqual([[], false]);
  at.isWanted = true;
  pause.ended(true);
  pause.close();
  await clock.advance(60_000);
  expect(startsMs).toEqual([]);
});
