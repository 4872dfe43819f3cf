import { describe, expect, it } from 'vitest';
import { LockstepLink } from '../../daemon/execution/lockstep.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const MB = 1024 * 1024;

function rig(hold: boolean) {
  const clock = new ManualClock();
  let listener: (time: bigint) => Promise<void> = async () => {};
  let backlog = 0;
  let ticked: () => void = () => {};
  const link = new LockstepLink(clock, { onTick: (l) => (listener = l) });
  const tick = async (time: bigint) => {
    ticked();
    return { time, command: undefined, hold, receipts: [] };
  };
  link.attach({ tick } as never, () => backlog);
  const step = () => {
    const state = { done: false };
    void listener(1n).then(() => {
      state.done = true;
    });
    return state;
  };
  return {
    clock,
    link,
    step,
    setBacklog: (bytes: number) => (backlog = bytes),
    onTicked: (f: () => void) => (ticked = f),
  };
}

describe('lockstep', () => {
  it('lets time go on while the robot is wanted', async () => {
    const { clock, step } = rig(false);
    const window = step();
    await clock.advance(1);
    expect(window.done).toBe(true);
  });

  it('holds time while nothing is asked, until somebody asks', async () => {
    const { clock, step, link } = rig(true);
    const window = step();
    await clock.advance(10_000);
    expect(window.done).toBe(false);
    link.wake();
    await clock.advance(1);
    expect(window.done).toBe(true);
  });

  it('does not lose a wish that comes while the recorder catches up', async () => {
    const { clock, step, link, setBacklog } = rig(true);
    setBacklog(100 * MB);
    const window = step();
    await clock.advance(50);
    link.wake();
    setBacklog(0);
    await clock.advance(50);
    expect(window.done).toBe(true);
  });

  it('waits for a recorder that is behind', async () => {
    const { clock, step, setBacklog } = rig(false);
    setBacklog(100 * MB);
    const window = step();
    await clock.advance(1_000);
    expect(window.done).toBe(false);
    setBacklog(MB);
    await clock.advance(10);
    expect(window.done).toBe(true);
  });

  it('does not hold anybody once it is closed', async () => {
    const { clock, step, link } = rig(true);
    link.close();
    const window = step();
    await clock.advance(1);
    expect(window.done).toBe(true);
  });
});
