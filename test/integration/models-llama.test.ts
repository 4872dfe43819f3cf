import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { ModelRequest, ModelTool } from '../../contract/index.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { modelRig } from '../support/model-rig.ts';
import { type ModelServer, StallingProxy, startLlama } from '../support/model-servers.ts';
import { openAiModel } from '../support/openai-model.ts';

const DIRECTIONS = ['north', 'east', 'south', 'west'] as const;
const TOOLS: readonly ModelTool[] = [
  {
    name: 'go',
    description: 'Go to the next crossing.',
    parameters: {
      type: 'object',
      properties: {
        direction: { enum: [...DIRECTIONS] },
        metres: { type: 'integer', minimum: 1, maximum: 3 },
      },
      required: ['direction', 'metres'],
      additionalProperties: false,
    },
  },
  {
    name: 'look',
    description: 'Look around.',
    parameters: { type: 'object', properties: {}, required: [], additionalProperties: false },
  },
];

function ask(number: number): ModelRequest {
  return {
    messages: [
      { role: 'system', text: 'You lead a robot through a maze.' },
      { role: 'user', text: `Crossing ${number}: the way ${DIRECTIONS[number % 4]} is open.` },
    ],
    tools: TOOLS,
    toolChoice: 'required',
    maxTokens: 64,
    temperature: 0.8,
    seed: number,
    deadlineMs: 120_000,
    purpose: 'test',
  };
}

describe('a real small model behind llama.cpp', () => {
  let server: ModelServer;
  beforeAll(async () => {
    server = await startLlama();
  }, 300_000);
  afterAll(() => server?.stop());

  it('chooses tools validly 50 times of 50, and not the same each time', async () => {
    const model = openAiModel(server.url, { info: { modelId: 'smollm2' } });
    const chosen = new Set<string>();
    let next = 0;
    const worker = async () => {
      while (next < 50) {
        // An invalid choice rejects: the adapter checks name and arguments.
        const { toolCalls } = await model.complete(ask(next++));
        expect(toolCalls).toHaveLength(1);
        chosen.add(`${toolCalls[0]!.name} ${toolCalls[0]!.argumentsText}`);
      }
    };
    // As many at a time as the server has slots: a step for two costs little more than one for one.
    await Promise.all([worker(), worker()]);
    expect(chosen.size).toBeGreaterThan(1);
    await model.close();
  });

  it('tells its health and figures', async () => {
    const model = openAiModel(server.url);
    expect(await model.health()).toMatchObject({ ok: true, queueDepth: 0, running: 0 });
    await model.close();
  });

  it('a network that stands still in mid-answer is noticed, and the fallback answers', async () => {
    const proxy = await StallingProxy.start(server.port);
    const near = openAiModel(proxy.url, {
      info: { name: 'near', modelId: 'smollm2' },
      times: { silenceMs: 300, probeMs: 600 },
    });
    const rig = modelRig([near, new FakeLanguageModel('far', () => ({ text: 'far' }))], {
      clock: new SystemClock(),
    });
    let words = 0;
    const answer = await rig.run().complete(
      {
        messages: [{ role: 'user', text: 'Tell a long story.' }],
        maxTokens: 400,
        temperature: 0.8,
        seed: 1,
        deadlineMs: 60_000,
        purpose: 'test',
      },
      {
        onDelta: () => {
          words += 1;
          if (words === 5) proxy.stand(true);
        },
      },
    );
    expect(answer.model).toBe('far');
    expect(rig.of('model.returned')[0]).toMatchObject({
      attempts: [{ model: 'near', code: 'model.unavailable' }],
    });
    await near.close();
    await proxy.stop();
  });

  it('a server that was stopped, then killed: the fallback answers, and the reason is told', async () => {
    const near = openAiModel(server.url, {
      info: { name: 'near', modelId: 'smollm2' },
      times: { silenceMs: 300, probeMs: 600 },
    });
    const rig = modelRig([near, new FakeLanguageModel('far', () => ({ text: 'far' }))], {
      clock: new SystemClock(),
    });
    server.signal('SIGSTOP');
    const began = performance.now();
    expect((await rig.run().complete(ask(1))).model).toBe('far');
    // Generous for a loaded machine; measured: below one second.
    expect(performance.now() - began).toBeLessThan(5_000);
    server.signal('SIGKILL');
    expect((await rig.run().complete(ask(2))).model).toBe('far');
    await expect.poll(async () => (await near.health()).ok).toBe(false);
    const told = () => rig.of('model.state').filter(({ model }) => model === 'near');
    expect(told()[0]).toMatchObject({ state: 'failing', reason: expect.stringMatching(/silent/) });
    await expect.poll(() => told().map(({ state }) => state)).toContain('down');
    await near.close();
  });
});
