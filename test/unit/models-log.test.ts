import { describe, expect, it } from 'vitest';
import { EdgeError, type ModelDelta } from '../../contract/index.ts';
import { request } from '../conformance/language-model.ts';
import { CALL, down, FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { modelRig } from '../support/model-rig.ts';

/** Lets everything that needs no time come to its end. */
const passing = () => new Promise((resolve) => setImmediate(resolve));

/** Models over a log that takes its time until `written` settles, and what their listener hears. */
function slowLog(...models: readonly FakeLanguageModel[]) {
  const rig = modelRig(models);
  const written = Promise.withResolvers<void>();
  rig.log = () => written.promise;
  const told: ModelDelta[] = [];
  const ask = (deadlineMs = 5_000) =>
    rig.run().complete(request({ deadlineMs }), { onDelta: (delta) => told.push(delta) });
  return { rig, written, told, ask };
}

const noRoom = () => new EdgeError('log.failed', { operation: 'append', subject: 'log', message: 'no room' });
const talks = () =>
  new FakeLanguageModel('m', (_request, { onDelta }) => {
    onDelta?.({ kind: 'text', text: 'I ' });
    onDelta?.({ kind: 'thinking', text: 'hm' });
    return { text: 'I drive', toolCalls: [CALL], stopReason: 'tool_calls', tokensOut: 7 };
  });

describe('an answer, while the log writes its question', () => {
  it('is heard of when the question is there, whole and in order', async () => {
    const model = talks();
    const { written, told, ask } = slowLog(model);
    const work = ask();
    await passing();
    expect([model.asked.length, told]).toEqual([1, []]);
    written.resolve();
    await work;
    expect(told).toEqual([
      { kind: 'text', text: 'I ' },
      { kind: 'thinking', text: 'hm' },
      { kind: 'text', text: 'drive' },
      { kind: 'tool_call', call: CALL },
    ]);
  });

  it('is never heard of where the log refuses the question', async () => {
    const { written, told, ask } = slowLog(talks());
    const work = ask();
    await passing();
    written.reject(noRoom());
    await expect(work).rejects.toMatchObject({ code: 'log.failed' });
    expect(told).toEqual([]);
  });

  it('with a call of a tool in it lets nobody else be asked, heard or not', async () => {
    const second = new FakeLanguageModel('second', () => ({ text: 'x' }));
    const breaks = new FakeLanguageModel('first', () => ({ ...down('broke off'), toldCall: true }));
    const { written, told, ask } = slowLog(breaks, second);
    const work = ask();
    await passing();
    expect(told).toEqual([]);
    written.resolve();
    await expect(work).rejects.toMatchObject({ message: expect.stringMatching(/broke off/) });
    expect(told).toEqual([{ kind: 'tool_call', call: CALL }]);
    expect(second.asked).toEqual([]);
  });

  it('is not lost to a log that is slower than the deadline, and no model is blamed', async () => {
    const { rig, written, ask } = slowLog(talks());
    const work = ask(5_000);
    // What fails is told below, not as a rejection that nobody handled.
    work.catch(() => {});
    await passing();
    await rig.clock.advance(60_000);
    written.resolve();
    expect((await work).text).toBe('I drive');
    await passing();
    expect(rig.of('model.returned')).toMatchObject([{ ok: true, tokens_out: 7 }]);
    expect(rig.router.models()[0]).toMatchObject({ state: 'up', failures: 0 });
  });

  it('is not waited for where the log refuses and the model lets nothing go', async () => {
    const { written, ask } = slowLog(new FakeLanguageModel('deaf', () => new Promise(() => {})));
    const work = ask();
    await passing();
    written.reject(noRoom());
    await expect(work).rejects.toMatchObject({ code: 'log.failed' });
  });
});
