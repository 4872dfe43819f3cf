import { afterEach, describe, expect, it } from 'vitest';
import { request } from '../conformance/language-model.ts';
import { beginStream, chunk, event, FakeOpenAi, type Script, say, silent } from '../fakes/fake-openai.ts';
import { openAiModel } from '../support/openai-model.ts';

const quick = { silenceMs: 50, probeMs: 2_000, hangMs: 300 };
/** Figures as vLLM tells them: two engines behind one front. */
const figures = (steps: number, others = 7) =>
  `vllm:iteration_tokens_total_count{engine="0"} ${steps}\nvllm:iteration_tokens_total_count{engine="1"} ${others}\n` +
  'vllm:num_requests_running{engine="0"} 0\n';
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a connection that was kept', () => {
  const cut: Script = (_, response) => void response.socket?.destroy();

  it('and is cut under the next request: asked once more on a new one', async () => {
    const server = await FakeOpenAi.start(cut, say({ text: 'here' }));
    expect((await openAiModel(server.url).complete(request())).text).toBe('here');
    expect(server.asked).toHaveLength(2);
    await server.stop();
  });

  it('once: a server that cuts every connection is gone', async () => {
    const server = await FakeOpenAi.start(cut);
    await expect(openAiModel(server.url).complete(request())).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    expect(server.asked).toHaveLength(2);
    await server.stop();
  });

  it('and breaks in the middle of an answer is not asked again: the fallback is', async () => {
    const server = await FakeOpenAi.start((_, response) => {
      beginStream(response);
      event(response, chunk({ content: 'half' }));
      setTimeout(() => response.socket?.destroy(), 50);
    });
    await expect(openAiModel(server.url).complete(request())).rejects.toMatchObject({
      code: expect.stringMatching(/^model\./),
    });
    expect(server.asked).toHaveLength(1);
    await server.stop();
  });
});

describe('an engine behind a front that is well', () => {
  let server: FakeOpenAi;
  afterEach(() => server.stop());

  const ask = async (script: Script, metrics: string) => {
    server = await FakeOpenAi.start(script);
    server.metrics = metrics;
    return await openAiModel(server.url, { times: quick }).complete(request());
  };

  it('that takes no step before the first token hangs, though its figures know nothing of the call', async () => {
    await expect(ask(silent, figures(5))).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/engine hangs: no step for \d+ ms/),
    });
  });

  it('that takes no step in the middle of an answer hangs', async () => {
    const half: Script = (_, response) => {
      beginStream(response);
      event(response, chunk({ content: 'half' }));
    };
    await expect(ask(half, figures(5))).rejects.toMatchObject({ message: expect.stringMatching(/hangs/) });
  });

  it('that works for others is waited for', async () => {
    const slow: Script = async (asked, response, fake) => {
      for (let steps = 6; steps < 16; steps++) {
        await later(100);
        fake.metrics = figures(steps);
      }
      await say({ text: 'at last' })(asked, response, fake);
    };
    expect((await ask(slow, figures(5))).text).toBe('at last');
  });

  it('that tells no steps is waited for', async () => {
    const slow: Script = async (asked, response, fake) => {
      await later(900);
      await say({ text: 'at last' })(asked, response, fake);
    };
    expect((await ask(slow, 'vllm:num_requests_running 1\n')).text).toBe('at last');
  });
});
