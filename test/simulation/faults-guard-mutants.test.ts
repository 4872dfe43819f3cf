import { afterEach, describe, expect, it, vi } from 'vitest';
import { EdgeError, NEVER_REFUSED } from '../../contract/index.ts';
import { ControlClient } from '../../daemon/execution/control/control-client.ts';
import { ControlLoop } from '../../daemon/execution/control/control-loop.ts';
import { Steering } from '../../daemon/execution/control/steering.ts';
import { SpeedGate } from '../../daemon/execution/controllers/speed-gate.ts';
import { ActuationLease } from '../../daemon/execution/lease.ts';
import { UnseenSectors } from '../../daemon/execution/navigation/unseen-sectors.ts';
import { JointGate } from '../../daemon/execution/safety/joint-gate.ts';
import { SafetyWatch } from '../../daemon/execution/safety/safety-word.ts';
import { Drive } from '../../sim/drive.ts';
import { brokenIn } from '../support/faults/broken-in.ts';
import type { Motion } from '../support/faults/motions.ts';

/** Daemons with one guard of motion taken out: threads, links, senses, leases, hands and policies; see faults-mutants.test.ts. */
afterEach(() => vi.restoreAllMocks());

/** A motion is asked for again when a new control thread is there, although nobody wants it any longer. */
const startsItAgain = () => {
  const { maneuver } = ControlClient.prototype;
  vi.spyOn(ControlClient.prototype, 'maneuver').mockImplementation(async function (
    this: ControlClient,
    step,
    signal,
  ) {
    for (let tries = 0; ; tries++) {
      try {
        return await maneuver.call(this, step, signal);
      } catch (thrown) {
        if (!(thrown instanceof EdgeError) || tries > 10_000) throw thrown;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  });
};
/** Its wheels turn as they were commanded last. */
const keepsRolling = () => vi.spyOn(Drive.prototype, 'brake').mockReturnValue(undefined);
const sensesAreNew = () => {
  const { step } = ControlLoop.prototype;
  vi.spyOn(ControlLoop.prototype, 'step').mockImplementation(function (
    this: ControlLoop,
    now,
    drive,
    sensing,
  ) {
    return step.call(this, now, drive, { ...sensing, scanAgeMs: 0, odometryAgeMs: 0 });
  });
};
/** The last velocity of a hand counts for ever. */
const handNeverLetsGo = () => {
  const { put, at } = Steering.prototype;
  const last = new WeakMap<Steering, Parameters<Steering['put']>>();
  vi.spyOn(Steering.prototype, 'put').mockImplementation(function (this: Steering, ...given) {
    last.set(this, given);
    put.apply(this, given);
  });
  vi.spyOn(Steering.prototype, 'at').mockImplementation(function (this: Steering, now, mayMove) {
    const given = last.get(this);
    if (given) put.call(this, given[0], given[1], now, Number.POSITIVE_INFINITY);
    return at.call(this, now, mayMove);
  });
};
const everybodyHolds = () => {
  vi.spyOn(ActuationLease.prototype, 'holds').mockReturnValue(true);
  vi.spyOn(SafetyWatch.prototype, 'mayMove').mockReturnValue(true);
  vi.spyOn(SafetyWatch.prototype, 'why').mockReturnValue('');
};
const seesBehindCovers = () => vi.spyOn(UnseenSectors.prototype, 'touches').mockReturnValue(false);
const absurdIsOne = () => {
  const { abs } = Math;
  vi.spyOn(NEVER_REFUSED, 'has').mockReturnValue(true);
  vi.spyOn(Math, 'abs').mockImplementation((value) => (value > 1e3 || Number.isNaN(value) ? 1 : abs(value)));
};
const nothingIsFar = () => {
  vi.spyOn(SpeedGate.prototype, 'farOutside').mockReturnValue(-1);
  vi.spyOn(JointGate.prototype, 'farOutside').mockReturnValue(-1);
};
const allIsFinite = () => {
  nothingIsFar();
  vi.spyOn(Number, 'isFinite').mockReturnValue(true);
};

describe('the fault campaign finds a daemon', () => {
  it.each<[string, string, Motion, number, () => unknown]>([
    ['that starts a motion again when its control thread is back', 'control.kill', 'drive', 1, startsItAgain],
    ['whose base rolls on when its link ends', 'link.robot.cut', 'drive', 1, keepsRolling],
    ['whose base rolls on when its link is silent', 'link.robot.silent', 'drive', 1, keepsRolling],
    ['that steers on without the person', 'link.person', 'teleop', 1, handNeverLetsGo],
    ['that drives into what the lidar does not see', 'lidar.blind', 'teleop', 2, seesBehindCovers],
    ['that drives by old senses', 'senses.silent', 'drive', 1, sensesAreNew],
    ['whose hand steers on under a lease that was taken', 'lease.taken', 'teleop', 1, everybodyHolds],
    ['that takes absurd commands of a hand', 'hand.wild', 'teleop', 1, absurdIsOne],
    ['that follows a policy which asks for 1e30', 'policy.huge', 'controller', 1, nothingIsFar],
    ['that follows a policy which asks for infinity', 'policy.infinite', 'controller', 1, allIsFinite],
  ])('%s', { timeout: 300_000 }, async (_, id, motion, trials, breakIt) => {
    expect(await brokenIn(id, motion, trials)).toEqual([]);
    breakIt();
    expect(await brokenIn(id, motion, trials)).toContainEqual(
      expect.stringMatching(/after the bound|not at rest by the bound|collisions/),
    );
  });
});
