import { afterEach, describe, expect, it, vi } from 'vitest';
import { FreezeWatch, TOPICS } from '../../contract/index.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { ActuationLease } from '../../daemon/execution/lease.ts';
import { EmergencyStopper } from '../../daemon/execution/safety/emergency-stopper.ts';
import { SafetyWatch } from '../../daemon/execution/safety/safety-word.ts';
import { StopFile } from '../../daemon/execution/safety/stop-file.ts';
import { StopLatch } from '../../daemon/execution/safety/stop-latch.ts';
import { ThawGuard } from '../../daemon/http/thaw-guard.ts';
import { brokenIn } from '../support/faults/broken-in.ts';
import type { Motion } from '../support/faults/motions.ts';

/** Daemons with one guard taken out, for the faults that are as old as the campaign; see faults-mutants.test.ts. */
afterEach(() => vi.restoreAllMocks());

/** An emergency stop that takes no word from there. */
const takesNoWordFrom = (deaf: string) => () => {
  const { engage } = EmergencyStopper.prototype;
  vi.spyOn(EmergencyStopper.prototype, 'engage').mockImplementation(async function (
    this: EmergencyStopper,
    source,
    by,
    reason,
  ) {
    return source === deaf ? this.state() : await engage.call(this, source, by, reason);
  });
};
const looksForNoFile = () => {
  vi.spyOn(StopFile.prototype, 'exists', 'get').mockReturnValue(false);
  vi.spyOn(StopFile.prototype, 'start').mockReturnValue(undefined);
};
const takesOldOrders = () => vi.spyOn(ThawGuard.prototype, 'watch').mockReturnValue(undefined);
const seesNoFreeze = () => vi.spyOn(FreezeWatch.prototype, 'look').mockReturnValue(undefined);
const stopsNothing = () => vi.spyOn(Actuation.prototype, 'stop').mockResolvedValue(undefined);
/** It does not learn that a cell died. */
const hearsOfNoDeath = () => {
  const { onBroadcast } = MessageBus.prototype;
  vi.spyOn(MessageBus.prototype, 'onBroadcast').mockImplementation(function (
    this: MessageBus,
    topic,
    listen,
  ) {
    if (topic !== TOPICS.cellState) onBroadcast.call(this, topic, listen);
  });
};
const endsNoLease = () => {
  const { acquire } = ActuationLease.prototype;
  vi.spyOn(ActuationLease.prototype, 'acquire').mockImplementation(function (
    this: ActuationLease,
    holder,
    priority,
  ) {
    return acquire.call(this, holder, priority, 3_600_000);
  });
};
const holdsNothingBack = () => {
  vi.spyOn(StopLatch.prototype, 'engaged', 'get').mockReturnValue(false);
  vi.spyOn(StopLatch.prototype, 'check').mockReturnValue(undefined);
  vi.spyOn(SafetyWatch.prototype, 'why').mockReturnValue('');
};
const allIsFinite = () => vi.spyOn(Number, 'isFinite').mockReturnValue(true);

describe('the fault campaign finds a daemon', () => {
  it.each<[string, string, Motion, number, () => unknown]>([
    ['that takes no emergency stop by its file', 'estop.file', 'drive', 1, takesNoWordFrom('file')],
    ['that takes no emergency stop by an empty file', 'estop.empty', 'drive', 1, looksForNoFile],
    ['that takes no emergency stop by its topic', 'estop.topic', 'drive', 1, takesNoWordFrom('ros')],
    ['that takes no emergency stop by its key', 'estop.key', 'drive', 1, takesNoWordFrom('zenoh')],
    ['whose emergency stop does not hold when it wakes up', 'estop.frozen', 'drive', 2, holdsNothingBack],
    ['whose API takes old commands of a hand when it wakes up', 'runtime.blink', 'teleop', 3, takesOldOrders],
    ['whose API takes old velocities of a live client', 'live.blink', 'live', 3, takesOldOrders],
    ['that does not notice the end of who asked for a motion', 'runtime.kill', 'drive', 2, hearsOfNoDeath],
    ['whose cell goes on where it was after a freeze', 'execution.freeze', 'drive', 3, seesNoFreeze],
    ['whose control thread goes on where it was', 'control.hang', 'drive', 3, seesNoFreeze],
    ['in which a lease does not expire', 'lease.expires', 'teleop', 2, endsNoLease],
    ['that takes a stop while the robot sleeps, and forgets it', 'robot.freeze', 'drive', 3, stopsNothing],
    ['that takes NaN for a number', 'policy.nan', 'controller', 4, allIsFinite],
    ['whose stop does nothing after a step of the clock', 'clock.steps', 'drive', 3, stopsNothing],
  ])('%s', { timeout: 300_000 }, async (_, id, motion, trials, breakIt) => {
    expect(await brokenIn(id, motion, trials)).toEqual([]);
    breakIt();
    expect(await brokenIn(id, motion, trials)).toContainEqual(expect.stringMatching(/after the bound/));
  });
});
