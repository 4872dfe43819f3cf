import { createHash, createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectSender } from '../../central-link/object-sender.ts';
import { packed } from '../../central-link/packed.ts';
import { custodyText, EdgeError, type LinkObject, objectIdText, receiptText } from '../../contract/index.ts';
import { leafHash, merkleRoot } from '../../formats/merkle/index.ts';
import { CentralRig, noise, ObjectRig } from '../support/object-rig.ts';

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../contract/vectors/link-v2.json'), 'utf8'),
);
const content = (bytes: number) =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => i * 7 + (i >> 8)));
const sha = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');

describe('vectors of LINK.md', () => {
  it('trees of parts', () => {
    for (const { bytes, part_bytes, parts, sha256, first_leaf, root } of vectors.trees) {
      const data = content(bytes);
      const leaves = Array.from({ length: parts }, (_, i) =>
        leafHash(data.subarray(i * part_bytes, (i + 1) * part_bytes)),
      );
      expect(sha(data)).toBe(sha256);
      expect(leaves[0]!.toString('hex')).toBe(first_leaf);
      expect(merkleRoot(Buffer.concat(leaves)).toString('hex')).toBe(root);
    }
  });

  it('the id of an object, and the texts and signatures of receipts', () => {
    const { cursor, id_text, id } = vectors.object;
    expect(objectIdText(cursor)).toBe(id_text);
    expect(sha(id_text).slice(0, 32)).toBe(id);
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
    const secret = Buffer.concat([prefix, Buffer.from(vectors.key.secret, 'hex')]);
    const key = createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' });
    const [events, object] = vectors.receipts;
    expect([receiptText(events.receipt), custodyText(object.receipt)]).toEqual([events.text, object.text]);
    for (const { text, signature } of [events, object])
      expect(
        `ed25519:${vectors.key.key_id}:${sign(null, Buffer.from(text), key).toString('base64url')}`,
      ).toBe(signature);
  });
});

describe('files on their way to central', () => {
  let central: CentralRig;
  let robot: ObjectRig;
  let sender: ObjectSender;
  beforeEach(async () => {
    central = await new CentralRig().start();
    robot = new ObjectRig();
    sender = robot.sender(central.objects());
  });
  afterEach(async () => {
    robot.close();
    await central.stop();
  });

  async function drain(of: ObjectSender = sender): Promise<void> {
    for (let i = 0; i < 2_000; i++) {
      const step = await of.step();
      if (step.kind === 'idle') return;
    }
    throw new Error('does not end');
  }
  async function bytesOf(path: string): Promise<Buffer> {
    const found = (await central.list()).find(({ name }) => name === path)!;
    const response = await central.read(`/objects/v1/${found.id}`);
    return Buffer.from(await response.arrayBuffer());
  }

  it('arrive whole, with a receipt that is kept, in the order of their lanes', async () => {
    robot.add('bags/a/a_0.mcap', noise(2_500_000, 1));
    robot.add('bags/a/a_1.mcap', content(300_000));
    robot.add('bags/clip/clip_0.mcap', noise(70_000, 2), 'clips');
    await sender.step();
    await drain();
    for (const [path, data] of robot.contents) {
      expect((await bytesOf(path)).equals(data), path).toBe(true);
      expect(robot.book.isHeld(path)).toBe(true);
    }
    expect(robot.book.totals()).toMatchObject({
      bags: { waiting: 0, held: 2 },
      clips: { waiting: 0, held: 1 },
    });
  });

  it('go clips first, and one that is asked for before them', async () => {
    for (const n of [0, 1]) robot.add(`bags/a/a_${n}.mcap`, noise(1_000, n));
    robot.add('bags/clip/clip_0.mcap', noise(1_000, 9), 'clips');
    sender.want('bags/a/a_1.mcap', [[0, 1_000]]);
    const order: string[] = [];
    while (order.length < 3) {
      await sender.step();
      for (const path of robot.contents.keys())
        if (robot.book.isHeld(path) && !order.includes(path)) order.push(path);
    }
    expect(order).toEqual(['bags/a/a_1.mcap', 'bags/clip/clip_0.mcap', 'bags/a/a_0.mcap']);
  });

  it('are kept once under two names, and sent once', async () => {
    robot.add('bags/a/a_0.mcap', noise(100_000, 1));
    robot.add('bags/b/b_0.mcap', noise(100_000, 1), 'clips');
    await drain();
    expect(new Set((await central.list()).map(({ sha256 }) => sha256)).size).toBe(1);
    expect(robot.book.totals()).toMatchObject({ bags: { held: 1 }, clips: { held: 1 } });
  });

  it('continue at the byte where a new life of the robot finds central', async () => {
    robot.add('bags/a/a_0.mcap', noise(3_000_000, 5));
    for (let i = 0; i < 7; i++) await sender.step();
    const before = (await central.list())[0]!;
    expect(before.state).toBe('open');
    const next = robot.sender(central.objects());
    await next.step();
    await next.step();
    expect(next.status().current!.sent).toBeGreaterThanOrEqual(before.bytes_there);
    await drain(next);
    expect((await bytesOf('bags/a/a_0.mcap')).equals(robot.contents.get('bags/a/a_0.mcap')!)).toBe(true);
  });

  it('are complete after central was restarted in the middle, and its disk lost what was not synced', async () => {
    const sha256 = robot.add('bags/a/a_0.mcap', noise(3_000_000, 6));
    // All but the last request.
    for (;;) {
      await sender.step();
      const [found] = await central.list();
      if (found && found.bytes_there >= 2_000_000) break;
    }
    const port = Number(new URL(central.running.url).port);
    await central.running.stop();
    const file = join(central.dataDir, 'objects', 'tb1', sha256.slice(0, 2), sha256);
    truncateSync(file, 1_200_000);
    await central.start({ port });
    sender.askAgain();
    await drain();
    expect((await bytesOf('bags/a/a_0.mcap')).equals(robot.contents.get('bags/a/a_0.mcap')!)).toBe(true);
    expect(sha(readFileSync(file))).toBe(sha256);
  });

  it('do not go where the file is not what was recorded; the others go', async () => {
    robot.add('bags/a/a_0.mcap', noise(100_000, 7));
    robot.add('bags/a/a_1.mcap', noise(100_000, 8));
    robot.add('bags/a/a_2.mcap', noise(100_000, 9));
    const damaged = join(robot.dataDir, 'bags/a/a_0.mcap');
    const bytes = readFileSync(damaged);
    bytes[500]! ^= 1;
    writeFileSync(damaged, bytes);
    rmSync(join(robot.dataDir, 'bags/a/a_1.mcap'));
    await drain();
    expect(robot.book.isHeld('bags/a/a_2.mcap')).toBe(true);
    expect(robot.book.totals()['bags']).toMatchObject({ waiting: 1, held: 1, gone: 1 });
    expect(sender.status().faults['bags/a/a_0.mcap']).toMatch(/damaged/);
    writeFileSync(damaged, robot.contents.get('bags/a/a_0.mcap')!);
    sender.retryNow();
    await drain();
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(true);
  });

  it('are not gone while their folder is away; those that came back go when a person asks', async () => {
    robot.add('bags/a/a_0.mcap', noise(10_000, 1));
    const [bags, away] = [join(robot.dataDir, 'bags'), join(robot.dataDir, 'away')];
    renameSync(bags, away);
    await expect(drain()).rejects.toThrow(/bags/);
    expect(robot.book.totals()['bags']).toMatchObject({ waiting: 1, gone: 0 });
    // The mount point without its disk.
    mkdirSync(bags);
    await drain();
    expect(robot.book.totals()['bags']).toMatchObject({ waiting: 0, gone: 1 });
    rmSync(bags, { recursive: true });
    renameSync(away, bags);
    sender.retryNow();
    await drain();
    expect(robot.book.totals()['bags']).toMatchObject({ held: 1, gone: 0 });
  });

  it('stay within the quota of central', async () => {
    const { url } = central.running;
    await central.running.stop();
    await central.start({ port: Number(new URL(url).port), quotaBytes: 150_000 });
    robot.add('bags/a/a_0.mcap', noise(100_000, 1));
    robot.add('bags/a/a_1.mcap', noise(100_000, 2));
    robot.add('bags/a/a_2.mcap', noise(40_000, 3));
    let step = await sender.step();
    for (let i = 0; i < 50 && step.kind === 'worked'; i++) step = await sender.step();
    expect(step).toMatchObject({ kind: 'wait' });
    const held = [0, 1, 2].map((n) => robot.book.isHeld(`bags/a/a_${n}.mcap`));
    expect(held).toEqual([true, false, true]);
    expect(sender.status().reason).toMatch(/a_1.mcap waits: .*150000 bytes/);
    for (let n = 3; n < 14; n++) robot.add(`bags/a/a_${n}.mcap`, noise(20_000, n));
    // Beyond a few refused files, all wait.
    await expect(drain()).rejects.toMatchObject({ code: 'quota.exceeded', retryable: true });
  });

  it('a range comes first, from the beginning of its part, and can be read before the rest is there', async () => {
    const data = noise(6_000_000, 3);
    robot.add('bags/a/a_0.mcap', data);
    const range: [number, number] = [4_300_000, 4_400_000];
    sender.want('bags/a/a_0.mcap', [range]);
    while (!sender.has('bags/a/a_0.mcap', [range])) await sender.step();
    const [found] = await central.list();
    expect(found!.state).toBe('open');
    expect(found!.bytes_there).toBe(1_048_576);
    const part = await central.read(`/objects/v1/${found!.id}`, `bytes=${range[0]}-${range[1] - 1}`);
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(data.subarray(...range))).toBe(true);
    expect((await central.read(`/objects/v1/${found!.id}`, 'bytes=0-99')).status).toBe(404);
    await drain();
    expect((await bytesOf('bags/a/a_0.mcap')).equals(data)).toBe(true);
  });

  it('nothing goes to a central of version 1', async () => {
    const old = central.objects();
    Object.assign(old, { partBytesMax: async () => undefined });
    robot.add('bags/a/a_0.mcap', noise(1_000, 1));
    const v1 = robot.sender(old);
    expect(await v1.step()).toMatchObject({ kind: 'idle', reason: expect.stringContaining('version 1') });
    expect(await central.list()).toEqual([]);
  });

  it('an offer that central does not know or cannot take is not repeated at once', async () => {
    for (const code of ['api.not_found', 'link.gap'] as const) {
      const other = central.objects();
      const refusal = new EdgeError(code, { operation: 'offer', subject: 'x', message: 'no' });
      Object.assign(other, { offer: () => Promise.reject(refusal) });
      robot.add('bags/a/a_0.mcap', noise(1_000, 1));
      const stuck = robot.sender(other);
      await stuck.step();
      await expect(stuck.step()).rejects.toMatchObject({ code });
    }
  });

  describe('on the wire', () => {
    const data = noise(200_000, 4);
    const object: LinkObject = {
      ...{
        robot: 'tb1',
        epoch: '0190f5c2-7b3a-7000-8000-000000000001',
        lane: 'bags',
        seq: 1,
        sha256: sha(data),
      },
      ...{ bytes: data.length, part_bytes: 65_536, name: 'bags/a/a_0.mcap' },
      root: merkleRoot(
        Buffer.concat([0, 1, 2, 3].map((i) => leafHash(data.subarray(i * 65_536, (i + 1) * 65_536)))),
      ).toString('hex'),
    };
    const leaves = Buffer.concat(
      [0, 1, 2, 3].map((i) => leafHash(data.subarray(i * 65_536, (i + 1) * 65_536))),
    );

    it('repeated, overlapping and late requests change nothing; a hole and a wrong byte are refused', async () => {
      const http = central.objects();
      expect(await http.offer(object)).toEqual({ state: 'open', tree: true });
      await expect(http.tree(object, Buffer.alloc(128))).rejects.toMatchObject({ code: 'link.refused' });
      expect(await http.tree(object, leaves)).toEqual({ state: 'open', missing: [[0, 200_000]] });
      await expect(http.put(object, 100, data.subarray(100, 200))).rejects.toMatchObject({
        code: 'link.gap',
      });
      await http.put(object, 0, data.subarray(0, 40_000));
      const { standing } = await http.put(object, 30_000, data.subarray(30_000, 50_000));
      expect(standing).toEqual({ state: 'open', missing: [[50_000, 200_000]] });
      await http.put(object, 0, data.subarray(0, 40_000));
      const wrong = Buffer.from(data.subarray(50_000, 65_536));
      wrong[9]! ^= 1;
      await expect(http.put(object, 50_000, wrong)).rejects.toMatchObject({ code: 'link.refused' });
      expect(await http.offer(object)).toEqual({ state: 'open', missing: [[0, 200_000]] });
      await expect(http.put(object, 0, data.subarray(0, 70_000))).rejects.toMatchObject({
        code: 'api.too_large',
      });
      for (const part of [3, 0, 2, 0, 1]) {
        const end = Math.min((part + 1) * 65_536, data.length);
        await http.put(object, part * 65_536, data.subarray(part * 65_536, end));
      }
      expect(await http.offer(object)).toMatchObject({ state: 'held', receipt: { sha256: object.sha256 } });
    });

    it('a receipt is not signed again for bytes that central lost', async () => {
      const http = central.objects();
      const send = async () => {
        await http.offer(object);
        await http.tree(object, leaves);
        for (let at = 0; at < data.length; at += 65_536)
          await http.put(object, at, data.subarray(at, at + 65_536));
        return (await http.offer(object)).state;
      };
      expect(await send()).toBe('held');
      const file = join(central.dataDir, 'objects', 'tb1', object.sha256.slice(0, 2), object.sha256);
      truncateSync(file, 100_000);
      expect(await http.offer(object)).toEqual({ state: 'open', tree: true });
      expect(await send()).toBe('held');
      rmSync(file);
      expect(await send()).toBe('held');
      expect(readFileSync(file).equals(data)).toBe(true);
    });

    it('a wrong size does not block a content; that of one that is held stays', async () => {
      const http = central.objects();
      await http.offer({ ...object, bytes: 260_000 });
      await http.tree({ ...object, bytes: 260_000 }, leaves);
      await http.put({ ...object, bytes: 260_000 }, 196_608, data.subarray(196_608)).catch(() => {});
      expect(await http.offer(object)).toEqual({ state: 'open', tree: true });
      await http.tree(object, leaves);
      for (let at = 0; at < data.length; at += 65_536)
        await http.put(object, at, data.subarray(at, at + 65_536));
      expect(await http.offer(object)).toMatchObject({ state: 'held', receipt: { bytes: 200_000 } });
      await expect(http.offer({ ...object, bytes: 199_999 })).rejects.toMatchObject({
        code: 'link.conflict',
      });
    });

    it('what came before the connection was cut counts, compressed or not', async () => {
      const text = Buffer.from(Array.from({ length: 9_000 }, (_, i) => `line ${i * i}\n`).join(''));
      const part = text.subarray(0, 65_536);
      const small: LinkObject = {
        ...object,
        bytes: part.length,
        sha256: sha(part),
        root: leafHash(part).toString('hex'),
      };
      const http = central.objects();
      await http.offer(small);
      const id = sha(objectIdText(small)).slice(0, 32);
      const body = (await packed(part))!;
      expect(body.length).toBeLessThan(part.length / 2);
      await cut(`/link/v2/objects/${id}?offset=0`, body, Math.floor(body.length / 2));
      const half = body.subarray(0, Math.floor(body.length / 2));
      const standing = zstdDecompressSync(half, { finishFlush: constants.ZSTD_e_flush }).length;
      expect(standing).toBeGreaterThan(part.length * 0.3);
      expect(await standsAt(http, small, standing)).toBe(standing);
      await cut(`/link/v2/objects/${id}?offset=${standing}`, part.subarray(standing), 5_000, false);
      expect(await standsAt(http, small, standing + 5_000)).toBe(standing + 5_000);
      const last = await http.put(small, standing + 5_000, part.subarray(standing + 5_000));
      expect(last.standing.state).toBe('held');
    });

    it('a bomb is refused', async () => {
      const http = central.objects();
      await http.offer(object);
      await http.tree(object, leaves);
      const id = sha(objectIdText(object)).slice(0, 32);
      const response = await fetch(`${central.running.url}/link/v2/objects/${id}?offset=0`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${central.running.token}`, 'content-encoding': 'zstd' },
        body: zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)),
      });
      expect(response.status).toBe(413);
    });

    /** Sends the head and the first bytes of a body, then ends the connection. */
    async function cut(path: string, body: Buffer, bytes: number, isPacked = true): Promise<void> {
      const { port } = new URL(central.running.url);
      const socket = connect(Number(port), '127.0.0.1');
      await once(socket, 'connect');
      const encoding = isPacked ? 'content-encoding: zstd\r\n' : '';
      socket.write(
        `PUT ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${central.running.token}\r\n${encoding}content-length: ${body.length}\r\n\r\n`,
      );
      socket.write(body.subarray(0, bytes), () => socket.destroySoon());
      await once(socket, 'close');
    }

    /** Where the missing bytes start, once it is at `least` or behind. */
    async function standsAt(
      http: ReturnType<CentralRig['objects']>,
      of: LinkObject,
      least: number,
    ): Promise<number> {
      for (let i = 0; i < 400; i++) {
        const standing = await http.offer(of);
        const from = standing.state === 'open' && 'missing' in standing ? standing.missing[0]![0] : 0;
        if (from >= least) return from;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error('what was sent does not count');
    }
  });
});
