import { describe, expect, it } from 'vitest';
import type { EngineApi, LanguageModel } from '../../contract/index.ts';
import { EngineShelf, type RunningEngine } from '../../daemon/runtime/models/engine-shelf.ts';
import { LiveModels } from '../../daemon/runtime/models/live-models.ts';
import type { WantedModel } from '../../daemon/runtime/models/model-router.ts';
import { request } from '../conformance/language-model.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { modelRig } from '../support/model-rig.ts';

const says = (name: string, text = name) => new FakeLanguageModel(name, () => ({ text }));
const wanted = (model: LanguageModel, key = model.info.name): WantedModel => ({
  name: model.info.name,
  key,
  make: async () => ({ model, kind: 'openai', url: 'http://x', places: 4, queueMs: 5_000, wake: false }),
});

describe('models that are taken while the daemon runs', () => {
  it('are there for the next call, in their new order; what stays keeps its figures', async () => {
    const rig = modelRig([]);
    const [a, b] = [says('a'), says('b')];
    await rig.router.take([wanted(a)]);
    expect((await rig.run().complete(request())).model).toBe('a');
    await rig.router.take([wanted(b), wanted(a)]);
    expect((await rig.run().complete(request())).model).toBe('b');
    expect(rig.router.models().map(({ name, calls }) => [name, calls])).toEqual([
      ['b', 1],
      ['a', 1],
    ]);
  });

  it('a call under way at a model that is taken out comes to its end, and then it is closed', async () => {
    const answer = Promise.withResolvers<{ text: string }>();
    const old = new FakeLanguageModel('m', () => answer.promise);
    const rig = modelRig([]);
    await rig.router.take([wanted(old)]);
    const call = rig.run().complete(request({ deadlineMs: 60_000 }));
    await expect.poll(() => old.asked.length).toBe(1);
    await rig.router.take([wanted(says('m', 'new'), 'other')]);
    await rig.clock.advance(2_000);
    expect(old.closed).toBe(false);
    answer.resolve({ text: 'old' });
    expect((await call).text).toBe('old');
    await rig.clock.advance(1_000);
    expect(old.closed).toBe(true);
    expect((await rig.run().complete(request())).text).toBe('new');
  });

  it('one that cannot be made changes nothing, and nothing that was made stays open', async () => {
    const rig = modelRig([]);
    const [a, b] = [says('a'), says('b')];
    await rig.router.take([wanted(a)]);
    const broken = { name: 'c', key: 'c', make: () => Promise.reject(new Error('no key')) };
    await expect(rig.router.take([wanted(b), broken])).rejects.toThrow('no key');
    expect(rig.router.models().map(({ name }) => name)).toEqual(['a']);
    expect(b.closed).toBe(true);
    await expect(rig.router.take([wanted(a), wanted(a)])).rejects.toMatchObject({ code: 'config.invalid' });
  });
});

describe('the server that this daemon runs', () => {
  const engineOf = (name: string, told: string[]): RunningEngine => ({
    api: { engine: () => ({ engine: name }) } as EngineApi,
    wrap: (model) => model,
    start: () => told.push(`${name} starts`),
    stop: async () => void told.push(`${name} stops`),
  });

  it('is started, replaced and stopped as the configuration says; what did not change goes on', async () => {
    const told: string[] = [];
    const shelf = new EngineShelf();
    const live = new LiveModels(modelRig([]).router, shelf);
    const take = (key: string) =>
      live.take({
        engine: { key, make: async () => (key === '' ? undefined : engineOf(key, told)) },
        models: () => [],
      });
    await take('one');
    live.start();
    await take('one');
    await take('two');
    await take('');
    expect(shelf.api).toBeUndefined();
    await take('three');
    await live.stop();
    expect(told).toEqual([
      'one starts',
      'one stops',
      'two starts',
      'two stops',
      'three starts',
      'three stops',
    ]);
  });

  it('goes on where the next one cannot be made', async () => {
    const told: string[] = [];
    const shelf = new EngineShelf();
    shelf.start();
    await shelf.take('one', async () => engineOf('one', told));
    await expect(shelf.take('two', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(shelf.api?.engine().engine).toBe('one');
    expect(told).toEqual(['one starts']);
  });
});
