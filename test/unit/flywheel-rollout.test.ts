import { describe, expect, it } from 'vitest';
import { type ArmWorld, type Pilot, rollOut, SUSTAINED_STEPS } from '../support/shipped-apps.ts';

/** A world that moves on with each step, and is done in those that `isDone` says. */
async function episode(isDone: (step: number) => boolean, enoughAt = Infinity) {
  let step = 0;
  const world: ArmWorld = {
    reset: () => {},
    view: () => ({ state: [step], environment: [] }),
    command: () => {},
    step: () => {},
    success: () => isDone(step),
  };
  const pilot: Pilot = {
    begin: () => {},
    step: async () => {
      step++;
    },
  };
  return rollOut(
    world,
    pilot,
    async () => new Float32Array(0),
    1,
    (_, at) => at >= enoughAt,
  );
}

describe('an episode', () => {
  it('is no success where it was done for a moment only', async () => {
    const moment = (step: number) => step >= 20 && step < 20 + SUSTAINED_STEPS - 1;
    expect(await episode(moment)).toMatchObject({ success: false, end: 'timeout' });
  });

  it('is a success from when on it was done and stayed so', async () => {
    const done = (step: number) => step === 20 || step >= 40;
    expect(await episode(done)).toEqual({ success: true, steps: 40, end: 'success' });
  });

  it('may finish what it is at when somebody who watches has seen enough', async () => {
    expect(await episode((step) => step >= 40, 45)).toMatchObject({ success: true, steps: 40 });
    expect(await episode((step) => step >= 40, 39)).toMatchObject({ success: false, end: 'stopped' });
  });
});
