import { describe, expect, it } from 'vitest';
import type { QuotaRule } from '../../contract/index.ts';
import { makeChats } from '../../daemon/compose/chat.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { QuotaHook } from '../../daemon/runtime/governance/quota-hook.ts';
import { request } from '../conformance/language-model.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { modelRig } from '../support/model-rig.ts';
import { quotaGovernance } from '../support/quota-governance.ts';
import { RuntimeRig } from '../support/runtime-rig.ts';

const RUN = '018bcfe5-6800-7000-8000-0000000000aa';
const MINUTE_NS = 1_700_000_040_000_000_000n;

/** Lets everything that needs no time come to its end. */
const passing = () => new Promise((resolve) => setImmediate(resolve));

/** A router whose calls go into a log that the quotas are folded from, as in the daemon. */
function rigOf(rules: readonly QuotaRule[], price = 0) {
  const clock = new ManualClock(MINUTE_NS);
  const disk = new MemoryLogDisk();
  const log = new MemoryEventLog({ cell: 'runtime', clock, disk });
  const bookOf = () => new QuotaBook(rules, new LatestTime(clock), () => 'lab');
  const book = bookOf();
  const model = new FakeLanguageModel('m', () => ({ text: 'x', tokensIn: 1_000, tokensOut: 1_000 }), {
    costIn: price,
    costOut: price,
  });
  const emit = async (events: Parameters<MemoryEventLog['append']>[0]) => {
    book.observe(await log.append(events));
  };
  const { router } = modelRig([model], { clock, budget: book, hookList: [new QuotaHook(book)] });
  const run = router.forRun({ ...runOf(), emit })!;
  const read = async (tenant = 'lab') => {
    const again = bookOf();
    await again.load(log.reader());
    return again.quotas(tenant);
  };
  return { clock, book, model, run, read };
}

/** The runtime cell with its quotas, and models and chats beside it as the daemon puts them together. */
async function daemonOf(rules: readonly QuotaRule[]) {
  const clock = new ManualClock(MINUTE_NS);
  const time = new LatestTime(clock);
  const quotas = new QuotaBook(rules, time, () => undefined);
  const governance = quotaGovernance(clock, time, quotas);
  const hooks = [new QuotaHook(quotas)];
  const robot = new FakeRobot({ cells: 4, seed: 2 });
  const { cell, context } = new RuntimeRig({ apps: [], robot, hooks, clock, options: { governance } });
  const model = new FakeLanguageModel('m', () => ({ text: 'x', tokensIn: 1_000, tokensOut: 1_000 }));
  const { router } = modelRig([model], { clock, budget: governance, hookList: hooks });
  const chats = makeChats(context, {
    ...{ runtime: cell, models: router, ids: router.options.ids, places: [] },
  });
  await cell.start();
  const read = async (tenant: string) => {
    const again = new QuotaBook(rules, new LatestTime(clock), () => undefined);
    await again.load(context.log.reader());
    return again.quotas(tenant);
  };
  return { desk: chats.desk, model, governance, read };
}

function runOf() {
  const intent = {
    intent_id: '018bcfe5-6800-7000-8000-000000000001',
    type: 'test/run',
    params: {},
    policy_ctx: { tenant: 'lab', principal: 'lena', roles: [], origin: 'api' as const },
    targets: [],
    priority: 5,
  };
  return { runId: RUN, intent, app: { name: 'a' } as never, signal: new AbortController().signal };
}

describe('quotas of models', () => {
  it('calls per minute: all that begin at once are counted; the next waits for the next minute', async () => {
    const rules: QuotaRule[] = [{ tenant: 'lab', metric: 'model_calls', window: 'minute', limit: 2 }];
    const { clock, run, model, read } = rigOf(rules);
    let done = 0;
    const calls = [1, 2, 3].map(async (seed) => {
      await run.complete(request({ seed, deadlineMs: 120_000 }));
      done += 1;
    });
    await expect.poll(() => done).toBe(2);
    await clock.advance(59_000);
    expect([done, model.asked.length]).toEqual([2, 2]);
    await clock.advance(2_000);
    await Promise.all(calls);
    expect(model.asked).toHaveLength(3);
    expect(await read()).toMatchObject([{ metric: 'model_calls', used: 1, left: 1 }]);
  });

  it('the wait for the next minute is part of the deadline of a call, and no time of a model', async () => {
    const rules: QuotaRule[] = [
      { tenant: 'lab', metric: 'model_calls', window: 'minute', limit: 1 },
      { tenant: 'lab', metric: 'gpu_seconds', window: 'total', limit: 1_000 },
    ];
    const { clock, run, model, read } = rigOf(rules);
    await run.complete(request());
    const late = run.complete(request({ deadlineMs: 70_000 }));
    for (let seconds = 0; seconds < 62; seconds++) {
      await passing();
      await clock.advance(1_000);
    }
    await late;
    await passing();
    expect(model.asked[1]!.deadlineMs).toBeLessThan(10_000);
    const [calls, seconds] = await read();
    expect(calls!.used).toBe(1);
    expect(seconds!.used).toBeLessThan(2);
  });

  it('a call without the time to wait is refused, and nobody is asked', async () => {
    const rules: QuotaRule[] = [{ tenant: '*', metric: 'model_calls', window: 'minute', limit: 1 }];
    const { run, model } = rigOf(rules);
    await run.complete(request());
    await expect(run.complete(request({ deadlineMs: 5_000 }))).rejects.toMatchObject({
      code: 'quota.exceeded',
      message: expect.stringMatching(/used 1 of 1 calls of models per minute/),
    });
    expect(model.asked).toHaveLength(1);
  });

  it('dollars per day: counted by the prices of the configuration, refused when spent, known after a restart', async () => {
    const rules: QuotaRule[] = [{ tenant: 'lab', metric: 'usd', window: 'day', limit: 0.005 }];
    // 2,000 tokens at $1 per million: $0.002 a call.
    const { run, model, read, book } = rigOf(rules, 1);
    for (const seed of [1, 2, 3]) await run.complete(request({ seed }));
    await expect(run.complete(request({ seed: 4 }))).rejects.toMatchObject({
      code: 'quota.exceeded',
      message: expect.stringMatching(/used 0\.006 of 0\.005 US dollars per day, 0 are left/),
    });
    expect(model.asked).toHaveLength(3);
    expect(await read()).toEqual(book.quotas('lab'));
  });

  it('a person who leaves is not kept waiting', async () => {
    const rules: QuotaRule[] = [{ tenant: 'lab', metric: 'model_calls', window: 'minute', limit: 0 }];
    const { run, clock } = rigOf(rules);
    const abort = new AbortController();
    const call = run.complete(request({ deadlineMs: 120_000 }), { signal: abort.signal });
    const settled = call.catch((thrown: { code: string }) => thrown.code);
    await clock.advance(1_000);
    abort.abort();
    await clock.advance(1);
    expect(await settled).toBe('run.cancelled');
  });

  it('count calls that belong to no run, on the account of who asked, also after a restart', async () => {
    const rules: QuotaRule[] = [{ tenant: 'guests', metric: 'tokens', window: 'total', limit: 1_500 }];
    const { desk, model, governance, read } = await daemonOf(rules);
    const { messages, maxTokens, temperature } = request();
    const ask = (tenant: string) =>
      desk.complete(
        {
          caller: tenant,
          context: { tenant, principal: 'p', roles: [], origin: 'zenoh' },
          request: { messages, maxTokens, temperature, deadlineMs: 5_000 },
          model: 'auto',
        },
        {},
      );
    await ask('guests');
    await expect(ask('guests')).rejects.toMatchObject({ code: 'quota.exceeded' });
    await ask('others');
    expect(model.asked).toHaveLength(2);
    expect(governance.quotas('guests')).toMatchObject([{ tenant: 'guests', used: 2_000, left: 0 }]);
    expect(await read('guests')).toEqual(governance.quotas('guests'));
  });
});
