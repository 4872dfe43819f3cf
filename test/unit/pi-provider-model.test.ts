import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { PiProviderModel } from '../../adapters/pi/index.ts';
import { languageModelConformance, request } from '../conformance/language-model.ts';
import { FakeOpenAi, json, type Script, say, silent, stall } from '../fakes/fake-openai.ts';

function modelOf(url: string, more: { provider?: string; apiKey?: string } = {}): PiProviderModel {
  return new PiProviderModel({
    info: {
      name: 'cloud',
      modelId: 'served/tiny',
      vision: true,
      tools: true,
      context: 8_192,
      latency: 'any',
      costIn: 1,
      costOut: 2,
    },
    provider: more.provider ?? 'groq',
    apiKey: more.apiKey ?? 'secret-key',
    url,
    clock: new SystemClock(),
    firstTokenMs: 20_000,
    stallMs: 20_000,
  });
}

languageModelConformance(
  'PiProviderModel, OpenAI words over HTTP',
  async ({ text, calls, silent: quiet }) => {
    const script = quiet
      ? text === undefined
        ? silent
        : stall(text)
      : say({ text: text ?? '', ...(calls ? { calls } : {}) });
    const server = await FakeOpenAi.start(script);
    return { model: modelOf(server.url), stop: () => server.stop() };
  },
);

async function asked<T>(script: Script, work: (url: string, server: FakeOpenAi) => Promise<T>): Promise<T> {
  const server = await FakeOpenAi.start(script);
  try {
    return await work(server.url, server);
  } finally {
    await server.stop();
  }
}

describe('a model of a Pi provider', () => {
  it('gives broken arguments as they came, not as Pi would mend them', async () => {
    const script = say({ calls: [{ name: 'go', args: '{"metres": 1' }] });
    const tools = [{ name: 'go', description: 'goes', parameters: { type: 'object' } }];
    const answer = await asked(script, (url) => modelOf(url).complete(request({ tools })));
    expect(answer.toolCalls).toMatchObject([{ name: 'go', argumentsText: '{"metres": 1' }]);
  });

  it('sends pictures, calls and results of the conversation', async () => {
    await asked(say({ text: 'ok' }), async (url, server) => {
      await modelOf(url).complete(
        request({
          messages: [
            { role: 'system', text: 'S' },
            { role: 'user', text: 'look', images: [{ mime: 'image/png', data: new Uint8Array([1, 2]) }] },
            { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'go', argumentsText: '{"m":1}' }] },
            { role: 'tool', text: '{"ok":true}', callId: 'c1' },
          ],
        }),
      );
      const body = JSON.stringify(server.asked[0]!.body);
      expect(body).toContain('data:image/png;base64,AQI=');
      expect(body).toMatch(/"tool_calls":\[\{"id":"c1"/);
      expect(body).toMatch(/"tool_call_id":"c1"/);
    });
  });

  it('is not kept busy by an answer that is nearly a fence around JSON', async () => {
    const text = `\`\`\`${' '.repeat(200_000)}x`;
    await asked(say({ text }), (url) =>
      expect(modelOf(url).complete(request({ answerSchema: { type: 'object' } }))).rejects.toMatchObject({
        message: expect.stringMatching(/it is not JSON/),
      }),
    );
  });

  it('says that a provider is away, and never tells its key', async () => {
    const away: Script = (_asked, response) => json(response, 503, { error: { message: 'no capacity' } });
    const refused: Script = (_asked, response) =>
      json(response, 400, { error: { message: 'bad key secret-key in request' } });
    await asked(away, (url) =>
      expect(modelOf(url).complete(request())).rejects.toMatchObject({ code: 'model.unavailable' }),
    );
    const fault = await asked(refused, (url) =>
      modelOf(url)
        .complete(request())
        .catch((thrown: Error) => thrown),
    );
    expect(fault).toMatchObject({ code: 'model.failed' });
    expect(String((fault as Error).message)).not.toContain('secret-key');
    await expect(modelOf('http://127.0.0.1:9').complete(request())).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    await expect(
      modelOf('http://127.0.0.1:9', { provider: 'nobody' }).complete(request()),
    ).rejects.toMatchObject({
      code: 'model.unavailable',
      message: 'Pi has no provider nobody',
    });
  });
});
