import { describe, expect, it } from 'vitest';
import {
  type LanguageModel,
  type ModelAnswer,
  type ModelDelta,
  type ModelRequest,
  settlesWithin,
} from '../support/model-requests.ts';

/** What a model under test has to be made to answer; `undefined` in `calls`: none. */
export type Wanted = {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly args: unknown }[];
  /** It takes the request and says nothing more; with `text`, after that. */
  readonly silent?: boolean;
};

export type ModelUnderTest = {
  readonly model: LanguageModel;
  stop(): Promise<void>;
};

const DRIVE = {
  name: 'robot_drive',
  description: 'Drives.',
  parameters: {
    type: 'object',
    properties: { metres: { type: 'number', minimum: 0, maximum: 2 } },
    required: ['metres'],
    additionalProperties: false,
  },
} as const;

export function request(more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    messages: [
      { role: 'system', text: 'You drive a robot.' },
      { role: 'user', text: 'Go on.' },
    ],
    maxTokens: 64,
    temperature: 0,
    deadlineMs: 10_000,
    purpose: 'test',
    ...more,
  };
}

/** Every LanguageModel passes this. `make` gives one that answers as wanted, whatever it is asked. */
export function languageModelConformance(
  name: string,
  make: (wanted: Wanted) => Promise<ModelUnderTest>,
): void {
  const ask = async (wanted: Wanted, more: Partial<ModelRequest> = {}) => {
    const { model, stop } = await make(wanted);
    const deltas: ModelDelta[] = [];
    try {
      const answer: ModelAnswer = await model.complete(request(more), {
        onDelta: (delta) => deltas.push(delta),
      });
      return { answer, deltas, info: model.info };
    } finally {
      await model.close();
      await stop();
    }
  };

  describe(`LanguageModel: ${name}`, () => {
    it('answers with text, told while it comes, and says who answered and what it took', async () => {
      const { answer, deltas, info } = await ask({ text: 'the door is open' });
      expect(answer).toMatchObject({
        text: 'the door is open',
        toolCalls: [],
        stopReason: 'stop',
        model: info.name,
      });
      const told = deltas.flatMap((delta) => (delta.kind === 'text' ? [delta.text] : [])).join('');
      expect(told).toBe('the door is open');
      expect(answer.tokensIn).toBeGreaterThan(0);
      expect(answer.tokensOut).toBeGreaterThan(0);
      expect(answer.modelId).not.toBe('');
    });

    it('tells each call of a tool once, whole, under an id of its own', async () => {
      const calls = [
        { name: DRIVE.name, args: { metres: 0.5 } },
        { name: DRIVE.name, args: { metres: 1 } },
      ];
      const { answer, deltas } = await ask({ calls }, { tools: [DRIVE] });
      expect(answer.stopReason).toBe('tool_calls');
      expect(
        answer.toolCalls.map(({ name: of, argumentsText }) => ({
          name: of,
          args: JSON.parse(argumentsText),
        })),
      ).toEqual(calls);
      expect(new Set(answer.toolCalls.map(({ id }) => id)).size).toBe(2);
      const told = deltas.flatMap((delta) => (delta.kind === 'tool_call' ? [delta.call] : []));
      expect(told).toEqual(answer.toolCalls);
    });

    it('gives an answer by its schema as a value, and refuses one that does not fit', async () => {
      const answerSchema = {
        type: 'object',
        properties: { steps: { type: 'integer', minimum: 1, maximum: 9 } },
        required: ['steps'],
        additionalProperties: false,
      };
      const { answer } = await ask({ text: '{"steps": 3}' }, { answerSchema });
      expect(answer.json).toEqual({ steps: 3 });
      await expect(ask({ text: '{"steps": "3"}' }, { answerSchema })).rejects.toMatchObject({
        code: 'model.failed',
      });
      await expect(ask({ text: 'three' }, { answerSchema })).rejects.toMatchObject({ code: 'model.failed' });
    });

    it('settles by the deadline of the call when nothing comes, and when nothing more comes', async () => {
      for (const wanted of [{ silent: true }, { text: 'well', silent: true }]) {
        await settlesWithin(5_000, async () => {
          await expect(ask(wanted, { deadlineMs: 300 })).rejects.toMatchObject({ code: 'deadline.exceeded' });
        });
      }
    });

    it('lets go at once when its caller does, before and during a call', async () => {
      const { model, stop } = await make({ silent: true });
      try {
        const gone = AbortSignal.abort();
        await expect(model.complete(request(), { signal: gone })).rejects.toMatchObject({
          code: 'run.cancelled',
        });
        const abort = new AbortController();
        const work = model.complete(request(), { signal: abort.signal });
        setTimeout(() => abort.abort(), 50);
        await settlesWithin(2_000, async () => {
          await expect(work).rejects.toMatchObject({ code: 'run.cancelled' });
        });
      } finally {
        await model.close();
        await stop();
      }
    });

    it('ends open calls when it is closed, and refuses later ones', async () => {
      const { model, stop } = await make({ silent: true });
      const work = expect(model.complete(request())).rejects.toMatchObject({ code: 'model.unavailable' });
      await model.close();
      await model.close();
      await work;
      await expect(model.complete(request())).rejects.toMatchObject({ code: 'model.unavailable' });
      await stop();
    });

    it('ends with model.failed when its listener throws', async () => {
      const { model, stop } = await make({ text: 'hello' });
      const onDelta = () => {
        throw new Error('listener');
      };
      await expect(model.complete(request(), { onDelta })).rejects.toMatchObject({ code: 'model.failed' });
      await model.close();
      await stop();
    });

    it('tells its health and never rejects', async () => {
      const { model, stop } = await make({ text: 'x' });
      await model.health();
      await model.close();
      await stop();
      const health = await model.health();
      expect(typeof health.ok).toBe('boolean');
    });
  });
}
