import { afterEach, describe, expect, it, vi } from 'vitest';
import { FreezeWatch } from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { ControllerCore } from '../../daemon/execution/controllers/controller-core.ts';
import { TopicClasses } from '../../daemon/execution/door/index.ts';
import { ActuationLease, LEASE_PRIORITIES } from '../../daemon/execution/lease.ts';
import { EmergencyStopper } from '../../daemon/execution/safety/emergency-stopper.ts';
import { NewPress } from '../../daemon/execution/safety/new-press.ts';
import { SafetyWatch } from '../../daemon/execution/safety/safety-word.ts';
import { StopLatch } from '../../daemon/execution/safety/stop-latch.ts';
import { StopStore } from '../../daemon/execution/safety/stop-store.ts';
import { brokenIn } from '../support/faults/broken-in.ts';
import type { Motion } from '../support/faults/motions.ts';

/** The campaign can fail: a daemon with one guard taken out is found by a few trials of the fault that it guards from. */
afterEach(() => vi.restoreAllMocks());

describe('the fault campaign finds a daemon', () => {
  it('whose emergency stop ends what moves, and does not hold', async () => {
    expect(await brokenIn('estop.api', 'drive', 1)).toEqual([]);
    vi.spyOn(StopLatch.prototype, 'engaged', 'get').mockReturnValue(false);
    vi.spyOn(StopLatch.prototype, 'check').mockReturnValue(undefined);
    vi.spyOn(SafetyWatch.prototype, 'why').mockReturnValue('');
    expect(await brokenIn('estop.api', 'drive', 1)).toContainEqual(
      expect.stringMatching(/commands after the bound/),
    );
  });

  it('in which a release undoes a press that its person did not see', async () => {
    expect(await brokenIn('estop.released', 'drive', 3)).toEqual([]);
    const { release } = EmergencyStopper.prototype;
    vi.spyOn(EmergencyStopper.prototype, 'release').mockImplementation(function (
      this: EmergencyStopper,
      source,
      by,
      reason,
    ) {
      return release.call(this, source, by, reason);
    });
    expect(await brokenIn('estop.released', 'drive', 3)).toContainEqual(
      expect.stringMatching(/commands after the bound/),
    );
  });

  it.each<[string, Motion]>([
    ['stop.held', 'teleop'],
    ['estop.held', 'teleop'],
    ['attached.held', 'foxglove'],
  ])('that is moved on by a key that was down when it was stopped (%s)', async (id, motion) => {
    expect(await brokenIn(id, motion, 2)).toEqual([]);
    vi.spyOn(NewPress.prototype, 'presses').mockReturnValue(true);
    expect(await brokenIn(id, motion, 2)).toContainEqual(expect.stringMatching(/commands after the bound/));
  });

  const stopsNothing = () => vi.spyOn(Actuation.prototype, 'stop').mockResolvedValue(undefined);
  const harmless = () => vi.spyOn(TopicClasses.prototype, 'classify').mockReturnValue('harmless');
  it.each<[string, string, Motion, number, () => unknown]>([
    ['that takes a stop and does nothing', 'stop.robot', 'drive', 1, stopsNothing],
    [
      'whose stop of a run ends no motion',
      'stop.run',
      'drive',
      1,
      () => vi.spyOn(Actuation.prototype, 'stopRun').mockResolvedValue(undefined),
    ],
    [
      'that keeps a lease which was given back',
      'lease.returned',
      'teleop',
      1,
      () => vi.spyOn(ActuationLease.prototype, 'surrender').mockResolvedValue(undefined),
    ],
    ['whose door calls everything of a route harmless', 'route.tries', 'idle', 3, harmless],
    ['whose door calls everything of a play harmless', 'play.tries', 'idle', 3, harmless],
  ])('%s', async (_, id, motion, trials, breakIt) => {
    expect(await brokenIn(id, motion, trials)).toEqual([]);
    breakIt();
    expect(await brokenIn(id, motion, trials)).toContainEqual(
      expect.stringMatching(/commands after the bound/),
    );
  });

  it('that forgets the emergency stop when its cell dies', async () => {
    expect(await brokenIn('estop.killed', 'drive', 1)).toEqual([]);
    vi.spyOn(StopStore.prototype, 'write').mockResolvedValue(undefined);
    expect(await brokenIn('estop.killed', 'drive', 1)).toContainEqual(
      expect.stringMatching(/commands after the bound/),
    );
  });

  it('in which a program outranks a person', async () => {
    expect(await brokenIn('takeover', 'drive', 1)).toEqual([]);
    const ranks = LEASE_PRIORITIES as { agent: number };
    const { agent } = ranks;
    ranks.agent = LEASE_PRIORITIES.teleoperation + 1;
    try {
      expect(await brokenIn('takeover', 'drive', 2)).toContainEqual(
        expect.stringMatching(/while a person had the robot|never got the lease/),
      );
    } finally {
      ranks.agent = agent;
    }
  });

  it('that goes on where it was after a freeze', async () => {
    expect(await brokenIn('host.freeze', 'drive', 1)).toEqual([]);
    vi.spyOn(FreezeWatch.prototype, 'look').mockReturnValue(undefined);
    expect(await brokenIn('host.freeze', 'drive', 1)).toContainEqual(
      expect.stringMatching(/after the bound/),
    );
  });

  it('that believes whatever a policy says', async () => {
    expect(await brokenIn('policy.late', 'controller', 1)).toEqual([]);
    const step = ControllerCore.prototype.step;
    // The last action counts for ever.
    vi.spyOn(ControllerCore.prototype, 'step').mockImplementation(function (
      this: ControllerCore,
      nowMs,
      measured,
    ) {
      const done = step.call(this, nowMs, measured);
      if (done.send) done.applied.fill(0.2 + 0.05 * Math.sin(nowMs / 200));
      return done;
    });
    expect(await brokenIn('policy.dead', 'controller', 6)).toContainEqual(
      expect.stringMatching(/after the bound/),
    );
  });
});
