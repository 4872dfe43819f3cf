import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentEvent, CELL_NAMES, EdgeError, LIMITS, METHODS, TOPICS } from '../../contract/index.ts';
import { formatCursor, parseCursor, START, vector } from '../../daemon/http/event-cursor.ts';
import { EventMerge } from '../../daemon/http/event-merge.ts';
import { type StreamSink, streamEvents } from '../../daemon/http/event-stream.ts';
import { LogReaders } from '../../daemon/http/log-readers.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { phase, type Rig, RUN_ID, readSse, startRig, TOKEN } from '../support/http-rig.ts';
import { TinyLog, uuid } from '../support/tiny-log.ts';

const key = (event: AgentEvent) => `${event.cell}/${event.seq}`;

describe('event streams', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig();
  });
  afterEach(() => rig.stop());

  const fill = (count: number) => {
    for (let i = 0; i < count; i++) {
      const cell = CELL_NAMES[i % CELL_NAMES.length]!;
      rig.logs[cell].append(phase(i), 1_700_000_000_000_000_000n + BigInt(i));
    }
  };

  it('gives every event once and in order across reconnects, also while the logs grow', async () => {
    fill(500);
    const seen: AgentEvent[] = [];
    let cursor: string | undefined;
    let appended = 500;
    while (seen.length < 900) {
      const response = await rig.get('/v1/events', cursor === undefined ? {} : { 'last-event-id': cursor });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      const messages = await readSse(response, Math.min(61, appended - seen.length));
      for (const message of messages) seen.push(JSON.parse(message.data));
      cursor = messages.at(-1)!.id;
      if (appended < 900) {
        for (let i = 0; i < 100; i++)
          rig.logs.execution.append(phase(appended + i), 1_800_000_000_000_000_000n);
        appended += 100;
        rig.tell(TOPICS.logGrew, { lastSeq: 1 });
      }
    }
    expect(new Set(seen.map(key)).size).toBe(900);
    for (const cell of CELL_NAMES) {
      const seqs = seen.filter((event) => event.cell === cell).map((event) => event.seq);
      expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    }
    const first = seen.slice(0, 500).map((event) => event.ts);
    expect(first).toEqual([...first].sort());
  });

  it('tells live what is appended, and begins now when asked to', async () => {
    fill(10);
    const response = await rig.get('/v1/events?since=now');
    const reading = readSse(response, 1);
    const event = rig.logs.memory.append(phase(77));
    rig.tell(TOPICS.logGrew, { lastSeq: 1 });
    expect(JSON.parse((await reading)[0]!.data)).toEqual(event);
  });

  it('starts with the last events of each cell when asked to', async () => {
    for (const n of Array(LIMITS.STREAM_RECENT + 30).keys()) rig.logs.memory.append(phase(n));
    rig.logs.link.append(phase(1));
    const response = await rig.get('/v1/events?follow=false&since=recent');
    const seen = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AgentEvent);
    expect(seen.filter(({ cell }) => cell === 'memory').map(({ seq }) => seq)).toEqual(
      Array.from({ length: LIMITS.STREAM_RECENT }, (_, i) => 31 + i),
    );
    expect(seen.filter(({ cell }) => cell === 'link')).toHaveLength(1);
  });

  it('gives what is new to one who asks now and then, without holding the connection', async () => {
    fill(10);
    const look = async (cursor?: string) => {
      const response = await rig.get('/v1/events?follow=false&since=now', {
        accept: 'text/event-stream',
        ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
      });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      return readSse(response, 99);
    };
    // Nothing happened yet, and the next look is to begin here all the same.
    const [end, ...none] = await look();
    expect([end!.event, none]).toEqual(['end', []]);
    const appended = [1, 2].map((n) => rig.logs.memory.append(phase(n)));
    const second = await look(end!.id);
    expect(second.slice(0, -1).map(({ data }) => JSON.parse(data))).toEqual(appended);
    expect((await look(second[0]!.id)).length).toBe(2);
    expect((await look(second.at(-1)!.id)).map(({ event }) => event)).toEqual(['end']);
  });

  it('filters by kind and run', async () => {
    fill(40);
    const other = uuid(44);
    rig.logs.execution.append(phase(1, other));
    rig.logs.execution.append({ kind: 'cell.stopped', payload: { reason: 'test' } });
    const lines = async (path: string) =>
      (await (await rig.get(path)).text())
        .trim()
        .split('\n')
        .filter((l) => l !== '')
        .map((l) => JSON.parse(l));
    expect(await lines('/v1/events?follow=false&kind=cell.stopped')).toHaveLength(1);
    expect(await lines('/v1/events?follow=false&kind=cell.stopped&kind=run.phase')).toHaveLength(42);
    expect(await lines(`/v1/events?follow=false&run=${other}`)).toHaveLength(1);
    expect(await lines(`/v1/runs/${RUN_ID}/events?follow=false`)).toHaveLength(40);
    expect((await rig.get('/v1/events?kind=run.nonsense')).status).toBe(400);
    // About a cell it is of the domain of that cell.
    expect(await lines('/v1/events?follow=false&domain=execution')).toMatchObject([{ kind: 'cell.stopped' }]);
    expect(await lines('/v1/events?follow=false&domain=memory')).toEqual([]);
    expect(await lines('/v1/events?follow=false&domain=orchestration')).toHaveLength(41);
    expect(await lines('/v1/events?follow=false&domain=execution&kind=run.phase')).toEqual([]);
    expect(await lines(`/v1/runs/${RUN_ID}/events?follow=false&domain=orchestration`)).toHaveLength(40);
    expect((await rig.get('/v1/events?domain=weather')).status).toBe(400);
  });

  it('ends with the run and sends a late comer home', async () => {
    fill(3);
    rig.logs.runtime.append({
      kind: 'run.finished',
      run_id: RUN_ID,
      payload: { status: 'succeeded', reason: '', summary: {} },
    });
    rig.logs.memory.append(phase(9), 1_900_000_000_000_000_000n);
    const messages = await readSse(await rig.get(`/v1/runs/${RUN_ID}/events`), 99);
    expect(messages.map((m) => m.event)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'end',
    ]);
    rig.runtime.status_ = 'succeeded';
    const again = await rig.get(`/v1/runs/${RUN_ID}/events`, { 'last-event-id': messages[4]!.id! });
    expect(again.status).toBe(204);
  });

  it('ends with the run also where its end is not among the kinds that are asked for', async () => {
    fill(3);
    rig.logs.runtime.append({
      kind: 'run.finished',
      run_id: RUN_ID,
      payload: { status: 'succeeded', reason: '', summary: {} },
    });
    const path = `/v1/runs/${RUN_ID}/events?kind=run.phase`;
    const messages = await readSse(await rig.get(path), 99);
    expect(messages.map((m) => m.event)).toEqual([undefined, undefined, undefined, 'end']);
    rig.runtime.status_ = 'succeeded';
    const again = await rig.get(path, { 'last-event-id': messages[3]!.id! });
    expect(again.status).toBe(204);
  });

  it('refuses cursors that it did not make or that belong to other data', async () => {
    for (const cursor of [
      'nonsense',
      'v1.1.2.3',
      'v1.1.2.3.4.5',
      `v1.${'z'.repeat(11)}.0.0.0`,
      'v2.0.0.0.0',
    ]) {
      expect((await rig.get('/v1/events', { 'last-event-id': cursor })).status).toBe(400);
    }
    const ahead = await rig.get('/v1/events?cursor=v1.0.5.0.0');
    expect(ahead.status).toBe(400);
    expect(((await ahead.json()) as { message: string }).message).toContain('runtime log');
  });

  it('opens no more streams than it can carry', async () => {
    const open = await Promise.all(Array.from({ length: LIMITS.STREAMS_MAX }, () => rig.get('/v1/events')));
    expect(open.every((response) => response.status === 200)).toBe(true);
    const refused = await rig.get('/v1/events');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    const streams = async () =>
      /^auraison_stream_readers (\d+)$/m.exec(await (await rig.get('/metrics')).text())![1];
    expect(await streams()).toBe(String(LIMITS.STREAMS_MAX));
    for (const response of open) await response.body!.cancel();
    await expect.poll(streams).toBe('0');
    expect((await rig.get('/health')).status).toBe(200);
  });

  it('does not buffer for a reader that takes nothing, and goes on serving others', async () => {
    for (let i = 0; i < 3_000; i++) {
      rig.logs.runtime.append({
        kind: 'run.phase',
        run_id: RUN_ID,
        payload: { phase: 'x', reason: 'y'.repeat(500), facts: { pad: 'z'.repeat(4_000) } },
      });
    }
    const socket = await open(rig.url, '/v1/events');
    socket.pause();
    const reads = () => rig.logs.runtime.reads;
    let before = -1;
    await expect
      .poll(
        () => {
          const still = reads() === before;
          before = reads();
          return still;
        },
        { interval: 300 },
      )
      .toBe(true);
    // 13 MB wait in the log, not in memory: what was read fits in the kernel's buffers and one page.
    expect(reads() * LIMITS.STREAM_PAGE_EVENTS).toBeLessThan(3_000);
    expect((await readSse(await rig.get('/v1/events'), 3_000)).length).toBe(3_000);
    socket.destroy();
  });

  it('goes on without a log that cannot be read, and takes it in when it can', async () => {
    let broken = true;
    const logs = { ...rig.logs };
    await rig.stop();
    rig = await startRig(
      {},
      {
        openReader: (cell) => {
          if (cell === 'memory' && broken)
            throw new EdgeError('log.failed', { operation: 'open', subject: cell });
          return logs[cell].reader();
        },
      },
    );
    logs.runtime.append(phase(1));
    logs.memory.append(phase(2));
    const response = await rig.get('/v1/events');
    const reading = readSse(response, 2);
    await expect.poll(() => rig.reports.length).toBe(1);
    broken = false;
    const cells = (await reading).map((m) => (JSON.parse(m.data) as AgentEvent).cell);
    expect(cells).toEqual(['runtime', 'memory']);
    expect(rig.reports).toHaveLength(1);
  });

  it('ends all streams when it stops', async () => {
    const response = await rig.get('/v1/events');
    const reading = readSse(response, 1);
    rig.answers.set(METHODS.link.status, async () => ({}));
    await rig.stop();
    expect(await reading).toEqual([]);
  });
});

describe('streamEvents', () => {
  const make = (log: TinyLog, taken: () => boolean) => {
    const clock = new ManualClock();
    const logs = new LogReaders({
      openReader: (cell) => (cell === 'runtime' ? log.reader() : new TinyLog(cell).reader()),
      report: () => {},
      bus: { request: () => Promise.reject(new Error('none')), onBroadcast: () => {} },
    });
    const written: string[] = [];
    const gone = new AbortController();
    const sink: StreamSink = {
      write: (text) => {
        written.push(text);
        return taken();
      },
      drained: () => new Promise(() => {}),
      gone: gone.signal,
    };
    const merge = new EventMerge(logs, {}, START);
    const end = streamEvents({ clock, logs, merge, sink, format: 'sse', follow: true });
    return { clock, written, gone, end };
  };

  it('says that it lives while nothing happens', async () => {
    const { clock, written, gone, end } = make(new TinyLog('runtime'), () => true);
    await clock.advance(LIMITS.STREAM_HEARTBEAT_MS * 3 + LIMITS.STREAM_POLL_MS * 3);
    expect(written).toEqual([': still here\n\n', ': still here\n\n', ': still here\n\n']);
    gone.abort();
    expect(await end).toBe('gone');
  });

  it('sends a reader that takes nothing away with its cursor', async () => {
    const log = new TinyLog('runtime');
    for (let i = 0; i < 5; i++) log.append(phase(i));
    const { clock, written, end } = make(log, () => false);
    await clock.advance(LIMITS.STREAM_STALLED_MS - 1);
    expect(written).toHaveLength(1);
    await clock.advance(2);
    expect(await end).toBe('stalled');
    expect(written[1]).toContain('event: error');
    expect(written[1]).toContain(formatCursor(vector((cell) => (cell === 'runtime' ? 1 : 0))));
  });
});

describe('cursor', () => {
  it('survives the way out and back', () => {
    const seq = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(seq, seq, seq, seq, (...numbers) => {
        const cursor = vector((_, i) => numbers[i]!);
        expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
      }),
    );
  });
});

function open(url: string, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
      socket.once('data', () => resolve(socket));
    });
    socket.on('error', reject);
  });
}
