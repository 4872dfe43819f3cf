import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { OpenAiModel } from '../../adapters/vllm/index.ts';
import type { LanguageModel, ModelRequest } from '../../contract/index.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { modelRig } from '../support/model-rig.ts';
import { type ModelServer, startVllm } from '../support/model-servers.ts';
import { driveByNoise } from '../support/noisy-driver.ts';
import { openAiModel } from '../support/openai-model.ts';

/** Bounded everywhere: random weights would fill a text without end. */
const PLAN = {
  type: 'object',
  properties: {
    steps: {
      type: 'array',
      minItems: 1,
      maxItems: 2,
      items: {
        type: 'object',
        properties: {
          go: { enum: ['north', 'east', 'south', 'west'] },
          metres: { type: 'integer', minimum: 0, maximum: 9 },
        },
        required: ['go', 'metres'],
        additionalProperties: false,
      },
    },
    done: { type: 'boolean' },
  },
  required: ['steps', 'done'],
  additionalProperties: false,
} as const;
/** Random weights may end a text at any token; this one they cannot end before it is long. */
const LONG = { type: 'string', minLength: 3_500 } as const;
const DRIVE = {
  name: 'robot_drive',
  description: 'Drives.',
  parameters: {
    type: 'object',
    properties: { metres: { type: 'integer', minimum: 0, maximum: 9 }, how: { enum: ['slow', 'fast'] } },
    required: ['metres', 'how'],
    additionalProperties: false,
  },
};

function request(number: number, more: Partial<ModelRequest>): ModelRequest {
  return {
    messages: [{ role: 'user', text: `Plan ${number}` }],
    maxTokens: 120,
    temperature: 1,
    seed: number,
    deadlineMs: 240_000,
    purpose: 'plan',
    ...more,
  };
}

describe('a real vLLM with random weights', () => {
  let server: ModelServer;
  let model: OpenAiModel;
  beforeAll(async () => {
    server = await startVllm(18_000 + (process.pid % 1_000));
    model = openAiModel(server.url, { info: { modelId: 'tiny' }, times: { callMs: 240_000 } });
  }, 900_000);
  afterAll(async () => {
    await model?.close();
    await server?.stop();
  });

  it('answers 100 of 100 plans by their schema, as many at a time as it takes', async () => {
    const plans: unknown[] = [];
    let next = 0;
    const worker = async () => {
      while (next < 100) {
        // What does not fit rejects.
        const { json } = await model.complete(request(next++, { answerSchema: PLAN }));
        plans.push(json);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    expect(plans).toHaveLength(100);
    expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBeGreaterThan(10);
  });

  it('calls a tool where it has to, with arguments that fit, named or chosen', async () => {
    const stop = {
      name: 'robot_stop',
      description: 'Stops.',
      parameters: { type: 'object', properties: {}, additionalProperties: false },
    };
    for (let number = 0; number < 3; number++) {
      const named = await model.complete(
        request(number, { tools: [DRIVE, stop], toolChoice: { name: DRIVE.name } }),
      );
      expect(named.toolCalls.map(({ name }) => name)).toEqual([DRIVE.name]);
      const chosen = await model.complete(request(number, { tools: [DRIVE, stop], toolChoice: 'required' }));
      expect([DRIVE.name, stop.name]).toContain(chosen.toolCalls[0]?.name);
    }
  });

  it('does not constrain a forced call by the fields of the API: what comes of it never passes as a call', async () => {
    const native = openAiModel(server.url, { info: { modelId: 'tiny' }, jsonMode: 'native' });
    for (let number = 0; number < 3; number++) {
      const answer = await native
        .complete(request(number, { tools: [DRIVE], toolChoice: { name: DRIVE.name }, maxTokens: 40 }))
        .catch((thrown: { code: string }) => thrown.code);
      if (typeof answer === 'string') expect(answer).toBe('model.failed');
      else
        expect(JSON.parse(answer.toolCalls[0]!.argumentsText)).toMatchObject({ metres: expect.any(Number) });
    }
    await native.close();
  });

  it('drives no robot by arguments that do not fit, whatever it says', async () => {
    const { rig, robot, said, right } = await driveByNoise(model, 24);
    expect(rig.of('run.finished')[0]!.payload.reason).toBe('enough');
    // Both kinds came, or nothing was tested.
    expect(said).toHaveLength(24);
    expect(right.length).toBeLessThan(20);
    const returned = rig.of('tool.returned').map(({ payload }) => payload);
    const refused = returned.filter(({ ok }) => !ok).map(({ error }) => error?.code);
    expect(refused).toEqual(Array(24 - right.length).fill('schema.invalid'));
    expect(robot.orders.filter((order) => order.startsWith('maneuver'))).toEqual(
      right.map((text) => {
        const distance = (JSON.parse(text) as { metres: number }).metres / 100;
        return `maneuver ${JSON.stringify({ kind: 'drive', distance })}`;
      }),
    );
  });

  it('tells its figures while it works', async () => {
    let seen = false;
    // Random weights may end a text at any token: there is always another one.
    const busy = (async () => {
      for (let number = 0; !seen; number++) await model.complete(request(number, { maxTokens: 150 }));
    })();
    await expect
      .poll(async () => (await model.health()).running, { timeout: 60_000 })
      .toBeGreaterThan(0)
      .finally(() => {
        seen = true;
      });
    await busy;
    expect(await model.health()).toMatchObject({ ok: true, cacheUsage: expect.any(Number) });
  });

  it('whose engine alone is stopped while its front is well: noticed by its steps and replaced', async () => {
    const near = openAiModel(server.url, {
      info: { name: 'near', modelId: 'tiny' },
      // The front has half the machine or less: it may be slow to say that it is well.
      times: { silenceMs: 300, probeMs: 20_000, hangMs: 600 },
    });
    const rig = modelRig([near, new FakeLanguageModel('far', () => ({ text: 'far' }))], {
      clock: new SystemClock(),
    });
    let words = 0;
    let stoppedAt = 0;
    const stop = () => {
      words += 1;
      if (words !== 5) return;
      expect(server.signalInside(/EngineCore/, 'SIGSTOP')).toBe(1);
      stoppedAt = performance.now();
    };
    try {
      const answer = await rig
        .run()
        .complete(request(5, { answerSchema: LONG, maxTokens: 3_700 }), { onDelta: stop });
      // Generous for a loaded machine; on a quiet one below 1 s.
      expect(performance.now() - stoppedAt).toBeLessThan(8_000);
      expect(answer.model).toBe('far');
      const [{ attempts } = {}] = rig.of('model.returned') as { attempts?: unknown }[];
      expect(attempts).toMatchObject([{ model: 'near', reason: expect.stringMatching(/the engine hangs/) }]);
      // Its front is as well as ever.
      expect((await fetch(server.url.replace('/v1', '/health'))).status).toBe(200);
    } finally {
      server.signalInside(/EngineCore/, 'SIGCONT');
    }
    expect((await near.complete(request(6, { maxTokens: 5 }))).model).toBe('near');
    await near.close();
  });

  it('stopped in mid-answer: noticed and replaced by the fallback; going on again it is used again', async () => {
    const near: LanguageModel = openAiModel(server.url, {
      info: { name: 'near', modelId: 'tiny' },
      times: { silenceMs: 300, probeMs: 600 },
    });
    const rig = modelRig([near, new FakeLanguageModel('far', () => ({ text: 'far' }))], {
      clock: new SystemClock(),
    });
    let words = 0;
    let stoppedAt = 0;
    const stop = () => {
      words += 1;
      if (words !== 5) return;
      server.signal('SIGSTOP');
      stoppedAt = performance.now();
    };
    try {
      const long = request(3, { answerSchema: LONG, maxTokens: 3_700 });
      const answer = await rig.run().complete(long, { onDelta: stop });
      // Generous for a loaded machine; on a quiet one 0.95 s.
      expect(performance.now() - stoppedAt).toBeLessThan(6_000);
      expect(answer.model).toBe('far');
    } finally {
      server.signal('SIGCONT');
    }
    await expect.poll(async () => (await near.health()).ok, { timeout: 60_000 }).toBe(true);
    await rig.router.refresh();
    expect(rig.router.models()[0]).toMatchObject({ name: 'near', state: 'up' });
    expect((await rig.run().complete(request(4, { maxTokens: 5 }))).model).toBe('near');
    await near.close();
  });

  it('killed: the fallback answers', async () => {
    const rig = modelRig([model, new FakeLanguageModel('far', () => ({ text: 'far' }))], {
      clock: new SystemClock(),
    });
    server.signal('SIGKILL');
    expect((await rig.run().complete(request(1, { maxTokens: 5 }))).model).toBe('far');
    await expect
      .poll(() => rig.of('model.state').map(({ state }) => state))
      .toEqual(expect.arrayContaining(['down']));
  });
});
