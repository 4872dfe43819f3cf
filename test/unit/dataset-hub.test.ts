import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { datasetFiles, pushDataset } from '../../adapters/lerobot-dataset/index.ts';

type Seen = { method: string; path: string; token: string | undefined; body: string };
let root: string;
let server: Server;
let url: string;
let seen: Seen[];
let stored: Map<string, Buffer>;
/** What the hub does instead, by method and path. */
let answers: (seen: Seen) => { status: number; body?: unknown } | undefined;
const VIDEO = Buffer.from('a video that is sent in three parts..');
const PART = 16;
const sha = (data: Buffer) => createHash('sha256').update(data).digest('hex');

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'auraison-hub-'));
  for (const [path, data] of [
    ['meta/info.json', '{}'],
    ['videos/front/chunk-000/file-000.mp4', VIDEO],
    ['data/chunk-000/file-000.parquet', 'PAR1'],
    ['.auraison/1/half.mp4', 'x'],
  ] as const) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), data);
  }
  seen = [];
  stored = new Map();
  answers = () => undefined;
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const one = {
        method: request.method!,
        path: request.url!,
        token: request.headers.authorization,
        body: Buffer.concat(pieces).toString(),
      };
      seen.push(one);
      const { status, body } = answers(one) ?? hub(one, Buffer.concat(pieces));
      response
        .writeHead(status, { 'content-type': 'application/json', etag: '"e"' })
        .end(JSON.stringify(body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  rmSync(root, { recursive: true, force: true });
});

/** The documented interface of the hub, as far as a push needs it. */
function hub({ method, path, body }: Seen, data: Buffer): { status: number; body?: unknown } {
  const store = `http://localhost:${(server.address() as AddressInfo).port}`;
  if (path === '/api/repos/create') return { status: 409 };
  if (path.includes('/preupload/')) {
    const { files } = JSON.parse(body) as { files: { path: string }[] };
    return {
      status: 200,
      body: {
        files: files.map((f) => ({ path: f.path, uploadMode: f.path.endsWith('.mp4') ? 'lfs' : 'regular' })),
      },
    };
  }
  if (path.endsWith('/objects/batch')) {
    const [{ oid, size }] = (JSON.parse(body) as { objects: [{ oid: string; size: number }] }).objects;
    const parts = Array.from({ length: Math.ceil(size / PART) }, (_, i) => [
      `${i + 1}`,
      `${store}/store/${i}`,
    ]);
    const upload = {
      href: `${store}/done`,
      header: { chunk_size: String(PART), ...Object.fromEntries(parts) },
    };
    return {
      status: 200,
      body: { objects: [{ oid, size, actions: { upload, verify: { href: `${url}/verify` } } }] },
    };
  }
  if (method === 'PUT') {
    stored.set(path, data);
    return { status: 200 };
  }
  if (path.includes('/commit/')) return { status: 200, body: { commitOid: 'c0ffee' } };
  return { status: method === 'DELETE' ? 404 : 200 };
}

const push = () =>
  pushDataset(root, {
    url,
    token: 'secret',
    repo: 'lab/picks',
    revision: 'main',
    isPrivate: true,
    clock: new SystemClock(),
  });

describe('pushing a dataset to a hub', () => {
  it('is one commit of all files, large ones in parts by hash, then the tag by which LeRobot finds it', async () => {
    expect(await push()).toEqual({ files: 3, bytes: VIDEO.length + 6, commit: 'c0ffee' });
    expect(Buffer.concat([...stored.values()])).toEqual(VIDEO);
    const commit = seen.find(({ path }) => path === '/api/datasets/lab/picks/commit/main')!;
    const lines = commit.body
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; value: Record<string, unknown> });
    expect(lines.map(({ key, value }) => [key, value['path']])).toEqual([
      ['header', undefined],
      ['file', 'data/chunk-000/file-000.parquet'],
      ['file', 'meta/info.json'],
      ['lfsFile', 'videos/front/chunk-000/file-000.mp4'],
      ['file', 'README.md'],
    ]);
    expect(Buffer.from(String(lines[4]!.value['content']), 'base64').toString()).toContain('tags: [LeRobot]');
    expect(lines[3]!.value).toMatchObject({ oid: sha(VIDEO), size: VIDEO.length, algo: 'sha256' });
    expect(Buffer.from(String(lines[2]!.value['content']), 'base64').toString()).toBe('{}');
    const last = seen.at(-1)!;
    expect([last.path, JSON.parse(last.body)]).toEqual(['/api/datasets/lab/picks/tag/main', { tag: 'v3.0' }]);
  });

  it('shows its token to the hub alone, not to the store that the hub names', async () => {
    await push();
    for (const { path, token } of seen)
      expect([path, token]).toEqual([path, /^\/(?:store|done)/.test(path) ? undefined : 'Bearer secret']);
  });

  it('sends nothing that the store has already', async () => {
    answers = ({ path, body }) =>
      path.endsWith('/objects/batch')
        ? { status: 200, body: { objects: [{ ...(JSON.parse(body) as { objects: object[] }).objects[0] }] } }
        : undefined;
    await push();
    expect(seen.filter(({ method }) => method === 'PUT')).toEqual([]);
  });

  it('tells what the hub refused, and makes no commit then', async () => {
    answers = ({ path }) =>
      path.includes('/preupload/') ? { status: 403, body: { error: 'read only token' } } : undefined;
    await expect(push()).rejects.toMatchObject({
      code: 'tool.failed',
      retryable: false,
      message: expect.stringContaining('read only token'),
    });
    expect(seen.some(({ path }) => path.includes('/commit/'))).toBe(false);
  });

  it('lists what a push would send', async () => {
    expect((await datasetFiles(root)).map(({ path }) => path)).toEqual([
      'data/chunk-000/file-000.parquet',
      'meta/info.json',
      'videos/front/chunk-000/file-000.mp4',
    ]);
  });
});
