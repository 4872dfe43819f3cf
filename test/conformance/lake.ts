import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentEvent, CellName, Lake, LakeCursor, NewEvent } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { fixedId, runEvents, segmentEvents } from '../support/sample-events.ts';

/** One place where a lake can be opened, closed and opened again. `digest` tells equal lakes. */
export type LakeFixture = {
  open(): Promise<Lake & { digest(): Promise<string> }>;
  dispose(): Promise<void>;
};

const ASK = { limit: 1000, timeoutMs: 20_000 };

/** Events as the log of `cell` returns them, from seq 1. */
export async function logged(cell: CellName, events: readonly NewEvent[]): Promise<readonly AgentEvent[]> {
  return new MemoryEventLog({ cell, clock: new ManualClock() }).append(events);
}

/** The cursor of a lake that has these events up to `seq`. */
export function cursorOf(events: readonly AgentEvent[], seq: number): LakeCursor {
  return { epoch: events[0]!.event_id, seq, hash: events[seq - 1]!.hash };
}

/** What every Lake keeps to. */
export function lakeConformance(name: string, makeFixture: () => Promise<LakeFixture>): void {
  describe(`Lake: ${name}`, () => {
    let fixture: LakeFixture;
    let lake: Awaited<ReturnType<LakeFixture['open']>>;
    const rows = async (sql: string) => (await lake.query(sql, ASK)).rows;
    const count = async (table: string) => (await rows(`SELECT count(*) FROM ${table}`))[0]?.[0];

    beforeEach(async () => {
      fixture = await makeFixture();
      lake = await fixture.open();
    });
    afterEach(async () => {
      await lake.close();
      await fixture.dispose();
    });

    it('projects runs, tool calls, segments, losses and bags', async () => {
      await lake.project('runtime', await logged('runtime', runEvents(100)));
      await lake.project(
        'execution',
        await logged('execution', [...segmentEvents('hall', 1), ...segmentEvents('hall', 2, 4)]),
      );
      expect(
        await rows(
          'SELECT run_id, intent_type, app, harness, attempt, status, phase, score, summary FROM runs',
        ),
      ).toEqual([
        [fixedId(100), 'maze.find-exit', 'turtlebot-maze', 'flow', 1, 'succeeded', 'done', 1, '{"m":7}'],
      ]);
      expect(
        await rows('SELECT tool, ok, args, result, duration_ms FROM tool_calls ORDER BY call_id'),
      ).toEqual([
        ['navigate', true, `{"text":"it's","x":0}`, '{"reached":true}', 12.5],
        ['navigate', false, `{"text":"it's","x":1}`, null, 12.5],
        ['navigate', true, `{"text":"it's","x":2}`, '{"reached":true}', 12.5],
      ]);
      expect(await rows('SELECT path, messages, end_time FROM segments ORDER BY path')).toEqual([
        ['bags/hall/1.mcap', 300, '2023-11-14 22:13:21.900000001'],
        ['bags/hall/2.mcap', 300, '2023-11-14 22:13:22.900000001'],
      ]);
      expect(
        await rows(
          'SELECT topic, sum(received), sum(written), sum(dropped) FROM losses GROUP BY 1 ORDER BY 1',
        ),
      ).toEqual([
        ['/odom', 420, 420, 0],
        ['/scan', 184, 180, 4],
      ]);
      expect(await rows('SELECT bag, segments, messages, bytes, dropped FROM bags')).toEqual([
        ['hall', 2, 600, 2003, 4],
      ]);
      expect(await count('events')).toBe(runEvents(100).length + 4);
      expect(await rows(`SELECT payload->>'$.reason' FROM events WHERE kind = 'run.finished'`)).toEqual([
        ['exit'],
      ]);
    });

    it('has the cursor of what it holds, skips what it has, refuses a gap', async () => {
      const events = await logged('runtime', [...runEvents(1), ...runEvents(200)]);
      expect(await lake.cursors()).toEqual({});
      await lake.project('runtime', events.slice(0, 5));
      await lake.project('runtime', events.slice(0, 5));
      await lake.project('runtime', events.slice(2, 9));
      expect(await lake.cursors()).toEqual({ runtime: cursorOf(events, 9) });
      await expect(lake.project('runtime', events.slice(10))).rejects.toMatchObject({ code: 'lake.failed' });
      await expect(lake.project('link', events.slice(3))).rejects.toMatchObject({ code: 'lake.failed' });
      expect(await count('events')).toBe(9);
      await lake.project('runtime', []);
      await lake.project('runtime', events.slice(9));
      expect(await rows('SELECT seq, hash FROM events ORDER BY seq')).toEqual(
        events.map((e) => [e.seq, e.hash]),
      );
    });

    it('keeps rows and cursors when it is opened again', async () => {
      const events = await logged('runtime', runEvents(1, 60));
      await lake.project('runtime', events.slice(0, 120));
      const digest = await lake.digest();
      await lake.close();
      await lake.close();
      lake = await fixture.open();
      expect(await lake.cursors()).toEqual({ runtime: cursorOf(events, 120) });
      expect(await lake.digest()).toBe(digest);
      await lake.project('runtime', events);
      expect(await count('events')).toBe(events.length);
    });

    it('puts a new log of the same cell beside the old one', async () => {
      const old = await logged('runtime', runEvents(1));
      const clock = new ManualClock(1_800_000_000_000_000_000n);
      const fresh = await new MemoryEventLog({ cell: 'runtime', clock }).append(runEvents(300));
      await lake.project('runtime', old);
      await lake.project('runtime', fresh.slice(0, 4));
      expect(await lake.cursors()).toEqual({ runtime: cursorOf(fresh, 4) });
      await lake.close();
      lake = await fixture.open();
      expect(await lake.cursors()).toEqual({ runtime: cursorOf(fresh, 4) });
      await lake.project('runtime', fresh);
      await lake.project('runtime', old);
      expect(await count('events')).toBe(old.length + fresh.length);
      expect(await count('runs')).toBe(2);
    });

    it('gives the same digest for the same events, whatever the batches, and after a rebuild', async () => {
      const runtime = await logged(
        'runtime',
        Array.from({ length: 12 }, (_, i) => runEvents(i * 40, 30)).flat(),
      );
      const execution = await logged('execution', segmentEvents('hall', 1, 2));
      for (let i = 0; i < runtime.length; i += 150) await lake.project('runtime', runtime.slice(i, i + 150));
      await lake.project('execution', execution);
      const digest = await lake.digest();
      await lake.rebuild();
      expect(await lake.cursors()).toEqual({});
      expect(await count('events')).toBe(0);
      expect(await lake.digest()).not.toBe(digest);
      await lake.project('execution', execution);
      await lake.project('runtime', runtime.slice(0, 7));
      await lake.project('runtime', runtime);
      expect(await lake.digest()).toBe(digest);
    });

    it('drops and takes again one log without touching the others', async () => {
      const runtime = await logged('runtime', runEvents(1, 80));
      const clock = new ManualClock(1_800_000_000_000_000_000n);
      const fresh = await new MemoryEventLog({ cell: 'runtime', clock }).append(runEvents(300, 80));
      const execution = await logged('execution', segmentEvents('hall', 1));
      await lake.project('runtime', runtime);
      await lake.project('runtime', fresh);
      await lake.project('execution', execution);
      const digest = await lake.digest();
      await lake.rebuild('runtime');
      expect(await lake.cursors()).toEqual({ execution: cursorOf(execution, 2) });
      expect(await count('events')).toBe(runtime.length + 2);
      await lake.project('runtime', fresh);
      expect(await lake.digest()).toBe(digest);
      await lake.close();
      lake = await fixture.open();
      expect(await lake.digest()).toBe(digest);
      expect(await lake.cursors()).toMatchObject({ runtime: cursorOf(fresh, fresh.length) });
    });

    it('stores any text that an event may hold', async () => {
      const nasty = [
        '\u0000',
        'a\u0000b',
        "'; DROP TABLE events; --",
        '\ud800',
        '😀\\ud83d',
        '\u2028"\\',
        '',
      ];
      const events = await logged(
        'runtime',
        nasty.flatMap((text): NewEvent[] => [
          { kind: 'cell.stopped', payload: { reason: text } },
          { kind: 'run.phase', run_id: fixedId(1), payload: { phase: 'p', reason: text, facts: { text } } },
        ]),
      );
      for (const event of events) await lake.project('runtime', [event]);
      const small = await rows('SELECT reason FROM run_events ORDER BY seq');
      expect(small).toEqual(nasty.map((text) => [text.toWellFormed()]));
      const large = await logged(
        'link',
        Array.from({ length: 60 }, () => events)
          .flat()
          .map(({ kind, payload, run_id }) => ({ kind, payload, ...(run_id ? { run_id } : {}) }) as NewEvent),
      );
      await lake.project('link', large);
      expect(
        await rows(`SELECT DISTINCT reason FROM run_events WHERE cell = 'link' ORDER BY ALL`),
      ).toHaveLength(new Set(nasty).size);
      const facts = await rows(
        `SELECT payload->>'$.facts.text' FROM events WHERE cell = 'runtime' AND kind = 'run.phase' AND NOT contains(payload, '\\u0000') ORDER BY seq`,
      );
      expect(facts).toEqual(nasty.filter((t) => !t.includes('\u0000')).map((text) => [text.toWellFormed()]));
    });

    it('answers with JSON values, types and at most the rows asked for', async () => {
      const answer = await lake.query(
        `SELECT 9007199254740991::BIGINT AS exact, 9007199254740992::BIGINT AS big, 1.50::DECIMAL(5,2) AS price,
          [1::BIGINT, NULL] AS list, {'a': 'x'} AS struct, 'NaN'::DOUBLE AS nan, NULL AS nothing,
          TIMESTAMP_NS '2023-11-14 22:13:20.000000123' AS at, DATE '2024-02-29' AS day, true AS yes`,
        ASK,
      );
      expect(answer.rows).toEqual([
        [
          9007199254740991,
          '9007199254740992',
          '1.50',
          [1, null],
          { a: 'x' },
          'NaN',
          null,
          '2023-11-14 22:13:20.000000123',
          '2024-02-29',
          true,
        ],
      ]);
      expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
      expect(answer.columns.slice(0, 3)).toEqual([
        { name: 'exact', type: 'BIGINT' },
        { name: 'big', type: 'BIGINT' },
        { name: 'price', type: 'DECIMAL(5,2)' },
      ]);
      expect(answer.truncated).toBe(false);
      const cut = await lake.query('SELECT * FROM range(5000) ORDER BY 1', { limit: 3, timeoutMs: 20_000 });
      expect(cut).toMatchObject({ rows: [[0], [1], [2]], truncated: true });
      const all = await lake.query('FROM range(5000)', { limit: 5000, timeoutMs: 20_000 });
      expect([all.rows.length, all.truncated]).toEqual([5000, false]);
    });

    it('refuses everything but one statement that only reads the lake', async () => {
      const refused = [
        ['a write', "INSERT INTO events VALUES ('runtime')"],
        ['a delete', 'DELETE FROM events'],
        ['a drop', 'DROP TABLE events'],
        ['a new table', 'CREATE TABLE mine AS SELECT 1'],
        ['two statements', 'SELECT 1; SELECT 2'],
        ['a hidden second statement', 'SELECT 1; DROP TABLE events'],
        ['nothing', ''],
        ['a comment', '-- nothing'],
        ['ATTACH', "ATTACH '/tmp/other.db' AS other"],
        ['COPY', "COPY events TO '/tmp/out.csv'"],
        ['PRAGMA', 'PRAGMA database_list'],
        ['SET', "SET memory_limit = '10GB'"],
        ['CALL', "CALL ducklake_expire_snapshots('lake', older_than => now())"],
        ['INSTALL', 'INSTALL httpfs'],
        [
          'a function that changes the lake',
          "SELECT * FROM ducklake_expire_snapshots('lake', older_than => now())",
        ],
        ['one that hides in a subquery', "SELECT (SELECT count(*) FROM read_text('/etc/hostname'))"],
        ['one that hides in a query string', "SELECT * FROM query('SELECT 1')"],
        ['a file by name', "SELECT * FROM '/etc/hostname'"],
        ['a file by function', "SELECT * FROM read_csv('/etc/passwd')"],
        ['a list of files', "SELECT * FROM glob('/*')"],
        ['a transaction', 'BEGIN'],
        ['a syntax error', 'SELEC 1'],
        ['an unknown table', 'SELECT * FROM nowhere'],
      ] as const;
      await lake.project('runtime', await logged('runtime', runEvents(1)));
      const digest = await lake.digest();
      for (const [what, sql] of refused)
        await expect(lake.query(sql, ASK), what).rejects.toMatchObject({ code: 'lake.failed' });
      expect(await lake.digest()).toBe(digest);
    });

    it('answers DESCRIBE, SHOW, WITH, VALUES and SUMMARIZE', async () => {
      for (const sql of [
        'DESCRIBE events',
        'SHOW TABLES',
        'WITH a AS (SELECT 1) FROM a',
        'VALUES (1)',
        'SUMMARIZE events',
      ])
        expect((await lake.query(sql, ASK)).rows.length).toBeGreaterThan(0);
      const columns = await rows(
        `SELECT comment FROM duckdb_columns() WHERE table_name = 'losses' AND column_name = 'dropped'`,
      );
      expect(columns).toEqual([['messages, all reasons']]);
    });

    it('interrupts a query that takes too long and goes on working', async () => {
      const endless = 'SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range + b.range = 7';
      await expect(lake.query(endless, { limit: 1, timeoutMs: 200 })).rejects.toMatchObject({
        code: 'deadline.exceeded',
      });
      expect(await rows('SELECT 1')).toEqual([[1]]);
      await lake.project('runtime', await logged('runtime', runEvents(1)));
      expect(await count('runs')).toBe(1);
    });

    it('refuses when too many queries run, and interrupts them when it is closed', async () => {
      const endless = 'SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range + b.range = 7';
      const running = Array.from({ length: 12 }, () => lake.query(endless, { limit: 1, timeoutMs: 60_000 }));
      const outcomes = Promise.allSettled(running);
      await expect(
        Promise.any(running.map((r) => r.catch((e: unknown) => Promise.resolve(e)))),
      ).resolves.toMatchObject({
        code: 'cell.overloaded',
      });
      await lake.close();
      for (const outcome of await outcomes) expect(outcome.status).toBe('rejected');
      await expect(lake.query('SELECT 1', ASK)).rejects.toMatchObject({ code: 'lake.unavailable' });
      await expect(lake.project('runtime', [])).rejects.toMatchObject({ code: 'lake.unavailable' });
    });
  });
}
