import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  EdgeError,
  type ErrorCode,
  type LakeQueryRequest,
  type LakeRows,
  LIMITS,
  METHODS,
} from '../../contract/index.ts';
import { HOSTILE_SQL, randomSql } from '../support/hostile-sql.ts';
import { type Rig, startRig } from '../support/http-rig.ts';
import { type LakeProcess, startLakeProcess } from '../support/lake-process.ts';
import { Random } from '../support/random.ts';
import { StallMeter } from '../support/stall-meter.ts';

const SEED = Number(process.env['LAKE_SEED'] ?? Date.now() % 100_000);
const GENERATED = Number(process.env['LAKE_STATEMENTS'] ?? 12);
/** Time of each statement; the grace of the engine comes on top. */
const TIMEOUT_MS = 250;
const WAIT_MS = 60_000;
const { query, read, readNext, readClose } = METHODS.memory;
/** What a statement may end with beside an answer. */
const ENDS: readonly ErrorCode[] = [
  ...(['lake.failed', 'deadline.exceeded', 'limit.exceeded', 'cell.overloaded'] as const),
];
const LINES = { accept: 'application/x-ndjson' };
const INNOCENT = 'select count(*) from events';

let lake: LakeProcess;
let rig: Rig;
beforeAll(async () => {
  lake = await startLakeProcess();
  rig = await startRig();
  const shorter = (body: unknown): LakeQueryRequest => ({
    ...(body as LakeQueryRequest),
    timeoutMs: TIMEOUT_MS,
  });
  rig.answers.set(query, (body) => lake.bus.request('memory', query, shorter(body), WAIT_MS));
  rig.answers.set(read, (body) => lake.bus.request('memory', read, shorter(body), WAIT_MS));
  rig.answers.set(readNext, (body) =>
    lake.bus.request('memory', readNext, body as { readId: string }, WAIT_MS),
  );
  rig.answers.set(readClose, (body) =>
    lake.bus.request('memory', readClose, body as { readId: string }, WAIT_MS),
  );
});
afterAll(async () => {
  await rig.stop();
  await lake.stop();
});

const ask = (sql: string, principal: string, of = lake, timeoutMs = TIMEOUT_MS): Promise<LakeRows> =>
  of.bus.request(
    'memory',
    query,
    { sql, limit: LIMITS.LAKE_ROWS_MAX, timeoutMs, by: { tenant: 'local', principal } },
    WAIT_MS,
  );
const failure = (work: Promise<unknown>): Promise<ErrorCode | undefined> =>
  work.then(
    () => undefined,
    (thrown: unknown) => EdgeError.from(thrown, 'internal.fault', 'ask', 'lake').code,
  );

/** Longest that any statement may be without an answer, milliseconds; generous, since a busy host has time for few. */
const ANSWER_MS = 100_000;

/** What `sendBy` gives, or `none` where nothing came back. */
function answerBy(way: number, sql: string): Promise<ErrorCode | 'none' | undefined> {
  const none = new Promise<'none'>((resolve) => void setTimeout(resolve, ANSWER_MS, 'none').unref());
  return Promise.race([sendBy(way, sql), none]);
}

/** As a cell, as a client that waits for one answer, as one that reads lines, and as one that goes away. */
async function sendBy(way: number, sql: string): Promise<ErrorCode | undefined> {
  if (way % 4 === 0) return failure(ask(sql, 'mallory'));
  if (way % 4 === 3) {
    const abort = new AbortController();
    const body = JSON.stringify({ sql });
    const headers = {
      authorization: 'Bearer a-token-for-tests',
      'content-type': 'application/json',
      ...LINES,
    };
    const gone = fetch(`${rig.url}/v1/query`, { method: 'POST', body, headers, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await gone.then((answer) => answer.text()).catch(() => {});
    return undefined;
  }
  const answer = await rig.post('/v1/query', { sql, limit: 100_000 }, way % 4 === 1 ? {} : LINES);
  const text = await answer.text();
  if (answer.status !== 200) return (JSON.parse(text) as { code: ErrorCode }).code;
  if (way % 4 === 1) return undefined;
  const last = JSON.parse(text.trimEnd().split('\n').at(-1)!) as { error?: { code: ErrorCode } };
  return last.error?.code;
}

describe('whatever is asked of the lake', () => {
  it('each statement has an answer or an error of its own, no cell is held up, and others are answered', async () => {
    console.log(`seed ${SEED}`);
    const random = new Random(SEED);
    const statements = [...HOSTILE_SQL, ...Array.from({ length: GENERATED }, () => randomSql(random))];
    const meter = new StallMeter();
    const ends = new Map<string, number>();
    const wrong: unknown[] = [];
    let next = 0;
    const attack = async () => {
      for (let i = next++; i < statements.length; i = next++) {
        let end = await answerBy(i, statements[i]!);
        for (let again = 0; end === 'cell.overloaded' && again < 2; again++) {
          await new Promise((resolve) => setTimeout(resolve, 250));
          end = await answerBy(i, statements[i]!);
        }
        ends.set(end ?? 'answered', (ends.get(end ?? 'answered') ?? 0) + 1);
        if (end === 'none' || (end !== undefined && !ENDS.includes(end)))
          wrong.push([end, statements[i]!.slice(0, 200)]);
      }
    };
    let isOver = false;
    let innocent = 0;
    let refused = 0;
    const look = async () => {
      while (!isOver) {
        const rows = await ask(INNOCENT, 'ada', lake, LIMITS.LAKE_QUERY_MS).then(
          (answer) => answer.rows,
          (thrown: EdgeError) => thrown,
        );
        // All share the memory of one engine: once in a while there is none left for as long as it is tried.
        if (rows instanceof EdgeError) {
          expect(ENDS).toContain(rows.code);
          refused++;
        } else {
          expect(rows).toEqual([[expect.any(Number)]]);
          innocent++;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const looking = look();
    await Promise.all([attack(), attack(), attack()]);
    isOver = true;
    await looking;
    const { stallMs, peakBytes } = await lake.meters();
    const facts = {
      seed: SEED,
      statements: statements.length,
      ...Object.fromEntries(ends),
      innocent,
      refused,
    };
    const measured = { stallMs, ownStallMs: meter.longestMs, peakMB: Math.round(peakBytes / 1e6) };
    meter.stop();
    console.log('the lake under attack', { ...facts, ...measured });
    expect(wrong, `seed ${SEED}`).toEqual([]);
    expect(innocent, `seed ${SEED}`).toBeGreaterThan(10 * refused);
    expect(lake.exit()).toBe('');
    expect(peakBytes).toBeLessThan(LIMITS.MEMORY_CELL_DATA_BYTES_MAX);
    expect(measured, `seed ${SEED}`).toMatchObject({
      stallMs: expect.toSatisfy((ms: number) => ms < 1_000),
      ownStallMs: expect.toSatisfy((ms: number) => ms < 1_000),
    });
  }, 300_000);

  it('statements that the engine cannot end keep nobody from asking, and the supervisor learns of them', async () => {
    const other = await startLakeProcess();
    onTestFinished(() => other.stop());
    const endless = "select levenshtein(repeat('a', 300000), repeat('b', 300000))";
    const many = (principal: string) =>
      Array.from({ length: LIMITS.LAKE_QUERIES_MAX }, () => failure(ask(endless, principal, other)));
    const asked = [...many('trudy'), ...many('mallory'), ...many('eve')];
    const look = () => ask(INNOCENT, 'ada', other, LIMITS.LAKE_QUERY_MS);
    const innocent = await look();
    expect(innocent.rows).toEqual([[expect.any(Number)]]);
    const codes = await Promise.all(asked);
    expect(new Set(codes)).toEqual(new Set(['deadline.exceeded', 'cell.overloaded']));
    const running = codes.filter((code) => code === 'deadline.exceeded').length;
    expect(running).toBeLessThan(LIMITS.LAKE_QUERIES_MAX);
    expect((await other.meters()).overdue).toBeGreaterThan(0);
    expect((await look()).rows).toEqual(innocent.rows);
    expect(await failure(ask(endless, 'trudy', other))).toBe('cell.overloaded');
  });
});
