import { afterEach, describe, expect, it } from 'vitest';
import { EdgeError, type MotionResult, NOT_CONFIRMED } from '../../contract/index.ts';
import { endRigs, Rig } from '../support/safety-rig.ts';

afterEach(endRigs);

const STOPPED: MotionResult = {
  ...{ outcome: 'stopped', pose: undefined, distance: 0, durationMs: 0, time: 0n, message: 'stopped' },
};

/** A motion of the run r, beside one of another run, so that the stop of r ends its own motions only. */
async function moving(end: () => Promise<MotionResult>): Promise<Rig> {
  const rig = new Rig();
  const until = (settle: () => Promise<MotionResult>) => (signal: AbortSignal) =>
    new Promise<MotionResult>((resolve, reject) => {
      signal.addEventListener('abort', () => settle().then(resolve, reject), { once: true });
    });
  const other = async () => STOPPED;
  rig.actuation.move('other', 'runtime', until(other), { run: 'other' }).catch(() => {});
  rig.actuation.move('own', 'runtime', until(end), { run: 'r' }).catch(() => {});
  await rig.clock.advance(1);
  return rig;
}

describe('the stop of a run whose motion is not alone', () => {
  it('is confirmed where its motion came to rest', async () => {
    const rig = await moving(async () => STOPPED);
    await rig.actuation.stopRun('r', 'paused');
    expect(rig.stops).toEqual([]);
  });

  it.each<[string, () => Promise<MotionResult>]>([
    ['ended unconfirmed', async () => ({ ...STOPPED, message: `stopped; ${NOT_CONFIRMED}` })],
    [
      'could not be reached',
      async () => {
        throw new EdgeError('robot.unreachable', { operation: 'stop', subject: 'arm' });
      },
    ],
    ['never ends', () => new Promise(() => {})],
  ])('is an error where its motion %s', async (_how, settle) => {
    const rig = await moving(settle);
    const stop = rig.actuation.stopRun('r', 'paused');
    const end = expect(stop).rejects.toMatchObject({ code: 'robot.unreachable' });
    await rig.clock.advance(4_000);
    await end;
  });
});
