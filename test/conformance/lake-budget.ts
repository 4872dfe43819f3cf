import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Lake, LIMITS } from '../../contract/index.ts';
import type { LakeFixture } from './lake.ts';

const ASK = { limit: 100_000, timeoutMs: 60_000 };
const VALUE = LIMITS.LAKE_VALUE_BYTES_MAX;
const ANSWER = LIMITS.LAKE_ANSWER_BYTES_MAX;

/** What every Lake keeps to when a statement makes more than an answer may hold. */
export function lakeBudgetConformance(name: string, makeFixture: () => Promise<LakeFixture>): void {
  describe(`Lake within its budget: ${name}`, () => {
    let fixture: LakeFixture;
    let lake: Lake;

    beforeEach(async () => {
      fixture = await makeFixture();
      lake = await fixture.open();
    });
    afterEach(async () => {
      await lake.close();
      await fixture.dispose();
    });

    it('ends an answer at its bytes, says so, and goes on working', async () => {
      const answer = await lake.query("SELECT range AS i, repeat('x', 20000) AS x FROM range(40000)", ASK);
      expect(answer).toMatchObject({ truncated: true, cut: 0 });
      expect(answer.reason).toBe(`${answer.rows.length} rows fill the budget of ${ANSWER} bytes`);
      expect(answer.bytes).toBeLessThanOrEqual(ANSWER);
      expect(answer.bytes).toBeGreaterThan(ANSWER - 30_000);
      expect(answer.rows[0]).toEqual([expect.any(Number), 'x'.repeat(20_000)]);
      expect((await lake.query('SELECT 1', ASK)).rows).toEqual([[1]]);
    });

    it('counts what JSON writes longer than it is: control characters, quotes', async () => {
      for (const text of ['chr(1)', "'\"'", "'\\'", 'chr(10)']) {
        const answer = await lake.query(`SELECT repeat(${text}, 20000) FROM range(1000)`, ASK);
        const written = Buffer.byteLength(JSON.stringify(answer.rows));
        expect([text, answer.truncated, written <= ANSWER + answer.rows.length + 2]).toEqual([
          text,
          true,
          true,
        ]);
        expect([text, written > ANSWER - 150_000]).toEqual([text, true]);
        expect((await lake.query('SELECT 1', ASK)).rows).toEqual([[1]]);
      }
      const columns = Array.from({ length: 8 }, (_, i) => `repeat(chr(1), 200000) AS c${i}`);
      await expect(lake.query(`SELECT ${columns.join(', ')}`, ASK)).rejects.toMatchObject({
        code: 'limit.exceeded',
        message: expect.stringMatching(/as JSON the row has \d+/),
      });
    });

    it('takes a smaller budget of the caller', async () => {
      const answer = await lake.query("SELECT repeat('x', 100) FROM range(1000)", { ...ASK, bytes: 2_000 });
      expect(answer.bytes).toBeLessThanOrEqual(2_000);
      expect(answer.rows.length).toBeGreaterThan(10);
      expect(answer).toMatchObject({ truncated: true });
    });

    it('cuts a long text with a mark that says how long it is', async () => {
      const answer = await lake.query("SELECT repeat('é', 20000000) AS long, 7 AS n LIMIT 1", ASK);
      const [text, n] = answer.rows[0] as [string, number];
      expect(text).toMatch(/^é+… \(40000000 bytes, cut\)$/u);
      expect(Buffer.byteLength(text)).toBeLessThan(VALUE + 100);
      expect([n, answer.cut, answer.truncated]).toEqual([7, 1, false]);
    });

    it('leaves a large list, struct, map or blob out with a mark', async () => {
      const made = [
        'range(200000)',
        "{'a': repeat('x', 2000000), 'b': 1}",
        "MAP {'k': range(200000)}",
        "repeat('x', 2000000)::BLOB",
        "list_value(repeat('x', 2000000), 'y')",
        "[[repeat('x', 2000000)]]",
      ];
      const answer = await lake.query(`SELECT ${made.join(', ')}`, ASK);
      expect(answer.cut).toBe(made.length);
      for (const value of answer.rows[0]!) expect(value).toMatch(/^… \(.+, left out: above \d+ bytes\)$/);
      const small = `SELECT range(3), {'a': 'x', 'b': 1}, MAP {'k': [1]}, 'x'::BLOB, NULL::VARCHAR, [[NULL, 'y']]`;
      expect((await lake.query(small, ASK)).rows).toEqual([
        [[0, 1, 2], { a: 'x', b: 1 }, [{ key: 'k', value: [1] }], 'x', null, [[null, 'y']]],
      ]);
    });

    it('cuts values where the caller wants them shorter', async () => {
      const ask = { ...ASK, valueBytes: 10 };
      const { rows, cut } = await lake.query("SELECT repeat('ab', 8), 'short', [1, 2, 3, 4]", ask);
      expect(rows).toEqual([['ababababab… (16 bytes, cut)', 'short', expect.stringMatching(/left out/)]]);
      expect(cut).toBe(2);
    });

    it('refuses a row that no answer can hold, and names its largest column', async () => {
      const columns = Array.from({ length: 8 }, (_, i) => `repeat('x', ${900_000 + i}) AS c${i}`);
      await expect(lake.query(`SELECT ${columns.join(', ')}`, ASK)).rejects.toMatchObject({
        code: 'limit.exceeded',
        message: expect.stringMatching(/row 1 has more than \d+ bytes; its largest column is c7 with 900007/),
      });
    });

    it('hands large results out piece by piece, in order, complete', async () => {
      const sql = "SELECT range AS i, repeat('x', 1000) AS x FROM range(20000) ORDER BY i";
      const reader = await lake.read(sql, ASK);
      expect(reader.columns.map((column) => column.name)).toEqual(['i', 'x']);
      const seen: unknown[] = [];
      let pages = 0;
      for (let end = false; !end; pages++) {
        const page = await reader.next(1_000_000);
        expect(page.bytes).toBeLessThanOrEqual(1_000_000);
        seen.push(...page.rows.map((row) => row[0]));
        if (page.end) expect(page.end).toEqual({ truncated: false, reason: '' });
        end = page.end !== undefined;
      }
      expect(seen).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
      expect(pages).toBeGreaterThan(19);
      await reader.close();
    });

    it('ends a reader at its rows, and lets go of one that is left in the middle', async () => {
      const few = await lake.read('FROM range(5000)', { ...ASK, limit: 3000 });
      const first = await few.next(1_000_000);
      expect(first.rows).toHaveLength(3000);
      expect(first.end).toEqual({ truncated: true, reason: 'the limit of 3000 rows' });
      await few.close();
      // More than there are places: each one that is closed gives its place back.
      for (let i = 0; i < 10; i++) {
        const left = await lake.read('FROM range(1000000)', ASK);
        await left.next(1_000);
        await left.close();
        await expect(left.next(1_000)).rejects.toMatchObject({ code: 'lake.unavailable' });
      }
      expect((await lake.query('SELECT 1', ASK)).rows).toEqual([[1]]);
    });

    it('says that a statement failed in the middle of its rows', async () => {
      const sql =
        "SELECT CASE WHEN range = 30000 THEN error('boom') ELSE range::VARCHAR END FROM range(40000)";
      await expect(lake.query(sql, ASK)).rejects.toMatchObject({
        code: 'lake.failed',
        message: expect.stringMatching(/boom|in the middle of its rows/),
      });
      expect((await lake.query('SELECT 1', ASK)).rows).toEqual([[1]]);
    });

    it('holds no more of a large result than a piece of it', async () => {
      const reader = await lake.read("SELECT repeat('x', 20000) FROM range(40000)", ASK);
      const before = process.memoryUsage.rss();
      let most = before;
      let rows = 0;
      for (let end = false; !end; ) {
        const page = await reader.next(ANSWER);
        rows += page.rows.length;
        most = Math.max(most, process.memoryUsage.rss());
        end = page.end !== undefined;
      }
      await reader.close();
      expect(rows).toBe(40_000);
      // 800 MB went through. What the collector has not taken yet depends on the load of the machine.
      expect(most - before).toBeLessThan(500e6);
    });

    it('lets other work be done between the pieces of a large answer', async () => {
      let turns = 0;
      let asking = true;
      const turn = () => {
        turns++;
        if (asking) setImmediate(turn);
      };
      setImmediate(turn);
      const answer = await lake.query(`SELECT ${Array(50).fill('range').join(', ')} FROM range(10000)`, ASK);
      asking = false;
      expect(answer.rows.length).toBeGreaterThan(5_000);
      expect(turns).toBeGreaterThan(20);
    });
  });
}
