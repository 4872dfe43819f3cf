import { describe, expect, it } from 'vitest';
import type { NewEvent, PolicyHook, QuotaRule } from '../../contract/index.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { QuotaHook } from '../../daemon/runtime/governance/quota-hook.ts';
import { request } from '../conformance/language-model.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { modelRig } from '../support/model-rig.ts';
import { quotaGovernance } from '../support/quota-governance.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { effectsApp, flowApp, oneState } from '../support/test-apps.ts';

const HOUR = 3_600_000_000_000n;
const calls = (limit: number): QuotaRule[] => [
  { tenant: 'lab', metric: 'model_calls', window: 'total', limit },
];
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'answered',
    (thrown: { code: string }) => thrown.code,
  );

/** A run with a model whose log can be held up, as a gate that takes its time holds a call up. */
function rigOf(rules: readonly QuotaRule[], hookList: readonly PolicyHook[] = []) {
  const clock = new ManualClock();
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const book = new QuotaBook(rules, new LatestTime(clock), () => 'lab');
  const gate: { held: Promise<void>; open: () => void } = { held: Promise.resolve(), open: () => {} };
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    Object.assign(gate, { held: promise, open: resolve });
  };
  const emit = async (events: readonly NewEvent[]) => {
    await gate.held;
    book.observe(await log.append(events));
  };
  const model = new FakeLanguageModel('m', () => ({ text: 'x' }));
  const { router } = modelRig([model], { clock, budget: book, hookList });
  const intent = {
    ...{ intent_id: '018bcfe5-6800-7000-8000-000000000001', type: 'test/run', params: {} },
    ...{ policy_ctx: PERSON, targets: [], priority: 5 },
  };
  const runId = '018bcfe5-6800-7000-8000-0000000000aa';
  const abort = new AbortController();
  const run = router.forRun({ runId, intent, app: effectsApp(), signal: abort.signal, emit })!;
  const ask = (seed: number) => outcome(run.complete(request({ seed, deadlineMs: 120_000 })));
  return { clock, book, model, gate, hold, abort, ask };
}

describe('a place in a quota', () => {
  it('is held as long as its call waits, whatever the clock of the wall does', async () => {
    const { clock, gate, hold, ask, book } = rigOf(calls(1));
    hold();
    const first = ask(1);
    await clock.advance(30_000);
    clock.jumpWall(HOUR);
    expect(await ask(2)).toBe('quota.exceeded');
    gate.open();
    expect(await first).toBe('answered');
    expect(book.quotas('lab')).toMatchObject([{ used: 1, left: 0 }]);
  });

  it('is free at once when its call is refused behind it, or its owner is gone', async () => {
    const state = { deny: true, thinking: Promise.resolve() };
    const hook: PolicyHook = {
      name: 'no',
      decide: async () => {
        await state.thinking;
        return { decision: state.deny ? 'deny' : 'allow', reason: 'not now' };
      },
    };
    const { book, ask, abort, clock } = rigOf(calls(1), [hook]);
    expect(await ask(1)).toBe('policy.denied');
    expect(book.quotas('lab')).toMatchObject([{ used: 0, left: 1 }]);
    const { promise, resolve } = Promise.withResolvers<void>();
    Object.assign(state, { deny: false, thinking: promise });
    const left = ask(2);
    await clock.advance(1);
    expect(book.quotas('lab')).toMatchObject([{ used: 1, left: 0 }]);
    abort.abort();
    resolve();
    expect(await left).not.toBe('answered');
    expect(book.quotas('lab')).toMatchObject([{ used: 0, left: 1 }]);
  });

  it('is not held for ever by a caller that is lost', async () => {
    const clock = new ManualClock();
    const book = new QuotaBook(calls(1), new LatestTime(clock), () => 'lab');
    book.beginCall('lab', 'lost', 5_000);
    await clock.advance(64_000);
    expect(() => book.beginCall('lab', 'next', 5_000)).toThrow(/has used 1 of 1/);
    await clock.advance(2_000);
    expect(() => book.beginCall('lab', 'next', 5_000)).not.toThrow();
    book.endCall('next');
    book.endCall('nobody');
    expect(book.quotas('lab')).toMatchObject([{ used: 0 }]);
  });

  it('of an intent is free when a hook behind the quota refuses it, and taken once when it runs', async () => {
    const clock = new ManualClock();
    const time = new LatestTime(clock);
    const rules: QuotaRule[] = [{ tenant: '*', metric: 'runs', window: 'total', limit: 1 }];
    const quotas = new QuotaBook(rules, time, () => undefined);
    const governance = quotaGovernance(clock, time, quotas);
    const state = { deny: true };
    const late: PolicyHook = {
      name: 'late',
      decide: async () => ({ decision: state.deny ? 'deny' : 'allow', reason: '' }),
    };
    const rig = new RuntimeRig({
      apps: [
        flowApp(
          'quick',
          oneState(async () => ({ event: 'ok', reason: 'done' })),
        ),
      ],
      ...{ robot: new FakeRobot({ cells: 4 }), clock, hooks: [new QuotaHook(quotas), late] },
      options: { governance },
    });
    await rig.cell.start();
    const submit = () => outcome(rig.cell.submit({ type: 'quick/go' }, PERSON));
    expect(await submit()).toBe('policy.denied');
    expect(quotas.quotas('lab')).toMatchObject([{ used: 0, left: 1 }]);
    state.deny = false;
    expect(await submit()).toBe('answered');
    expect(await submit()).toBe('quota.exceeded');
    expect(quotas.quotas('lab')).toMatchObject([{ used: 1, left: 0 }]);
  });
});
