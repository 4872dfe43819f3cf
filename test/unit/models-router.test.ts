import { describe, expect, it } from 'vitest';
import type { ModelDelta, ModelRequest, PolicyHook } from '../../contract/index.ts';
import { EdgeError } from '../../contract/index.ts';
import { request } from '../conformance/language-model.ts';
import { babble, CALL, down, FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { modelRig } from '../support/model-rig.ts';

const says = (name: string, text = name) => new FakeLanguageModel(name, () => ({ text }));

const untilAborted = (signal: AbortSignal) =>
  new Promise<ReturnType<typeof down>>((resolve) => {
    signal.addEventListener('abort', () => resolve(down('cut off')), { once: true });
  });

/** Lets everything that needs no time come to its end. */
const passing = () => new Promise((resolve) => setImmediate(resolve));

describe('fallback', () => {
  it('asks in order until one answers, and the log says who failed, why, and who answered', async () => {
    const rig = modelRig([
      new FakeLanguageModel('near', () => down()),
      new FakeLanguageModel('far', () => babble()),
      says('cloud'),
    ]);
    const answer = await rig.run().complete(request());
    expect(answer).toMatchObject({ text: 'cloud', model: 'cloud' });
    expect(rig.of('model.called')).toMatchObject([{ model: 'near', purpose: 'test' }]);
    expect(rig.of('model.returned')).toMatchObject([
      {
        ok: true,
        model: 'cloud',
        model_id: 'served/cloud',
        tokens_in: 10,
        tokens_out: 5,
        answer: { text: 'cloud', tool_calls: [], stop_reason: 'stop' },
        attempts: [
          { model: 'near', code: 'model.unavailable', reason: expect.stringMatching(/ECONNREFUSED/) },
          { model: 'far', code: 'model.failed' },
        ],
      },
    ]);
    expect(rig.of('model.state')).toMatchObject([
      { model: 'near', state: 'failing' },
      { model: 'far', state: 'failing' },
      { model: 'cloud', state: 'up' },
    ]);
  });

  it('never asks anybody else once a call of a tool was told', async () => {
    const second = says('second');
    const rig = modelRig([
      new FakeLanguageModel('first', () => ({ ...down('broke off'), toldCall: true })),
      second,
    ]);
    const deltas: ModelDelta[] = [];
    await expect(
      rig.run().complete(request(), { onDelta: (delta) => deltas.push(delta) }),
    ).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/broke off/),
    });
    expect(deltas).toEqual([{ kind: 'tool_call', call: CALL }]);
    expect(second.asked).toEqual([]);
    expect(rig.of('model.returned')).toMatchObject([{ ok: false }]);
  });

  it('with nobody left says so once in the log, names each reason, and says when somebody is back', async () => {
    let up = false;
    const rig = modelRig([
      new FakeLanguageModel('a', () => (up ? { text: 'a' } : down('a is out'))),
      new FakeLanguageModel('b', () => down('b is out')),
    ]);
    const model = rig.run();
    for (let i = 0; i < 3; i++) {
      await expect(model.complete(request())).rejects.toMatchObject({
        code: 'model.unavailable',
        message: expect.stringMatching(/a: a is out.*b: b is out/),
      });
    }
    up = true;
    expect((await model.complete(request())).text).toBe('a');
    expect(rig.of('model.state').map(({ model: of, state }) => `${of} ${state}`)).toEqual([
      'a failing',
      'b failing',
      '* none_left',
      'a down',
      'b down',
      'a up',
    ]);
  });

  it('ends at once when the run ends, and blames no model for it', async () => {
    const abort = new AbortController();
    const second = says('second');
    const rig = modelRig([
      new FakeLanguageModel('first', async () => {
        abort.abort();
        return { fail: new EdgeError('run.cancelled', { operation: 'complete', subject: 'first' }) };
      }),
      second,
    ]);
    await expect(rig.run('run-1', abort).complete(request())).rejects.toMatchObject({
      code: 'run.cancelled',
    });
    expect(second.asked).toEqual([]);
    expect(rig.of('model.state')).toEqual([]);
  });

  it('gives each model what is left of the time, and stops when none is', async () => {
    const second = says('second');
    const rig = modelRig([
      new FakeLanguageModel('first', async () => {
        await rig.clock.advance(4_000);
        return down('stalled');
      }),
      second,
    ]);
    await rig.run().complete(request({ deadlineMs: 5_000 }));
    expect(second.asked[0]?.deadlineMs).toBe(1_000);
    const late = modelRig([
      new FakeLanguageModel('first', async () => {
        await late.clock.advance(6_000);
        return { fail: new EdgeError('deadline.exceeded', { operation: 'complete', subject: 'first' }) };
      }),
      says('second'),
    ]);
    await expect(late.run().complete(request({ deadlineMs: 5_000 }))).rejects.toMatchObject({
      code: 'deadline.exceeded',
    });
  });

  it('waits once for a server that said until when, if nobody else answers', async () => {
    const busy = new FakeLanguageModel('busy', (_request, _options, call) =>
      call === 1 ? down('HTTP 429', { retryAfterMs: 2_000 }) : { text: 'now' },
    );
    const rig = modelRig([busy]);
    const work = rig.run().complete(request({ deadlineMs: 20_000 }));
    await expect.poll(() => busy.asked.length).toBe(1);
    await passing();
    await rig.clock.advance(2_000);
    expect((await work).text).toBe('now');
    const never = modelRig([
      new FakeLanguageModel('busy', () => down('HTTP 429', { retryAfterMs: 3_600_000 })),
    ]);
    await expect(never.run().complete(request())).rejects.toMatchObject({ code: 'model.unavailable' });
  });

  it('a listener that throws ends the call; nobody is asked again', async () => {
    const second = says('second');
    const rig = modelRig([says('first'), second]);
    const onDelta = () => {
      throw new Error('listener');
    };
    await expect(rig.run().complete(request(), { onDelta })).rejects.toMatchObject({
      message: expect.stringMatching(/listener/),
    });
    expect(second.asked).toEqual([]);
    expect(rig.of('model.state')).toEqual([]);
  });
});

describe('choice by declared need', () => {
  const small = new FakeLanguageModel('small', () => ({ text: 'small' }), { context: 2_000, latency: 'low' });
  const eyes = new FakeLanguageModel('eyes', () => ({ text: 'eyes' }), { vision: true, costOut: 3 });
  const dear = new FakeLanguageModel('dear', () => ({ text: 'dear' }), {
    vision: true,
    context: 200_000,
    costOut: 15,
  });
  const mute = new FakeLanguageModel('mute', () => ({ text: 'mute' }), { tools: false });
  const rig = modelRig([mute, eyes, small, dear]);
  const picture = { mime: 'image/png', data: new Uint8Array([1]) } as const;
  const tool = { name: 't', description: '', parameters: { type: 'object' } };

  it.each<[string, Partial<ModelRequest>, string]>([
    ['nothing said: as configured', {}, 'mute'],
    ['tools', { tools: [tool] }, 'eyes'],
    ['pictures', { messages: [{ role: 'user', text: '', images: [picture] }] }, 'eyes'],
    ['low latency', { need: { latency: 'low' } }, 'small'],
    ['context', { need: { context: 100_000 } }, 'dear'],
    ['a long prompt', { messages: [{ role: 'user', text: 'x'.repeat(200_000) }] }, 'dear'],
    ['preference', { need: { prefer: ['dear'] } }, 'dear'],
    ['preference that does not fit', { need: { prefer: ['mute'], vision: true } }, 'eyes'],
    ['cost', { need: { prefer: ['dear', 'eyes'], costMax: 5 } }, 'eyes'],
  ])('%s', async (_what, more, name) => {
    expect((await rig.run().complete(request(more))).model).toBe(name);
  });

  it('refuses with the reason of each model when none fits', async () => {
    const need = { vision: true, prefer: ['small'], only: true };
    await expect(rig.run().complete(request({ need }))).rejects.toMatchObject({
      code: 'model.unavailable',
      retryable: false,
      message: expect.stringMatching(/eyes: not asked for.*small: it sees no images/),
    });
  });
});

describe('breaker', () => {
  it('lets a model rest that is gone, tries it with one call when it has rested, and trusts it again', async () => {
    let up = false;
    const first = new FakeLanguageModel('first', () => (up ? { text: 'first' } : down()));
    const rig = modelRig([first, says('second')]);
    const model = rig.run();
    await model.complete(request());
    for (let i = 0; i < 5; i++) await model.complete(request());
    expect(first.asked).toHaveLength(1);
    await rig.clock.advance(2_000);
    await model.complete(request());
    expect(first.asked).toHaveLength(2);
    // It rests twice as long now.
    await rig.clock.advance(3_900);
    await model.complete(request());
    expect(first.asked).toHaveLength(2);
    up = true;
    await rig.clock.advance(200);
    expect((await model.complete(request())).model).toBe('first');
    expect((await model.complete(request())).model).toBe('first');
  });

  it('a single model that failed is asked again: there is nobody else', async () => {
    let up = false;
    const rig = modelRig([new FakeLanguageModel('only', () => (up ? { text: 'x' } : down()))]);
    await expect(rig.run().complete(request())).rejects.toMatchObject({ code: 'model.unavailable' });
    up = true;
    expect((await rig.run().complete(request())).text).toBe('x');
  });

  it('bad answers count only in a row', async () => {
    const first = new FakeLanguageModel('first', (_request, _options, call) =>
      call % 3 === 0 ? { text: 'ok' } : babble(),
    );
    const rig = modelRig([first, says('second')]);
    for (let i = 0; i < 9; i++) await rig.run().complete(request());
    expect(first.asked).toHaveLength(9);
    expect(rig.of('model.state').filter(({ state }) => state === 'down')).toEqual([]);
  });

  it('a sleeping engine is known from its health, woken when configured so, and used when it is up', async () => {
    const first = says('first');
    first.state = { ok: false, reason: 'the engine sleeps', queueDepth: 0, sleeping: true };
    const rig = modelRig([first, says('second')], { spec: { wake: true } });
    await rig.router.refresh();
    expect((await rig.run().complete(request())).model).toBe('second');
    expect(rig.router.models()[0]).toMatchObject({ name: 'first', state: 'sleeping' });
    first.state = { ok: true, reason: '', queueDepth: 0 };
    await rig.router.refresh();
    expect(rig.router.models()[0]).toMatchObject({ name: 'first', state: 'up' });
    expect((await rig.run().complete(request())).model).toBe('first');
    const asleep = new FakeLanguageModel('asleep', () => down('the server is silent: the engine sleeps'));
    const other = modelRig([asleep, says('second')], { spec: { wake: true } });
    await other.run().complete(request());
    expect(asleep.woken).toBe(1);
  });
});

describe('governance', () => {
  const noCloud: PolicyHook = {
    name: 'no-cloud',
    decide: async ({ subject }) => ({
      decision: subject === 'cloud' ? 'deny' : 'allow',
      reason: 'data stays here',
    }),
  };

  it('asks the hooks for each model before it is asked; a denied one is passed over', async () => {
    const cloud = says('cloud');
    const rig = modelRig([cloud, says('local')], { hookList: [noCloud] });
    expect((await rig.run().complete(request())).model).toBe('local');
    expect(cloud.asked).toEqual([]);
    expect(rig.events.map(({ kind }) => kind).filter((kind) => kind !== 'model.state')).toEqual([
      'policy.decided',
      'policy.decided',
      'model.called',
      'model.returned',
    ]);
  });

  it('with none allowed nothing is called, the denial is in the log, and its code is told', async () => {
    const rig = modelRig([says('cloud')], { hookList: [noCloud] });
    await expect(rig.run().complete(request())).rejects.toMatchObject({ code: 'policy.denied' });
    expect(rig.events.map(({ kind }) => kind)).toEqual(['policy.decided']);
  });

  it('a budget that is used up stops the call before anybody is asked', async () => {
    const asked: string[] = [];
    const budget = {
      check: () => {},
      beginCall(tenant: string) {
        asked.push(tenant);
        throw new EdgeError('quota.exceeded', { operation: 'check', subject: tenant });
      },
      endCall: () => {},
      quotas: () => [],
    };
    const only = says('only');
    await expect(modelRig([only], { budget }).run().complete(request())).rejects.toMatchObject({
      code: 'quota.exceeded',
    });
    expect(asked).toEqual(['lab']);
    expect(only.asked).toEqual([]);
  });

  it('a model is asked while the log writes that it is, and its answer waits for the log', async () => {
    const only = says('m');
    const rig = modelRig([only]);
    const written = Promise.withResolvers<void>();
    rig.log = () => written.promise;
    let answered = false;
    const call = rig.run().complete(request());
    void call.then(() => {
      answered = true;
    });
    await passing();
    expect(only.asked).toHaveLength(1);
    expect(answered).toBe(false);
    written.resolve();
    expect((await call).text).toBe('m');
    await passing();
    expect(rig.events.map(({ kind }) => kind).filter((kind) => kind !== 'model.state')).toEqual([
      'model.called',
      'model.returned',
    ]);
  });

  it('a log that refuses the call ends it: no answer, nobody else is asked, and no model is blamed', async () => {
    const slow = new FakeLanguageModel('slow', (_request, { signal }) => untilAborted(signal!));
    const second = says('second');
    const rig = modelRig([slow, second]);
    rig.log = async () => {
      throw new EdgeError('log.failed', { operation: 'append', subject: 'log', message: 'no room' });
    };
    await expect(rig.run().complete(request())).rejects.toMatchObject({ code: 'log.failed' });
    expect(slow.seen[0]!.signal!.aborted).toBe(true);
    expect(second.asked).toEqual([]);
    expect(rig.router.models().map(({ state }) => state)).not.toContain('down');
  });

  it('costs are counted as configured, and are in the log', async () => {
    const dear = new FakeLanguageModel(
      'dear',
      () => ({ text: 'x', tokensIn: 1_000_000, tokensOut: 100_000 }),
      {
        costIn: 2,
        costOut: 10,
      },
    );
    const rig = modelRig([dear]);
    await rig.run().complete(request());
    expect(rig.of('model.returned')[0]).toMatchObject({ cost_usd: 3 });
    expect(rig.router.models()[0]).toMatchObject({ costUsd: 3, tokensIn: 1_000_000, calls: 1 });
  });
});
