import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { segmentBytes } from '../../adapters/rosbag/index.ts';
import { LIMITS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { freshDir, until } from '../support/daemon.ts';
import { startRig } from '../support/http-rig.ts';

/** Bytes of recordings over the API. */
const PATH = '/v1/bags/run/files/run_0.mcap';
const CONTENT = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
let rig: Awaited<ReturnType<typeof startRig>>;
let folder: ReturnType<typeof freshDir>;
beforeEach(async () => {
  folder = freshDir('segments');
  mkdirSync(join(folder.path, 'bags', 'run'), { recursive: true });
  writeFileSync(join(folder.path, 'bags', 'run', 'run_0.mcap'), CONTENT);
  const guest = { tenant: 'other', principal: 'guest', roles: [], origin: 'api' as const };
  rig = await startRig(
    { auth: { kind: 'token', token: 'a-token-for-tests', principals: [{ token: 'guest', who: guest }] } },
    { segment: segmentBytes(folder.path) },
  );
});
afterEach(async () => {
  await rig.stop();
  folder.remove();
});

const part = async (range: string) => {
  const response = await rig.get(PATH, { range });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, range: response.headers.get('content-range'), bytes };
};

it('gives the whole segment, or the range that is asked for', async () => {
  const whole = await rig.get(PATH);
  expect(whole.status).toBe(200);
  expect(whole.headers.get('accept-ranges')).toBe('bytes');
  expect(Buffer.from(await whole.arrayBuffer())).toEqual(CONTENT);
  expect(await part('bytes=10-19')).toEqual({
    ...{ status: 206, range: 'bytes 10-19/1000', bytes: CONTENT.subarray(10, 20) },
  });
  expect(await part('bytes=990-')).toMatchObject({ status: 206, bytes: CONTENT.subarray(990) });
  expect(await part('bytes=-8')).toMatchObject({ status: 206, bytes: CONTENT.subarray(992) });
  expect(await part('bytes=995-99999')).toMatchObject({ status: 206, range: 'bytes 995-999/1000' });
  expect(await part('bytes=1000-1001')).toMatchObject({ status: 416, range: 'bytes */1000' });
  expect(await part('lines=1-2')).toMatchObject({ status: 200, bytes: CONTENT });
});

it('an empty segment is answered with no bytes, any range of it is refused, and nothing rejects', async () => {
  const rejected: unknown[] = [];
  const keep = (reason: unknown) => rejected.push(reason);
  process.on('unhandledRejection', keep);
  try {
    writeFileSync(join(folder.path, 'bags', 'run', 'run_0.mcap'), '');
    for (let i = 0; i <= LIMITS.BAG_READS_EACH_MAX; i += 1) {
      const whole = await rig.get(PATH);
      expect([whole.status, whole.headers.get('content-length')]).toEqual([200, '0']);
      expect((await whole.arrayBuffer()).byteLength).toBe(0);
      for (const range of ['bytes=0-9', 'bytes=0-', 'bytes=-8'])
        expect(await part(range)).toMatchObject({ status: 416, range: 'bytes */0' });
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejected).toEqual([]);
  } finally {
    process.off('unhandledRejection', keep);
  }
});

it('a segment that cannot be read or closed is an answer, and nothing rejects', async () => {
  const rejected: unknown[] = [];
  const keep = (reason: unknown) => rejected.push(reason);
  process.on('unhandledRejection', keep);
  const broken = {
    bytes: 10,
    stream: () => {
      throw new Error('cannot be read');
    },
    close: () => Promise.reject(new Error('cannot be closed')),
  };
  const own = await startRig({}, { segment: async () => broken });
  try {
    for (let i = 0; i <= LIMITS.BAG_READS_EACH_MAX; i += 1) {
      expect((await own.get(PATH)).status).toBe(500);
      expect((await own.get(PATH, { range: 'bytes=10-' })).status).toBe(416);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejected).toEqual([]);
  } finally {
    process.off('unhandledRejection', keep);
    await own.stop();
  }
});

it('gives nothing but sealed segments of recordings, and nothing to a guest', async () => {
  writeFileSync(join(folder.path, 'token'), 'secret');
  writeFileSync(join(folder.path, 'bags', 'run', 'run_1.mcap.active'), 'open');
  symlinkSync(join(folder.path, 'token'), join(folder.path, 'bags', 'run', 'link.mcap'));
  mkdirSync(join(folder.path, 'elsewhere'));
  writeFileSync(join(folder.path, 'elsewhere', 'a.mcap'), 'secret');
  symlinkSync(join(folder.path, 'elsewhere'), join(folder.path, 'bags', 'away'));
  mkdirSync(join(folder.path, 'bags', 'run', 'folder.mcap'));
  for (const path of [
    'run/files/link.mcap',
    'away/files/a.mcap',
    'run/files/folder.mcap',
    'run/files/x.mcap',
  ])
    expect([path, (await rig.get(`/v1/bags/${path}`)).status]).toEqual([path, 404]);
  for (const path of ['run/files/run_1.mcap.active', 'run/files/..%2f..%2ftoken', '..%2f/files/a.mcap'])
    expect([path, (await rig.get(`/v1/bags/${path}`)).status]).toEqual([path, 400]);
  expect((await rig.get(PATH, { authorization: 'Bearer guest' })).status).toBe(403);
});

it('a reader that stalls holds a place until it is gone, and others are asked to come again', async () => {
  rmSync(join(folder.path, 'bags', 'run', 'run_0.mcap'));
  writeFileSync(join(folder.path, 'bags', 'run', 'run_0.mcap'), Buffer.alloc(64_000_000));
  const stalled = new AbortController();
  const held = await Promise.all(
    Array.from({ length: LIMITS.BAG_READS_EACH_MAX }, () =>
      fetch(rig.url + PATH, {
        signal: stalled.signal,
        headers: { authorization: 'Bearer a-token-for-tests' },
      }),
    ),
  );
  expect(held.map(({ status }) => status)).toEqual(held.map(() => 200));
  const refused = await rig.get(PATH, { range: 'bytes=0-9' });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await refused.json()).toMatchObject({ code: 'quota.exceeded', retryable: true });
  stalled.abort();
  await until(async () => (await rig.get(PATH, { range: 'bytes=0-9' })).status === 206, 'a place is free');
});

it('a reader that stalls is cut off after a while, and one that reads slowly is not', async () => {
  writeFileSync(join(folder.path, 'bags', 'run', 'run_0.mcap'), Buffer.alloc(64_000_000));
  const clock = new ManualClock();
  const open = segmentBytes(folder.path);
  let closed = false;
  const segment: typeof open = async (bag, file) => {
    const found = (await open(bag, file))!;
    const stream: typeof found.stream = (first, last) =>
      found.stream(first, last).once('close', () => {
        closed = true;
      });
    return { ...found, stream };
  };
  const slow = await startRig({}, { segment, clock });
  try {
    const response = await slow.get(PATH);
    const reader = response.body!.getReader();
    let bytes = 0;
    const take = async (wanted: number) => {
      for (const end = bytes + wanted; bytes < end; ) {
        const { done, value } = await reader.read();
        if (done) return;
        bytes += value.length;
      }
    };
    for (let part = 0; part < 4; part += 1) {
      await take(8_000_000);
      await clock.advance(LIMITS.STREAM_STALLED_MS);
    }
    expect(closed).toBe(false);
    await until(async () => {
      await clock.advance(LIMITS.STREAM_STALLED_MS);
      return closed;
    }, 'the file is closed');
    await expect(take(64_000_000)).rejects.toThrow();
    expect(bytes).toBeGreaterThanOrEqual(32_000_000);
  } finally {
    await slow.stop();
  }
});

it('takes notes of operators about a recording, in its own time, and refuses what makes no sense', async () => {
  const written: unknown[] = [];
  const notes = await startRig(
    {},
    {
      annotate: async (words, id = '0190a000-0000-7000-8000-000000000001') => {
        if (words.bag !== 'run') return undefined;
        written.push(words);
        return { ...words, annotation_id: id };
      },
    },
  );
  try {
    const path = '/v1/bags/run/annotations';
    const answer = await notes.post(path, { start_ns: '5', label: 'odd' });
    expect([answer.status, await answer.json()]).toMatchObject([
      201,
      { start_ns: '5', end_ns: '5', by: 'operator' },
    ]);
    const turned = await notes.post(path, { start_ns: '5', end_ns: '4', text: 'x' });
    expect(await turned.json()).toMatchObject({ start_ns: '4', end_ns: '5' });
    for (const body of [
      { start_ns: '9999999999999999999' },
      { start_ns: '5', end_ns: '9223372036854775808' },
    ]) {
      expect((await notes.post(path, { ...body, text: 'x' })).status).toBe(400);
    }
    expect((await notes.post(path, { start_ns: '5' })).status).toBe(400);
    expect((await notes.post(path, { start_ns: 'now', text: 'x' })).status).toBe(400);
    expect((await notes.post('/v1/bags/other/annotations', { start_ns: '5', text: 'x' })).status).toBe(404);
    expect((await notes.post(path, { start_ns: '5', label: '' })).status).toBe(400);
    expect(written).toHaveLength(2);
  } finally {
    await notes.stop();
  }
  const asGuest = { authorization: 'Bearer guest' };
  for (const what of ['annotations', 'cut']) {
    const refused = await rig.post(
      `/v1/bags/run/${what}`,
      { start_ns: '1', end_ns: '2', text: 'x' },
      asGuest,
    );
    expect([what, refused.status]).toEqual([what, 403]);
  }
});
