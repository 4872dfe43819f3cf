import { afterEach, beforeEach, expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { startRig } from '../support/http-rig.ts';

let rig: Awaited<ReturnType<typeof startRig>>;
const asked: unknown[] = [];
beforeEach(async () => {
  asked.length = 0;
  rig = await startRig();
});
afterEach(() => rig.stop());

const ID = '0190a000-0000-7000-8000-000000000001';
const EPISODE = {
  ...{ episode_id: ID, bag: 'e', state: 'whole', label: 'pick', success: true },
  ...{ start_ns: '1', end_ns: '2', messages: 1, bytes: 2, segments: [] },
};
const CLIP = {
  ...{ clip_id: ID, bag: 'clip', state: 'recording', trigger: 'api', reason: 'x' },
  ...{ trigger_ns: '5', from_ns: '1', to_ns: '9', messages: 0, bytes: 0 },
};
const answer = (method: string, result: unknown) =>
  rig.answers.set(method, async (body: unknown) => {
    asked.push(body);
    return result;
  });

it('orders clips and episodes from the recorder, and refuses spans and ids that are none', async () => {
  const { execution } = METHODS;
  answer(execution.clipRecord, CLIP);
  answer(execution.episodeStart, EPISODE);
  answer(execution.episodeRelabel, EPISODE);
  answer(execution.episodeDiscard, undefined);
  answer(execution.episodeList, [EPISODE]);
  const clip = await rig.post('/v1/recorder/clip', { reason: 'x', pre_ms: 1_000, wait: true });
  expect([clip.status, await clip.json()]).toEqual([201, CLIP]);
  expect((await rig.post('/v1/episodes', { label: 'pick' })).status).toBe(201);
  expect((await rig.post(`/v1/episodes/${ID}/relabel`, { success: false })).status).toBe(200);
  expect((await rig.post(`/v1/episodes/${ID}/discard`, { reason: 'bad' })).status).toBe(200);
  expect(asked).toEqual([
    { trigger: 'api', reason: 'x', preMs: 1_000, wait: true },
    { label: 'pick' },
    { episode_id: ID, success: false },
    { episode_id: ID, reason: 'bad' },
  ]);
  expect(await (await rig.get('/v1/episodes')).json()).toEqual({ episodes: [EPISODE] });
  expect((await rig.post('/v1/recorder/clip', { pre_ms: -1 })).status).toBe(400);
  expect((await rig.post('/v1/episodes/none/relabel', {})).status).toBe(400);
});
