import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { CosmosPredict, CosmosReason, CosmosTransfer } from '../../adapters/cosmos/index.ts';
import type { Clock, EdgeError, MapSnapshot } from '../../contract/index.ts';
import { FakeCosmos, film, generated, judged, type Reply } from '../fakes/fake-cosmos.ts';
import { mapPicture } from '../support/shipped-apps.ts';
import { until } from '../support/until.ts';

const fakes: FakeCosmos[] = [];
afterEach(async () => {
  await Promise.all(fakes.splice(0).map((fake) => fake.stop()));
});
async function fake(runtime: 'generator' | 'reasoner' = 'generator'): Promise<FakeCosmos> {
  const one = await FakeCosmos.start(runtime);
  fakes.push(one);
  return one;
}
const clock = new SystemClock();
const options = (url: string) => ({ url, apiKey: 'secret-key', name: 'cosmos', clock });
const generation = { resolution: '256', frames: 61, fps: 16, steps: 35 } as const;
const picture = { mime: 'image/png', data: Uint8Array.of(0x89, 0x50, 0x4e, 0x47) } as const;
const clip = { mime: 'video/mp4', data: new Uint8Array(film('source')) } as const;
const schema = {
  type: 'object',
  properties: { score: { type: 'integer' }, blocked: { type: 'boolean' }, why: { type: 'string' } },
  required: ['score', 'blocked', 'why'],
  additionalProperties: false,
} as const;
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'fine',
    ({ code }: EdgeError) => code,
  );
const ask = { prompt: 'it drives', from: picture, deadlineMs: 5_000 };

describe('a generator', () => {
  it('is asked by its documented interface: a picture, a film, a transfer', async () => {
    const service = await fake();
    const predict = new CosmosPredict(options(service.url), generation);
    expect(await predict.health()).toEqual({ ok: true, reason: '' });
    const made = await predict.predict({ ...ask, seed: 7 });
    expect(Buffer.from(made.data).equals(film('film 1'))).toBe(true);
    await predict.predict({ ...ask, from: made });
    await new CosmosTransfer(options(`${service.url}/v1/`), generation).transfer({
      ...{ prompt: 'real', video: clip, control: 'edge', deadlineMs: 5_000 },
    });
    expect(service.asked.map(({ body }) => body['model_mode'])).toEqual([
      'image2video',
      'video2video',
      'video2video',
    ]);
    expect(service.asked[0]).toMatchObject({
      headers: { authorization: 'Bearer secret-key' },
      body: { resolution: '256', num_frames: 61, fps: 16, num_inference_steps: 35, seed: 7 },
    });
    expect(service.asked[2]!.body['transfer']).toMatchObject({
      edge: { preset_edge_threshold: 'medium' },
      num_video_frames_per_chunk: 61,
    });
  });

  it('keeps to the frames that a tier has', async () => {
    const service = await fake();
    await new CosmosPredict(options(service.url), { ...generation, resolution: '720', frames: 397 }).predict(
      ask,
    );
    expect(service.asked[0]!.body['num_frames']).toBe(197);
  });

  it.each<[string, Reply, string]>([
    ['refuses the request', { status: 422, body: { detail: 'extra field' } }, 'model.failed'],
    ['breaks', { status: 500, body: 'boom' }, 'model.failed'],
    ['answers with no JSON', { body: '<html>' }, 'model.failed'],
    ['answers with a list', { body: [] }, 'model.failed'],
    ['answers without a film', { body: { b64_image: 'abc' } }, 'model.failed'],
    [
      'answers with a film that is none',
      { body: { b64_video: Buffer.from('GIF89a and more').toString('base64') } },
      'model.failed',
    ],
    ['answers with no base64', { body: { b64_video: 'päng!' } }, 'model.failed'],
    ['redirects', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }, 'model.failed'],
    ['wants another key', { status: 401, body: { detail: 'secret-key is wrong' } }, 'model.unavailable'],
  ])('that %s is told as that, and asked once', async (_name, reply, code) => {
    const service = await fake();
    service.reply = () => reply;
    const error = (await new CosmosPredict(options(service.url), generation)
      .predict(ask)
      .catch((thrown: unknown) => thrown)) as EdgeError;
    expect([error.code, service.asked.length]).toEqual([code, 1]);
    expect(error.message).not.toContain('secret-key');
  });

  it('that did not accept a request is asked once more; one that is silent never', async () => {
    const busy = await fake();
    busy.reply = (_body, count) =>
      count === 1 ? { status: 503, headers: { 'retry-after': '0' } } : generated(count);
    await new CosmosPredict(options(busy.url), generation).predict(ask);
    expect(busy.asked).toHaveLength(2);
    const silent = await fake();
    silent.reply = () => undefined;
    const late = new CosmosPredict(options(silent.url), generation).predict({ ...ask, deadlineMs: 300 });
    expect(await codeOf(late)).toBe('deadline.exceeded');
    await until(() => silent.left === 1, 'it is let go');
    expect(silent.asked).toHaveLength(1);
    // The next one is served.
    silent.reply = (_body, count) => generated(count);
    expect(await codeOf(new CosmosPredict(options(silent.url), generation).predict(ask))).toBe('fine');
  });

  it('lets go at once when it is cancelled', async () => {
    const service = await fake();
    service.reply = () => undefined;
    const abort = new AbortController();
    const work = codeOf(
      new CosmosPredict(options(service.url), generation).predict({ ...ask, signal: abort.signal }),
    );
    await until(() => service.asked.length === 1, 'it is asked');
    abort.abort();
    expect(await work).toBe('run.cancelled');
    await until(() => service.left === 1, 'it is let go');
  });

  it('is not there, is the other runtime, or is asked for too much: nothing expensive is begun', async () => {
    const gone = new CosmosPredict(options('http://127.0.0.1:9'), generation);
    expect(await codeOf(gone.predict({ ...ask, deadlineMs: 500 }))).toMatch(/unavailable|deadline/);
    expect(await gone.health()).toMatchObject({ ok: false });
    const reasoner = await fake('reasoner');
    const wrong = new CosmosPredict(options(reasoner.url), generation);
    expect(await codeOf(wrong.predict(ask))).toBe('model.unavailable');
    expect(await wrong.health()).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/a reasoner, not a generator/),
    });
    const service = await fake();
    const predict = new CosmosPredict(options(service.url), generation);
    const large = { mime: 'image/png' as const, data: new Uint8Array(16_000_000) };
    expect(await codeOf(predict.predict({ ...ask, from: large }))).toBe('model.failed');
    expect(await codeOf(predict.predict({ ...ask, prompt: 'x'.repeat(20_001) }))).toBe('model.failed');
    expect(reasoner.asked.length + service.asked.length).toBe(0);
    service.ready = 503;
    expect(await predict.health()).toMatchObject({ ok: false, reason: expect.stringMatching(/503/) });
    // An older service has no metadata.
    service.metadata = undefined;
    expect(await codeOf(predict.predict(ask))).toBe('fine');
  });
});

describe('a reasoner', () => {
  const question = { prompt: 'is it free?', answerSchema: schema, deadlineMs: 5_000 };

  it('is asked for its model, then with media first and a schema; the answer is checked again', async () => {
    const service = await fake('reasoner');
    const reason = new CosmosReason(options(service.url));
    const answer = await reason.reason({ ...question, images: [picture], video: clip });
    expect(answer).toMatchObject({
      json: { score: 5 },
      modelId: 'nvidia/fake-reasoner',
      tokensIn: 100,
      tokensOut: 20,
    });
    const { messages, media_io_kwargs } = service.asked[0]!.body as {
      messages: { content: { type: string }[] }[];
      media_io_kwargs: unknown;
    };
    expect(messages[0]!.content.map(({ type }) => type)).toEqual(['image_url', 'video_url', 'text']);
    expect(media_io_kwargs).toEqual({ video: { fps: 4 } });
    service.reply = () => ({
      body: {
        choices: [{ message: { content: `<think>hm</think>\n{"score": 3, "blocked": true, "why": ""}` } }],
      },
    });
    expect((await reason.reason(question)).json).toMatchObject({ score: 3 });
  });

  it.each<[string, Reply]>([
    ['words', { body: { choices: [{ message: { content: 'I think so' } }] } }],
    ['nothing', { body: { choices: [] } }],
    ['another shape', judged(5, { score: 'high' })],
    ['more than was asked for', judged(5, { order: 'drive' })],
  ])('that answers with %s has failed', async (_name, reply) => {
    const service = await fake('reasoner');
    service.reply = () => reply;
    expect(await codeOf(new CosmosReason(options(service.url)).reason(question))).toBe('model.failed');
  });

  it('has for all its requests together the time it was given', async () => {
    const service = await fake('reasoner');
    // By this clock each request takes a second.
    let nowMs = 0;
    const given: number[] = [];
    const stepping: Clock = {
      now: () => clock.now(),
      monotonicMs: () => nowMs,
      every: (ms, fire) => clock.every(ms, fire),
      after(ms, fire) {
        given.push(ms);
        const timer = clock.after(ms, fire);
        return {
          cancel() {
            nowMs += 1_000;
            timer.cancel();
          },
        };
      },
    };
    await new CosmosReason({ ...options(service.url), clock: stepping }).reason(question);
    // Which models there are, which runtime it is (never more than 3 s), the question.
    expect(given).toEqual([5_000, 3_000, 3_000]);
  });

  it('takes no more pictures than it does', async () => {
    const service = await fake('reasoner');
    const six = Array.from({ length: 6 }, () => picture);
    expect(await codeOf(new CosmosReason(options(service.url)).reason({ ...question, images: six }))).toBe(
      'model.failed',
    );
    expect(service.asked).toEqual([]);
  });
});

describe('the picture of a map', () => {
  const map: MapSnapshot = {
    time: 0n,
    width: 40,
    height: 20,
    resolution: 0.1,
    origin: { x: -1, y: -0.5 },
    cells: Int8Array.from({ length: 800 }, (_, cell) => (cell % 40 === 0 ? 100 : cell < 400 ? 0 : -1)),
  };

  it('is a PNG that others read: walls, floor, robot and places where they are', async () => {
    const bytes = mapPicture(map, { x: 1, y: 0, yaw: 0 }, [{ x: 2, y: 0 }]);
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([520, 260, 3]);
    const at = (x: number, y: number) => {
      const column = Math.floor(((x + 1) / 0.1) * 13);
      const row = 259 - Math.floor(((y + 0.5) / 0.1) * 13);
      return [...data.subarray((row * 520 + column) * 3, (row * 520 + column) * 3 + 3)];
    };
    expect(at(2, 0)).toEqual([220, 30, 30]);
    expect(at(1, 0)).toEqual([20, 60, 220]);
    expect(at(-0.97, 0)).toEqual([30, 30, 30]);
    expect(at(0, 0)).toEqual([240, 240, 240]);
    expect(at(0, 1)).toEqual([140, 140, 150]);
    expect(
      Buffer.from(mapPicture(map, { x: 1, y: 0, yaw: 0 }, [{ x: 2, y: 0 }])).equals(Buffer.from(bytes)),
    ).toBe(true);
  });
});
