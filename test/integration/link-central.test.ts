import { createHash, createPublicKey, randomInt, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { SqliteEventLog } from '../../adapters/event-log/index.ts';
import { HttpCentral } from '../../central-link/http-central.ts';
import { LinkCell } from '../../central-link/link-cell.ts';
import {
  type AgentEvent,
  type CellContext,
  type CellName,
  GENESIS_HASH,
  hashInput,
  type LinkKey,
  type LinkStatus,
  type LinkSyncReply,
  METHODS,
  type NewEvent,
  receiptText,
} from '../../contract/index.ts';
import { CentralProcess, CuttingProxy } from '../support/central-process.ts';

const clock = new SystemClock();
const phase = (n: number): NewEvent => ({
  kind: 'run.phase',
  payload: { phase: `p${n % 7}`, reason: 'load', facts: { n, pad: 'x'.repeat(n % 400) } },
});

/** One robot: real logs on disk and the link cell, in this process. */
class Edge {
  readonly logs = new Map<CellName, SqliteEventLog>();
  readonly #handlers = new Map<string, Parameters<CellContext['bus']['handle']>[1]>();
  readonly #listeners: ((body: unknown, from: CellName) => void)[] = [];
  cell!: LinkCell;
  written = 0;

  async open(dataDir: string, central: HttpCentral): Promise<this> {
    for (const cell of ['execution', 'runtime', 'memory', 'link'] as const) {
      this.logs.set(cell, await SqliteEventLog.open({ dataDir, cell, clock, thread: 'caller' }));
    }
    const own = this.logs.get('link')!;
    const context: CellContext = {
      name: 'link',
      clock,
      log: own,
      dataDir,
      attempt: 0,
      startReason: 'test',
      bus: {
        request: () => Promise.reject(new Error('none')),
        handle: (method, answer) => void this.#handlers.set(method, answer as never),
        broadcast: () => {},
        onBroadcast: (_topic, listen) => void this.#listeners.push(listen),
      },
      report: () => {},
      emit: async (events) => void (await own.append(events)),
    };
    this.cell = new LinkCell(context, {
      robot: 'tb1',
      central,
      openReader: (cell) => this.logs.get(cell)!.reader(),
      random: () => randomInt(1_000) / 1_000,
    });
    await this.cell.start();
    return this;
  }

  async append(cell: CellName, count: number): Promise<void> {
    await this.logs.get(cell)!.append(Array.from({ length: count }, (_, i) => phase(i)));
    this.written += count;
    for (const listen of this.#listeners) listen({ lastSeq: 1 }, cell);
  }

  async sync(timeoutMs = 4_000): Promise<LinkSyncReply> {
    return (await this.#handlers.get(METHODS.link.sync)!({ timeoutMs }, 'runtime', 0, 0)) as LinkSyncReply;
  }

  /** Until central has acknowledged everything; the receipts for it may come later. Returns how much, by lane. */
  async drained(): Promise<LinkStatus['lanes']> {
    let lanes: LinkStatus['lanes'] = {};
    const behind = async () => {
      const synced = await this.sync();
      lanes = synced.lanes;
      return synced.behind;
    };
    await expect.poll(behind, { timeout: 90_000, interval: 100 }).toBe(0);
    return lanes;
  }

  async close(): Promise<void> {
    await this.cell.stop();
    for (const log of this.logs.values()) await log.close();
  }
}

describe('link to a real coordinator', () => {
  let dir: string;
  let central: CentralProcess;
  let edge: Edge;
  let proxy: CuttingProxy | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'link-'));
    central = new CentralProcess(join(dir, 'central'));
  });
  afterEach(async () => {
    await edge.close();
    await central.kill();
    await proxy?.stop();
    proxy = undefined;
    rmSync(dir, { recursive: true });
  });

  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(central.url + path, {
      headers: { authorization: `Bearer ${central.token()}` },
    });
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  };
  const client = (url: () => string) => new HttpCentral({ url: url(), clock, token: () => central.token() });

  /** What central holds is, event by event, what the logs hold; and every receipt can be proven. */
  async function complete(acknowledged: LinkStatus['lanes']): Promise<number> {
    let total = 0;
    let receipts = 0;
    const key = await get<LinkKey>('/link/v1/key');
    for (const [cell, log] of edge.logs) {
      const [first] = log.reader().read(0, 1);
      const held: AgentEvent[] = [];
      for (;;) {
        const query = new URLSearchParams({
          robot: 'tb1',
          epoch: first!.event_id,
          lane: `events.${cell}`,
          after: String(held.length),
          limit: '1000',
        });
        const { events } = await get<{ events: AgentEvent[] }>(`/link/v1/events?${query}`);
        if (events.length === 0) break;
        held.push(...events);
      }
      expect(held.length).toBeGreaterThanOrEqual(acknowledged[`events.${cell}`]!.sent);
      // Only the log of the link grows meanwhile, by receipts that may not have been sent.
      const own = log.reader().read(0, cell === 'link' ? held.length : 1_000_000);
      expect(held).toEqual(own);
      held.forEach((event, i) => {
        expect(event.seq).toBe(i + 1);
        expect(event.prev_hash).toBe(held[i - 1]?.hash ?? GENESIS_HASH);
        expect(createHash('sha256').update(hashInput(event)).digest('hex')).toBe(event.hash);
      });
      total += held.length;
    }
    for (const event of edge.logs
      .get('link')!
      .reader()
      .read(0, 1_000_000, { kinds: ['link.receipt'] })) {
      if (event.kind !== 'link.receipt') continue;
      const { lane, epoch, seq, sha256, receipt } = event.payload;
      const signature = Buffer.from(receipt.split(':')[2]!, 'base64url');
      const text = Buffer.from(receiptText({ robot: 'tb1', epoch, lane, seq, sha256 }));
      expect(verify(null, text, createPublicKey(key.public_key), signature)).toBe(true);
      receipts += 1;
    }
    expect(receipts).toBeGreaterThanOrEqual(3);
    return total;
  }

  it('delivers everything once to a central that is absent, starts late and is killed ten times', async () => {
    await central.start();
    const { url } = central;
    await central.kill();
    edge = await new Edge().open(
      dir,
      client(() => url),
    );
    for (const cell of ['runtime', 'execution', 'memory'] as const) await edge.append(cell, 800);
    expect((await edge.sync(300)).state).toBe('disconnected');

    let writing = true;
    const writer = (async () => {
      while (writing) {
        await edge.append('runtime', 25);
        await edge.append('execution', 40);
        await sleep(20);
      }
    })();
    const seen: number[] = [];
    const sent = async () => (await edge.sync(50)).lanes['events.runtime']!.sent;
    for (let round = 0; round < 10; round++) {
      await central.start();
      // In the middle of pushes: killed a moment after the first of this life was acknowledged.
      const before = seen.at(-1) ?? 0;
      await expect.poll(sent, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before);
      await sleep(randomInt(60));
      await central.kill();
      seen.push(await sent());
    }
    writing = false;
    await writer;
    await central.start();
    const total = await complete(await edge.drained());
    expect(total).toBeGreaterThanOrEqual(edge.written);
  });

  it('keeps each event once when answers are cut off', async () => {
    await central.start();
    proxy = new CuttingProxy(
      () => central.port,
      () => randomInt(2_500),
    );
    const through = await proxy.start();
    edge = await new Edge().open(
      dir,
      client(() => through),
    );
    for (let i = 0; i < 30; i++) {
      await edge.append('runtime', 120);
      await edge.append('memory', 1);
      await edge.append('execution', 1);
      await edge.sync(60);
    }
    await complete(await edge.drained());
    expect(proxy.cuts).toBeGreaterThan(5);
  });

  it('is patient with somebody who accepts and never answers', async () => {
    const mute = createServer(() => {});
    mute.listen(0, '127.0.0.1');
    await central.start();
    const port = (mute.address() as { port: number }).port;
    edge = await new Edge().open(
      dir,
      client(() => `http://127.0.0.1:${port}`),
    );
    await edge.append('runtime', 3);
    expect((await edge.sync(500)).lanes['events.runtime']!.sent).toBe(0);
    const stopping = edge.cell.stop();
    await stopping;
    mute.close();
  });

  it('waits, with the reason, while its token is wrong', async () => {
    await central.start();
    let token = 'wrong';
    edge = await new Edge().open(dir, new HttpCentral({ url: central.url, clock, token: () => token }));
    await edge.append('runtime', 3);
    await expect.poll(async () => (await edge.sync(100)).reason).toContain('token');
    token = central.token()!;
    expect((await edge.sync()).lanes['events.runtime']!.sent).toBe(3);
  });

  it('does not believe receipts that somebody else signed', async () => {
    await central.start();
    const publicKey = `-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAKdVzMxLWiv85dlXUu9RKHYG9dRxuSXhQnWw8kY2UtSQ=\n-----END PUBLIC KEY-----\n`;
    const pinned = new HttpCentral({ url: central.url, clock, token: () => central.token(), publicKey });
    edge = await new Edge().open(dir, pinned);
    await edge.append('runtime', 3);
    await expect.poll(async () => (await edge.sync(100)).reason).toContain('signature');
    expect((await edge.sync(100)).lanes['events.runtime']!.sent).toBe(0);
  });
});
