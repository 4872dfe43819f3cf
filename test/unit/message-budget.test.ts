import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bodyFits,
  CALLS,
  type CallName,
  type EdgeError,
  LIMITS,
  METHODS,
  NEVER_REFUSED,
  REPORT_BYTES_MAX,
  TOPICS,
} from '../../contract/index.ts';
import { BODY_SCHEMAS } from '../../contract/schema/bodies-parts.ts';
import { CellHost } from '../../daemon/cell/cell-host.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import { messageBytes } from '../../daemon/cell/message-size.ts';
import type { FromCell } from '../../daemon/cell/wire.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { arbitraryOf } from '../support/schema-arbitrary.ts';

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A body of about `bytes`, in one of the shapes that bodies have, or that nobody meant. */
function bodyOf(random: () => number, bytes: number): unknown {
  const shapes: (() => unknown)[] = [
    () => 'x'.repeat(bytes),
    () => ({ picture: { data: new Uint8Array(bytes) }, topic: '/camera' }),
    () => Array.from({ length: Math.ceil(bytes / 12) }, (_, i) => i + 0.5),
    () => ({ rows: Array.from({ length: Math.ceil(bytes / 60) }, (_, i) => [i, 'y'.repeat(40), null]) }),
    () => new Map([['key', 'z'.repeat(bytes)]]),
    () => Object.fromEntries(Array.from({ length: Math.ceil(bytes / 40) }, (_, i) => [`key ${i}`, 1n])),
    () => {
      let deep: unknown = 'x'.repeat(bytes / 2);
      for (let i = 0; i < Math.min(50_000, bytes / 8); i++) deep = [deep];
      return deep;
    },
    () => {
      const circle: Record<string, unknown> = { text: 'x'.repeat(bytes / 4) };
      circle['self'] = circle;
      return circle;
    },
    () => ({ run: () => 1, text: 'x'.repeat(bytes / 4) }),
  ];
  return shapes[Math.floor(random() * shapes.length)]!();
}

/** Two cells whose messages are written as between processes; `sent` has the size of each. */
function cells(answer: () => unknown) {
  const sent: { kind: string; bytes: number }[] = [];
  const clock = new ManualClock();
  const reports: string[] = [];
  const posts = (to: () => MessageBus) => (message: FromCell) => {
    if (message.t === 'report') reports.push(message.message);
    const written = serialize(message);
    sent.push({ kind: message.t, bytes: written.length });
    if (message.t === 'request' || message.t === 'response' || message.t === 'broadcast')
      void to().receive(deserialize(written));
  };
  const asker: MessageBus = new MessageBus(
    'runtime',
    clock,
    posts(() => answerer),
  );
  const answerer: MessageBus = new MessageBus(
    'memory',
    clock,
    posts(() => asker),
  );
  answerer.handle('memory.status', async () => answer() as never);
  return { asker, sent, reports };
}

describe('messages between cells', () => {
  it('keep to their budget, whatever is asked, answered or told, and the cells go on', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const random = randomOf(seed);
      let reply: unknown;
      const { asker, sent, reports } = cells(() => reply);
      const { askBytes, replyBytes } = CALLS['memory.status'];
      for (let round = 0; round < 12; round++) {
        const ask = round % 2 ? {} : bodyOf(random, Math.floor(askBytes * 3 * random() ** 2));
        reply = bodyOf(random, Math.floor(replyBytes * 3 * random() ** 2));
        const outcome = await asker.request('memory', 'memory.status', ask as never).then(
          () => 'answered',
          (error: EdgeError) => error.code,
        );
        expect(['schema.invalid', 'limit.exceeded', 'internal.fault', 'cell.unavailable']).toContain(outcome);
        asker.broadcast(TOPICS.policyChanged, bodyOf(random, Math.floor(8e6 * random() ** 4)));
      }
      const largest = (kind: string) =>
        Math.max(...sent.filter((one) => one.kind === kind).map(({ bytes }) => bytes));
      expect([seed, largest('request') < 2 * askBytes]).toEqual([seed, true]);
      expect([seed, largest('response') < 2 * replyBytes]).toEqual([seed, true]);
      expect([seed, largest('broadcast') < 9e6]).toEqual([seed, true]);
      for (const text of reports) expect(text.length).toBeLessThan(1_000);
      reply = { ready: true, lake: undefined, lag: {}, reason: '' };
      expect(await asker.request('memory', 'memory.status', {})).toEqual(reply);
    }
  });

  it('refuse a question that is too large with its name, its size and its limit', async () => {
    const { asker, sent } = cells(() => ({}));
    const sql = 'x'.repeat(300_000);
    await expect(asker.request('memory', 'lake.query', { sql })).rejects.toMatchObject({
      code: 'limit.exceeded',
      operation: 'lake.query',
      subject: 'memory',
      message: expect.stringMatching(
        /^the question lake.query has about 3000\d\d bytes; at most 262144 cross a cell border$/,
      ),
    });
    expect(sent).toEqual([]);
  });

  it('refuse an answer that is too large to its asker, who hears of it at once', async () => {
    const { asker, sent } = cells(() => ({ reason: 'x'.repeat(5_000_000) }));
    await expect(asker.request('memory', 'memory.status', {})).rejects.toMatchObject({
      code: 'limit.exceeded',
      message: expect.stringMatching(/^the answer memory.status has about 50000\d\d bytes; at most 1048576/),
    });
    expect(Math.max(...sent.map(({ bytes }) => bytes))).toBeLessThan(2_000);
  });

  it('say to the operator that a broadcast was too large, and throw nothing', () => {
    const { asker, reports } = cells(() => ({}));
    asker.broadcast(TOPICS.configChanged, 'x'.repeat(5_000_000));
    asker.broadcast(TOPICS.configChanged, () => 1);
    expect(reports[0]).toMatch(/^the broadcast config.changed has about 50000\d\d bytes/);
    expect(reports[1]).toMatch(/could not be cloned/);
  });

  it('wait as long as their call says where the asker says nothing', async () => {
    const clock = new ManualClock();
    const bus = new MessageBus('runtime', clock, () => {});
    const asked = bus.request('memory', 'memory.status', {});
    const settled = expect(asked).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await clock.advance(CALLS['memory.status'].deadlineMs + 1);
    await settled;
  });

  it('leave large facts out of a report', async () => {
    const sent: FromCell[] = [];
    const clock = new ManualClock();
    const host = new CellHost({
      ...{ name: 'runtime', clock, dataDir: '/nowhere', version: '0.0.0', pid: 1, rssBytes: () => 7 },
      post: (message) => sent.push(message),
      openLog: async () => new MemoryEventLog({ cell: 'runtime', clock }),
      compose: async (context) => ({
        name: 'runtime',
        start: async () => {
          context.report('warn', 'a large thing', { data: 'x'.repeat(2 * REPORT_BYTES_MAX) });
          context.report('warn', 'a small thing', { data: 'x' });
        },
        stop: async () => {},
        work: () => [],
      }),
    });
    await host.receive({ t: 'start', attempt: 0, reason: 'start' });
    expect(sent.filter((message) => message.t === 'report')).toEqual([
      expect.objectContaining({ facts: { left_out: 'facts', above_bytes: REPORT_BYTES_MAX } }),
      expect.objectContaining({ facts: { data: 'x' } }),
    ]);
  });
});

describe('the size of a message', () => {
  it('is about what it is when it is written', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = randomOf(seed);
      const body = bodyOf(random, Math.floor(20_000 * random()));
      let written: number;
      try {
        written = serialize(body).length;
      } catch {
        continue;
      }
      const measured = messageBytes(body, 1e6);
      if (measured > 1e6) continue;
      expect([seed, written <= 2 * measured + 64]).toEqual([seed, true]);
      expect([seed, measured <= 4 * written + 64]).toEqual([seed, true]);
    }
  });

  it('counts wide characters as they go over the border', () => {
    for (const text of [
      'é'.repeat(10_000),
      '机'.repeat(10_000),
      `${'x'.repeat(10_000)}机`,
      '🤖'.repeat(5_000),
    ]) {
      const written = serialize({ text }).length;
      const measured = messageBytes({ text }, 1e6);
      expect([text.slice(0, 2), measured >= written - 64, measured <= written + 64]).toEqual([
        text.slice(0, 2),
        true,
        true,
      ]);
    }
  });

  it('of an object with a million keys is known without a list of them', () => {
    let looked = 0;
    const keys = new Proxy(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key${i}`, i])), {
      get: (target, key) => {
        looked++;
        return target[key as string];
      },
    });
    expect(messageBytes(keys, 1_000)).toBeGreaterThan(1_000);
    expect(looked).toBeLessThan(200);
    expect(messageBytes(new Map([...Array(1_000)].map((_, i) => [i, i])), 100)).toBeGreaterThan(100);
    expect(messageBytes(new Set([...Array(1_000)].map((_, i) => i)), 100)).toBeGreaterThan(100);
    expect(messageBytes(new Map([['a', { b: 'x'.repeat(100) }]]), 10_000)).toBeGreaterThan(100);
  });

  it('is not counted further than asked', () => {
    const parts = Array.from({ length: 1_000 }, () => ({
      get text(): string {
        looked++;
        return 'x'.repeat(1_000);
      },
    }));
    let looked = 0;
    expect(messageBytes(parts, 10_000)).toBeGreaterThan(10_000);
    expect(looked).toBeLessThan(20);
  });
});

describe('the map of calls', () => {
  it('has every call under the cell that answers it, with a budget and a deadline', () => {
    const named = Object.entries(METHODS).flatMap(([cell, methods]) =>
      Object.values(methods).map((name) => [name, cell]),
    );
    expect(Object.entries(CALLS).map(([name, call]) => [name, call.to])).toEqual(
      expect.arrayContaining(named),
    );
    expect(Object.keys(CALLS)).toHaveLength(named.length);
    for (const call of Object.values(CALLS)) {
      expect(call.askBytes).toBeGreaterThan(0);
      expect(Math.max(call.askBytes, call.replyBytes)).toBeLessThanOrEqual(LIMITS.SAMPLE_BYTES_MAX);
      expect(call.deadlineMs).toBeGreaterThan(0);
    }
  });

  it('has a budget for each question and each answer, which is kept whatever the call', async () => {
    for (const [name, call] of Object.entries(CALLS) as [CallName, (typeof CALLS)[CallName]][]) {
      let reply: unknown;
      const { asker, sent, receive } = pair(call.to, name, async () => reply);
      const tooMuch = (most: number) => ({ more: new Uint8Array(most + 1) });
      const refused = asker.request(call.to as never, name, tooMuch(call.askBytes) as never);
      await expect(refused, name).rejects.toMatchObject({ code: 'limit.exceeded', operation: name });
      expect([name, sent]).toEqual([name, []]);

      reply = tooMuch(call.replyBytes);
      const asks = fc.sample(arbitraryOf(BODY_SCHEMAS[name].ask), { numRuns: 50, seed: 15 });
      const ask = asks.find((one) => bodyFits(name, 'ask', one));
      const asked = asker.request(call.to as never, name, ask as never);
      await expect(asked, name).rejects.toMatchObject({ code: 'limit.exceeded', operation: name });
      expect([name, Math.max(...sent) < 2 * call.askBytes]).toEqual([name, true]);

      // The other cell checks a question too: the cell that left it may be of another version.
      const handed = { name: '0'.repeat(32), bytes: 2 * call.askBytes + 2_000 };
      expect([name, await receive(handed)]).toEqual([name, 'limit.exceeded']);
    }
  });

  it('hands nothing over that ends motion: a stop goes in its message', () => {
    for (const name of NEVER_REFUSED)
      expect([name, CALLS[name as CallName].askBytes <= LIMITS.MESSAGE_BYTES_MAX]).toEqual([name, true]);
  });
});

/** Two cells and one call; `sent` has the size of each message, `receive` gives a handed question to the other cell. */
function pair(to: (typeof CALLS)[CallName]['to'], name: CallName, answer: () => Promise<unknown>) {
  const clock = new ManualClock();
  const sent: number[] = [];
  const from = to === 'runtime' ? 'execution' : 'runtime';
  let code: string | undefined;
  const answerer: MessageBus = new MessageBus(to, clock, (message) => {
    if (message.t !== 'response') return;
    code = message.ok ? undefined : (message.body as { code: string }).code;
    sent.push(serialize(message).length);
    void asker.receive(message);
  });
  const asker: MessageBus = new MessageBus(from, clock, (message) => {
    if (message.t !== 'request') return;
    sent.push(serialize(message).length);
    void answerer.receive(message);
  });
  answerer.handle(name, answer as never);
  const receive = async (handed: { name: string; bytes: number }) => {
    const base = { t: 'request', id: 7, from, to, method: name, body: undefined } as const;
    await answerer.receive({ ...base, madeAtMs: 0, handed });
    return code;
  };
  return { asker, sent, receive };
}
