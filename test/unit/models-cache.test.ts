import { describe, expect, it } from 'vitest';
import type { ModelDelta, ModelRequest } from '../../contract/index.ts';
import { request } from '../conformance/language-model.ts';
import { CALL, FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { modelRig } from '../support/model-rig.ts';

const says = (name: string, text = name) => new FakeLanguageModel(name, () => ({ text }));

/** Lets everything that needs no time come to its end. */
const passing = () => new Promise((resolve) => setImmediate(resolve));

describe('cache', () => {
  const sure = request({ temperature: 0, seed: 7 });

  it('answers the same question again without a model, its calls under new ids, costing nothing', async () => {
    const model = new FakeLanguageModel('m', () => ({ toolCalls: [CALL], stopReason: 'tool_calls' }));
    const rig = modelRig([model]);
    const first = await rig.run().complete(sure);
    const told: ModelDelta[] = [];
    const second = await rig.run('run-2').complete(sure, { onDelta: (delta) => told.push(delta) });
    expect(model.asked).toHaveLength(1);
    expect(second).toMatchObject({
      cached: true,
      tokensOut: 0,
      toolCalls: [{ name: CALL.name, argumentsText: CALL.argumentsText }],
    });
    expect(second.toolCalls[0]!.id).not.toBe(first.toolCalls[0]!.id);
    expect(told).toEqual([{ kind: 'tool_call', call: second.toolCalls[0] }]);
    expect(rig.of('model.returned')[1]).toMatchObject({
      ok: true,
      cached: true,
      tokens_in: 0,
      tokens_out: 0,
    });
  });

  it('tells a listener the words first, then the calls; one that throws ends the call, and no model is blamed', async () => {
    const model = new FakeLanguageModel('m', () => ({
      text: 'I drive',
      toolCalls: [CALL],
      stopReason: 'tool_calls',
    }));
    const rig = modelRig([model, says('second')]);
    await rig.run().complete(sure);
    const told: ModelDelta[] = [];
    const { toolCalls } = await rig.run().complete(sure, { onDelta: (delta) => told.push(delta) });
    expect(told).toEqual([
      { kind: 'text', text: 'I drive' },
      { kind: 'tool_call', call: toolCalls[0] },
    ]);
    const onDelta = () => {
      throw new Error('listener');
    };
    await expect(rig.run().complete(sure, { onDelta })).rejects.toMatchObject({
      message: expect.stringMatching(/listener/),
    });
    expect(rig.router.models()).toMatchObject([{ state: 'up', failures: 0 }, { calls: 0 }]);
  });

  it.each<[string, Partial<ModelRequest>]>([
    ['another text', { messages: [{ role: 'user', text: 'other' }] }],
    [
      'another picture',
      { messages: [{ role: 'user', text: '', images: [{ mime: 'image/png', data: new Uint8Array([9]) }] }] },
    ],
    ['another seed', { seed: 8 }],
    ['another schema', { answerSchema: { type: 'object' } }],
    ['other tools', { tools: [{ name: 't', description: '', parameters: {} }] }],
    ['no seed', { seed: undefined as unknown as number }],
    ['chance', { temperature: 0.1 }],
  ])('asks again for %s', async (_what, more) => {
    const model = new FakeLanguageModel('m', () => ({ text: 'x' }), { vision: true });
    const rig = modelRig([model]);
    const { seed, ...rest } = { ...sure, ...more };
    await rig.run().complete(sure);
    await rig.run().complete(seed === undefined ? rest : { ...rest, seed });
    expect(model.asked).toHaveLength(2);
  });

  it('keeps within its bytes, and keeps no cut answer', async () => {
    const model = new FakeLanguageModel('m', ({ messages }) => ({ text: messages[0]!.text }));
    const rig = modelRig([model], { cacheBytes: 50_000 });
    for (let i = 0; i < 40; i++) {
      await rig.run().complete({ ...sure, messages: [{ role: 'user', text: `${i}`.repeat(1_000) }] });
      expect(rig.router.cache.bytes).toBeLessThanOrEqual(50_000);
    }
    expect(rig.router.cache.size).toBeGreaterThan(5);
    const cut = modelRig([new FakeLanguageModel('m', () => ({ text: 'x', stopReason: 'length' }))]);
    await cut.run().complete(sure);
    expect(cut.router.cache.size).toBe(0);
  });
});

describe('places', () => {
  it('at a model are taken by turns of the runs, whatever one of them asks', async () => {
    const order: string[] = [];
    const finish: (() => void)[] = [];
    const model = new FakeLanguageModel('m', async ({ purpose }) => {
      order.push(purpose);
      await new Promise<void>((resolve) => finish.push(resolve));
      return { text: 'x' };
    });
    const rig = modelRig([model], { spec: { places: 1, queueMs: 60_000 } });
    const greedy = rig.run('greedy');
    const modest = rig.run('modest');
    const work = [0, 1, 2, 3].map((i) =>
      greedy.complete(request({ purpose: `greedy ${i}`, deadlineMs: 60_000 })),
    );
    await rig.clock.advance(0);
    work.push(modest.complete(request({ purpose: 'modest', deadlineMs: 60_000 })));
    await rig.clock.advance(0);
    expect(rig.router.models()[0]).toMatchObject({ running: 1, waiting: 4 });
    expect(rig.router.queueDepth()).toBe(4);
    for (let i = 0; i < 5; i++) {
      await expect.poll(() => finish.length).toBe(i + 1);
      finish[i]!();
    }
    await Promise.all(work);
    expect(order).toEqual(['greedy 0', 'greedy 1', 'modest', 'greedy 2', 'greedy 3']);
    expect(rig.router.models()[0]).toMatchObject({ running: 0, waiting: 0 });
  });

  it('that nobody gives back in time: the next model is asked, and nothing leaks', async () => {
    const slow = new FakeLanguageModel('slow', () => new Promise(() => {}));
    const rig = modelRig([slow, says('next')], { spec: { places: 1, queueMs: 1_000 } });
    const abort = new AbortController();
    void rig
      .run('a', abort)
      .complete(request({ deadlineMs: 60_000 }))
      .catch(() => {});
    await passing();
    const work = rig.run('b').complete(request({ deadlineMs: 60_000 }));
    await passing();
    expect(rig.router.models()[0]).toMatchObject({ running: 1, waiting: 1 });
    await rig.clock.advance(1_100);
    expect((await work).model).toBe('next');
    expect(rig.router.models()[0]).toMatchObject({ running: 1, waiting: 0 });
  });
});

describe('the log', () => {
  it('has a large answer as a blob, whole', async () => {
    const blobs = new MemoryBlobStore();
    const text = 'long '.repeat(20_000);
    const rig = modelRig([new FakeLanguageModel('m', () => ({ text }))], { blobs });
    await rig.run().complete(request());
    const [returned] = rig.of('model.returned') as { answer?: unknown; answer_sha256: string }[];
    expect(returned!.answer).toBeUndefined();
    const bytes = await blobs.get(returned!.answer_sha256);
    expect(JSON.parse(Buffer.from(bytes!).toString())).toMatchObject({ text, stop_reason: 'stop' });
  });

  it('never holds the prompt, only its hash, and the same prompt has the same', async () => {
    const rig = modelRig([says('m')]);
    const secret = request({ messages: [{ role: 'user', text: 'the code is 4711' }] });
    await rig.run().complete(secret);
    await rig.run().complete(secret);
    await rig.run().complete(request());
    expect(JSON.stringify(rig.of('model.called'))).not.toContain('4711');
    const [a, b, c] = rig.of('model.called').map(({ prompt_sha256 }) => prompt_sha256);
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });
});
