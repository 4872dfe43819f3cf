import { describe, expect, it } from 'vitest';
import { request } from '../conformance/language-model.ts';
import { babble, down, FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { modelRig } from '../support/model-rig.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));
const gone = { ok: false, reason: 'ECONNREFUSED', queueDepth: 0 };
const well = { ok: true, reason: '', queueDepth: 0 };

/** A model that does what `mood` says, and one that always answers. */
function rigOf(mood: { reply: () => ReturnType<typeof down> | { text: string } }) {
  const model = new FakeLanguageModel('m', () => mood.reply());
  const rig = modelRig([model, new FakeLanguageModel('other', () => ({ text: 'other' }))]);
  const shown = () => {
    const { state, failuresInRow, reason } = rig.router.models()[0]!;
    return { state, failuresInRow, reason };
  };
  const test = () => rig.router.test('m', request()).catch(() => undefined);
  const told = () => rig.of('model.state').flatMap((one) => (one.model === 'm' ? [one.state] : []));
  return { model, rig, shown, test, told };
}

describe('a model that fails', () => {
  it('is failing after one bad answer, down after the third in a row, up with the next good one', async () => {
    const mood: Parameters<typeof rigOf>[0] = { reply: () => ({ text: 'fine' }) };
    const { shown, test, told } = rigOf(mood);
    await test();
    expect(shown()).toMatchObject({ state: 'up', failuresInRow: 0 });
    mood.reply = () => babble('gibberish');
    await test();
    expect(shown()).toEqual({ state: 'failing', failuresInRow: 1, reason: 'gibberish' });
    await test();
    expect(shown()).toMatchObject({ state: 'failing', failuresInRow: 2 });
    await test();
    expect(shown()).toMatchObject({ state: 'down', failuresInRow: 3 });
    mood.reply = () => ({ text: 'fine' });
    await test();
    expect(shown()).toEqual({ state: 'up', failuresInRow: 0, reason: '' });
    expect(told()).toEqual(['up', 'failing', 'down', 'up']);
  });

  it('is down at once when its server does not answer a health check either', async () => {
    const mood: Parameters<typeof rigOf>[0] = { reply: () => ({ text: 'fine' }) };
    const { model, shown, test } = rigOf(mood);
    await test();
    mood.reply = () => down();
    model.state = gone;
    await test();
    await settled();
    expect(shown()).toMatchObject({ state: 'down', reason: 'ECONNREFUSED' });
    model.state = well;
  });

  it('one call that was cut off by a healthy server leaves it failing, and the next health check heals it', async () => {
    const mood: Parameters<typeof rigOf>[0] = { reply: () => down('HTTP 503') };
    const { rig, shown, test, told } = rigOf(mood);
    await test();
    await settled();
    expect(shown()).toMatchObject({ state: 'failing', failuresInRow: 1, reason: 'HTTP 503' });
    await rig.router.refresh();
    expect(shown()).toMatchObject({ state: 'up', failuresInRow: 0 });
    expect(told()).toEqual(['failing', 'up']);
  });

  it('one health check without an answer makes a model that was up failing, the second down', async () => {
    const { model, rig, shown, test } = rigOf({ reply: () => ({ text: 'fine' }) });
    await test();
    model.state = gone;
    await rig.router.refresh();
    expect(shown()).toMatchObject({ state: 'failing', failuresInRow: 1 });
    await rig.router.refresh();
    expect(shown()).toMatchObject({ state: 'down' });
  });

  it('bad answers heal by themselves: healthy, and no failed call for a minute', async () => {
    const { rig, shown, test } = rigOf({ reply: () => babble() });
    for (let i = 0; i < 3; i++) await test();
    await rig.router.refresh();
    expect(shown().state).toBe('down');
    await rig.clock.advance(60_000);
    await rig.router.refresh();
    expect(shown()).toMatchObject({ state: 'up', failuresInRow: 0 });
  });
});
