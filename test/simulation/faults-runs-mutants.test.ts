import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { FreezeWatch } from '../../contract/index.ts';
import { TopicClasses } from '../../daemon/execution/door/index.ts';
import { LEASE_PRIORITIES } from '../../daemon/execution/lease.ts';
import { SafetyWatch } from '../../daemon/execution/safety/safety-word.ts';
import { RELEASED, StopLatch } from '../../daemon/execution/safety/stop-latch.ts';
import { StopStore } from '../../daemon/execution/safety/stop-store.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { RemoteCalls } from '../../daemon/runtime/remote/remote-calls.ts';
import { RuntimeSession } from '../../daemon/runtime/remote/runtime-session.ts';
import { RuntimeCell } from '../../daemon/runtime/runtime-cell.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { brokenIn } from '../support/faults/broken-in.ts';
import type { Motion } from '../support/faults/motions.ts';

/** A daemon with one guard of its runs, policies or peers taken out is found by a few trials of the fault that it guards from. */
const ranks = LEASE_PRIORITIES as { agent: number };
const { agent } = ranks;
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  ranks.agent = agent;
});

const AFTER = /commands after the bound/;
const stopsNoRun = () => vi.spyOn(RuntimeCell.prototype, 'cancel').mockResolvedValue({} as never);

describe('the fault campaign finds a daemon', () => {
  it.each<[string, string, Motion, number, () => unknown, RegExp]>([
    ['whose stop ends the motion, and not the run', 'runs.stop', 'runtime', 2, stopsNoRun, AFTER],
    ['whose runs cannot be cancelled', 'runs.cancel', 'acp', 1, stopsNoRun, AFTER],
    [
      'that goes on with a stopped run after its next start',
      'runs.stop-killed',
      'runtime',
      2,
      () => {
        // The next process finds no end of a run in its log.
        const { reader } = MemoryEventLog.prototype;
        vi.spyOn(MemoryEventLog.prototype, 'reader').mockImplementation(function (this: MemoryEventLog) {
          const opened = reader.call(this);
          const read: typeof opened.read = (...of) =>
            opened.read(...of).filter(({ kind }) => kind !== 'run.finished');
          return Object.assign(Object.create(opened) as typeof opened, {
            ...{ read, lastSeq: () => opened.lastSeq(), close: () => opened.close() },
          });
        });
      },
      AFTER,
    ],
    [
      'whose emergency stop holds nothing back that runs ask for',
      'runs.estop',
      'webhook',
      2,
      () => {
        vi.spyOn(StopLatch.prototype, 'engaged', 'get').mockReturnValue(false);
        vi.spyOn(StopLatch.prototype, 'check').mockReturnValue(undefined);
        vi.spyOn(SafetyWatch.prototype, 'why').mockReturnValue('');
      },
      AFTER,
    ],
    [
      'that forgets the emergency stop when both cells die',
      'runs.estop-killed',
      'webhook',
      // In half of the trials both cells die.
      6,
      () => vi.spyOn(StopStore.prototype, 'read').mockReturnValue(RELEASED),
      AFTER,
    ],
    [
      'in which a run outranks the person who had it when the runtime died',
      'runs.takeover-killed',
      'webhook',
      2,
      () => {
        ranks.agent = LEASE_PRIORITIES.teleoperation + 1;
      },
      /while a person had the robot|never got the lease/,
    ],
    [
      'whose runs go on where they were after a freeze',
      'runs.host.freeze',
      'webhook',
      2,
      () => vi.spyOn(FreezeWatch.prototype, 'look').mockReturnValue(undefined),
      AFTER,
    ],
    [
      'in which a run outranks a person',
      'runs.takeover',
      'webhook',
      2,
      () => {
        ranks.agent = LEASE_PRIORITIES.teleoperation + 1;
      },
      /while a person had the robot|never got the lease/,
    ],
    [
      'whose tools ask no policy',
      'law.forbids',
      'tree',
      1,
      () => vi.spyOn(PolicyGate.prototype, 'ask').mockResolvedValue({ refusal: undefined, events: [] }),
      AFTER,
    ],
    [
      'that keeps to its old policies',
      'law.changes',
      'webhook',
      1,
      () => vi.spyOn(PolicyBook.prototype, 'reload').mockResolvedValue(false),
      AFTER,
    ],
    [
      'that lets the motion of a dead runtime go on',
      'peer.kill',
      'agent',
      2,
      () => vi.spyOn(RemoteCalls.prototype, 'stopMotions').mockReturnValue(undefined),
      AFTER,
    ],
    [
      'that does not notice a silent runtime',
      'peer.freeze',
      'runtime',
      2,
      () => vi.spyOn(RuntimeSession.prototype, 'drop').mockReturnValue(undefined),
      AFTER,
    ],
    ['that goes on where a lost runtime comes back', 'peer.link', 'runtime', 3, stopsNoRun, AFTER],
    [
      'that takes any signature of a webhook',
      'webhook.forged',
      'idle',
      2,
      () => {
        vi.spyOn(crypto, 'timingSafeEqual').mockReturnValue(true);
        syncBuiltinESMExports();
      },
      AFTER,
    ],
    [
      'whose door calls everything of an attached client harmless',
      'attached.tries',
      'rosbridge',
      6,
      () => vi.spyOn(TopicClasses.prototype, 'classify').mockReturnValue('harmless'),
      AFTER,
    ],
    [
      'that does not ask when an order of central was posted',
      'broker.holds',
      'mqtt',
      3,
      () => {
        const { submit } = RuntimeCell.prototype;
        vi.spyOn(RuntimeCell.prototype, 'submit').mockImplementation(function (this: RuntimeCell, ...of) {
          return submit.call(this, of[0], of[1]);
        });
      },
      AFTER,
    ],
    [
      'whose door calls every published message harmless',
      'publish.tries',
      'publish',
      4,
      () => vi.spyOn(TopicClasses.prototype, 'classify').mockReturnValue('harmless'),
      AFTER,
    ],
    [
      'whose door calls every published message harmless, beside a person',
      'publish.takeover',
      'publish',
      2,
      () => vi.spyOn(TopicClasses.prototype, 'classify').mockReturnValue('harmless'),
      /while a person had the robot|after the bound/,
    ],
    [
      'whose door calls everything of a route harmless',
      'route.keys',
      'idle',
      3,
      () => vi.spyOn(TopicClasses.prototype, 'classify').mockReturnValue('harmless'),
      AFTER,
    ],
  ])('%s', { timeout: 300_000 }, async (_, id, motion, trials, breakIt, words) => {
    expect(await brokenIn(id, motion, trials)).toEqual([]);
    breakIt();
    expect(await brokenIn(id, motion, trials)).toContainEqual(expect.stringMatching(words));
  });
});
