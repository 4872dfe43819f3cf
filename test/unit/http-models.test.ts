import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { babble, down, FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { type Rig, startRig } from '../support/http-rig.ts';
import { modelRig } from '../support/model-rig.ts';

describe('models in the API', () => {
  const local = new FakeLanguageModel('local', ({ messages }) =>
    messages[0]?.text === 'break' ? babble() : { text: 'hello there', tokensOut: 3 },
  );
  const gone = new FakeLanguageModel('gone', () => down());
  gone.state = { ok: false, reason: 'ECONNREFUSED', queueDepth: 0 };
  local.state = { ok: true, reason: '', queueDepth: 2, running: 1, cacheUsage: 0.5 };
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig({}, { models: modelRig([local, gone]).router });
  });
  afterEach(() => rig.stop());

  it('are listed with what their servers say', async () => {
    const answer = await rig.get('/v1/models');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      models: [
        { name: 'local', state: 'up', server_waiting: 2, server_running: 1, cache_usage: 0.5, places: 4 },
        { name: 'gone', state: 'down', reason: 'ECONNREFUSED' },
      ],
    });
    expect(await (await rig.get('/metrics')).text()).toMatch(/auraison_model_up\{model="gone"\} 0/);
  });

  it('are in the status, with what is wrong with them', async () => {
    await rig.get('/v1/models');
    expect(await (await rig.get('/v1/status')).json()).toMatchObject({
      models: [
        { name: 'local', state: 'up', reason: '' },
        { name: 'gone', state: 'down', reason: 'ECONNREFUSED' },
      ],
    });
  });

  it('are tested one by one: answer, tokens, errors as they are', async () => {
    const good = await rig.post('/v1/models/local/test', { prompt: 'hi', max_tokens: 8 });
    expect(await good.json()).toMatchObject({ model: 'local', text: 'hello there', tokens_out: 3 });
    expect(local.asked.at(-1)).toMatchObject({ maxTokens: 8, messages: [{ role: 'user', text: 'hi' }] });
    const bad = await rig.post('/v1/models/local/test', { prompt: 'break' });
    expect(await bad.json()).toMatchObject({ code: 'model.failed' });
    const none = await rig.post('/v1/models/nobody/test', {});
    expect(none.status).toBe(404);
    expect(await none.json()).toMatchObject({ code: 'model.not_found' });
    expect((await rig.post('/v1/models/local/test', { max_tokens: '8' })).status).toBe(400);
  });
});
