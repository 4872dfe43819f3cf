import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPolicySet, PolicyBook, readPolicySource } from '../../adapters/cedar/index.ts';
import {
  checkpointKey,
  LogCutter,
  logPath,
  SqliteEventLog,
  verifyLogFile,
} from '../../adapters/event-log/index.ts';
import { LogStore } from '../../adapters/event-log/log-store.ts';
import { REPEAT_WINDOW } from '../../adapters/event-log/repeats.ts';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import {
  type AgentEvent,
  canonicalJson,
  GENESIS_HASH,
  type ModelRequest,
  type NewEvent,
} from '../../contract/index.ts';
import { rejudge, requestOf } from '../../history/rejudge.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel } from '../fakes/scripted-model.ts';
import { finish } from '../support/agent-apps.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze } from '../support/shipped-apps.ts';
import { uuid } from '../support/tiny-log.ts';

const RUN = uuid(1);
const clock = new ManualClock();

let dataDir: string;
let path: string;
let log: SqliteEventLog;

beforeAll(async () => {
  await loadPi();
}, 60_000);
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'auraison-repeats-'));
  path = logPath(dataDir, 'runtime');
  log = await open();
});
afterEach(async () => {
  await log.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const open = () => SqliteEventLog.open({ dataDir, cell: 'runtime', clock, thread: 'caller' });

/** Rows as they lie on the disk. */
function stored(sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

function change(...statements: string[]): void {
  const database = new DatabaseSync(path);
  try {
    for (const sql of statements) database.exec(sql);
  } finally {
    database.close();
  }
}

const payloads = () =>
  log
    .reader()
    .read(0, 10_000)
    .map(({ payload }) => JSON.stringify(payload));

type Facts = Readonly<Record<string, unknown>>;

function decided(facts: Facts | undefined, ts_ms = 1, more: object = {}, run = RUN): NewEvent {
  const asked = { principal: { tenant: 'lab', id: 'ada', roles: ['operator'], origin: 'cli' }, robot: 'r' };
  const about = { effect: 'actuate', intent: 'maze/find_exit' };
  const resource = { type: 'Tool', id: 'robot.navigate', parents: [{ type: 'Group', id: 'robot' }] };
  return {
    kind: 'policy.decided',
    run_id: run,
    payload: {
      ...{
        hook: 'cedar',
        point: 'tool',
        subject: 'robot.navigate',
        decision: 'allow',
        duration_us: ts_ms * 3,
      },
      ...{ reason: 'permitted by built-in#operators', policy_sha256: 'a'.repeat(64), determining: ['b#o'] },
      ...(facts ? { request: { point: 'tool', ...asked, resource, about, entities: [], ts_ms, facts } } : {}),
      ...more,
    },
  };
}

/** Keys that a model may choose where the schema of a tool is open. */
const ODD_KEYS = [
  ...['__proto__', 'constructor', 'toJSON', 'same_as', 'changed', 'facts', '10', '9', '-1', 'a', 'b', ''],
  ...['a\nb', 'a,b', 'a","b', '"', 'a\\nb', '\n', '\u2028', '\0', '\ud800', '\udfff', 'é', 'e\u0301'],
  'x'.repeat(2_000),
];
/** Facts whose keys are the same once they are joined by some separator. */
const SAME_KEYS: readonly Facts[] = [
  ...[
    { a: 1, b: 1 },
    { b: 1, a: 2 },
    { 'a\nb': 1 },
    { 'a,b': 1 },
    { 'a","b': 1 },
    { 'a\0b': 1 },
    { 'a b': 1 },
  ],
  ...[{ '': 1 }, {}, { '\n': 1 }, { '': 1, '\n': 1 }, { 1: 1, 2: 1 }, { '1\n2': 1 }, { 2: 1, 1: 2 }],
  ...[JSON.parse('{"__proto__":1,"a":1}') as Facts, JSON.parse('{"__proto__":{"a":1}}') as Facts],
];
const ODD_REQUESTS = [
  ...[{}, { facts: null }, { facts: 'ab' }, { facts: [1, 2] }, { facts: {} }],
  ...[{ ts_ms: null }, { ts_ms: 'soon' }, { ts_ms: 1, facts: { a: 1 } }, { facts: { a: 1 }, ts_ms: null }],
];
/** Events of other kinds that look like what is on the disk. */
const LIKE = { phase: 'p', reason: '{"changed":{},"same_as":1}', facts: { changed: {}, same_as: 1 } };
const OTHERS: readonly NewEvent[] = [{ kind: 'run.phase', run_id: RUN, payload: LIKE }];

/** What a very small model does: what the last result says comes next. */
function obedient({ messages }: ModelRequest): Line {
  const next = /"next":"call ([a-z_]+)(?: with status ([a-z]+))?"/.exec(messages.at(-1)!.text);
  if (next?.[1] === 'run_finish')
    return { calls: [{ name: 'run_finish', args: { status: next[2], reason: 'as the robot says' } }] };
  return { calls: [{ name: next?.[1] ?? 'maze_explore_frontier' }] };
}

/** The events of an agent that finds its way out, judged by the built-in policies. */
async function agentRun() {
  const book = await PolicyBook.open({
    ...{ robot: 'robot', clock, read: () => readPolicySource('', []), base: { speedMax: 1, turnMax: 1 } },
    standing: ({ roles }) => ({ ok: true, roles }),
  });
  const blobs = new MemoryBlobStore();
  const rig = new RuntimeRig({
    ...{ clock, hooks: [book], robot: new FakeRobot({ seed: 5, cells: 5 }) },
    apps: [{ ...maze, harness: 'pi', tools: [...maze.tools!, finish] }],
    options: {
      ...{ models: () => new ScriptedModel(obedient), blobs },
      harnesses: { pi: (one) => new PiHarness(one, { blobs, patienceMs: 0 }) },
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'maze/find_exit' }, PERSON);
  await rig.finished();
  return { book, events: rig.events };
}

describe('the log of an agent', () => {
  it('is not mostly about who may do what, and every reader has every decision whole', async () => {
    const { book, events } = await agentRun();
    for (const { kind, run_id, payload } of events)
      await log.append([{ kind, ...(run_id ? { run_id } : {}), payload } as NewEvent]);
    const sum = (rows: readonly string[]) => rows.reduce((total, { length }) => total + length, 0);
    const all = events.map(({ payload }) => canonicalJson(payload));
    const decisions = all.filter((_, i) => events[i]!.kind === 'policy.decided');
    // As it was before rows could refer to others.
    expect(decisions.length).toBeGreaterThan(20);
    expect(sum(decisions) / sum(all)).toBeGreaterThan(0.4);
    const [now] = stored(
      "select sum(iif(kind = 'policy.decided', length(payload), 0)) as decided, sum(length(payload)) as total from events",
    );
    expect(Number(now!['decided']) / Number(now!['total'])).toBeLessThan(0.25);
    expect(payloads()).toEqual(all);
    expect(verifyLogFile(path)).toMatchObject({ ok: true, events: events.length });
    // They are judged again as they were, and explained: nothing of the question is missing.
    const reader = log.reader();
    const { judge } = await openPolicySet(book.source!);
    const judged = await rejudge([reader], judge, 0);
    expect(judged).toMatchObject({ judged: decisions.length, same: decisions.length, not_judged: 0 });
    judge.close();
    const read = reader.read(0, 1_000, { kinds: ['policy.decided'] }) as AgentEvent<'policy.decided'>[];
    expect(read.map((event) => requestOf(event)?.principal.id)).toEqual(read.map(() => 'ada'));
    reader.close();
  });
});

describe('a decision that repeats another of its run', () => {
  it('is on the disk what differs, and to readers what was appended, whatever its facts are', async () => {
    const key = fc.oneof(fc.constantFrom(...ODD_KEYS), fc.string({ maxLength: 6, unit: 'binary' }));
    // JSON.parse of V8 13.6 mistakes other keys of one character for a backslash once it has seen that: not our subject.
    const facts = fc
      .dictionary(key, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 })
      .filter((one) => !JSON.stringify(one).includes('"\\\\":'));
    const event = fc.record({
      facts: fc.option(fc.oneof(facts, fc.constantFrom(...SAME_KEYS)), { nil: undefined }),
      isTurned: fc.boolean(),
      ts: fc.nat(9_999),
      run: fc.boolean(),
      // Questions are any object of JSON to the log.
      request: fc.option(fc.oneof(facts, fc.constantFrom(...ODD_REQUESTS)), {
        ...{ nil: undefined, freq: 4 },
      }),
      other: fc.option(fc.constantFrom(...OTHERS), { nil: undefined, freq: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 2, maxLength: 8 }), fc.boolean(), async (many, again) => {
        const before = log.lastSeq;
        const events = many.map(({ facts: one, ts, run, isTurned, request, other }) => {
          if (other) return other;
          const turned = one && isTurned ? Object.fromEntries(Object.entries(one).reverse()) : one;
          return decided(turned, ts, request === undefined ? {} : { request }, run ? RUN : uuid(2));
        });
        await log.append(events);
        const read = log.reader().read(before, 100);
        // Readers of whole rows have their keys in canonical order, and so have those of the others.
        const texts = events.map(({ payload }) => canonicalJson(payload));
        expect(read.map(({ payload }) => canonicalJson(payload))).toEqual(texts);
        const plain = texts.map((text) => JSON.stringify(JSON.parse(text)));
        expect(read.map(({ payload }) => JSON.stringify(payload))).toEqual(plain);
        if (!again) return;
        // What was just written opens again.
        await log.close();
        log = await open();
      }),
      { numRuns: 100 },
    );
    expect(verifyLogFile(path).ok).toBe(true);
    const [count] = stored("select count(*) as n from events where payload like '%same_as%'");
    expect(Number(count!['n'])).toBeGreaterThan(50);
  });

  it.each([
    ['a line break', { a: 1, b: 2 }, { 'a\nb': 1 }],
    ['a line break, first', { 'a\nb': 1 }, { a: 1, b: 1 }],
    ['nothing in it', { '': 1, '\n': 2 }, { '\n\n': 1 }],
  ])('of which a key has %s is another one: the log verifies, and opens again', async (_what, one, two) => {
    const events = [decided(one, 1), decided(two, 2), decided(one, 3), decided(two, 4)];
    await log.append(events);
    expect(payloads()).toEqual(events.map(({ payload }) => canonicalJson(payload)));
    expect(verifyLogFile(path)).toMatchObject({ ok: true, events: 4 });
    await log.close();
    log = await open();
    expect(log.lastSeq).toBe(4);
  });

  it('is written whole where a key is one escaped character, which JSON.parse may mistake for another', async () => {
    const odd: readonly Facts[] = [
      { '\\': 1, b: 1 },
      { '\n': 1, b: 1 },
      { '\0': 1, b: 1 },
      { '"': 1, b: 1 },
    ];
    const events = [...odd, ...odd, { x: { '\n': 1 } }, { x: { '\ud800': 1 } }].map((one, i) =>
      decided(one, i),
    );
    await log.append(events);
    // Written as they were hashed.
    expect(stored('select payload from events order by seq').map(({ payload }) => payload)).toEqual(
      events.map(({ payload }) => canonicalJson(payload)),
    );
  });

  it('is deep', async () => {
    const deep = JSON.parse(`${'['.repeat(1_100)}${']'.repeat(1_100)}`) as unknown;
    const events = [
      decided({ x: 1, deep }, 1),
      decided({ x: 2, deep }, 2),
      decided({ x: 2, deep: [deep] }, 3),
    ];
    await log.append(events);
    expect(payloads()).toEqual(events.map(({ payload }) => canonicalJson(payload)));
    expect(verifyLogFile(path)).toMatchObject({ ok: true, events: 3 });
  });

  it('differs in its times and in single facts', async () => {
    await log.append([decided({ x: 1, y: 2, frame: 'map' }, 5), decided({ x: 1, y: 3, frame: 'map' }, 6)]);
    expect(JSON.parse(String(stored('select payload from events where seq = 2')[0]!['payload']))).toEqual({
      same_as: 1,
      changed: { duration_us: 18, ts_ms: 6, some_facts: { y: 3 } },
    });
  });

  it('is written whole where anything else differs, and in another run', async () => {
    await log.append([
      decided({ x: 1 }),
      decided({ x: 1 }, 2, { decision: 'deny' }),
      decided({ x: 1 }, 3, { policy_sha256: 'b'.repeat(64) }),
      decided({ x: 1 }, 4, { determining: [] }),
      decided({ x: 1 }, 5, { subject: 'robot.maneuver' }),
      decided({ x: 1 }, 6, {}, uuid(2)),
    ]);
    expect(stored("select seq from events where payload like '%same_as%'")).toEqual([]);
  });

  it('refers to the same one after a restart, and to none that a failed commit took along', async () => {
    await log.append([decided({ x: 1 }), decided({ x: 2 })]);
    await log.close();
    log = await open();
    await log.append([decided({ x: 3 })]);
    expect(stored("select json_extract(payload, '$.same_as') as at from events where seq > 1")).toEqual([
      { at: 1 },
      { at: 1 },
    ]);
    await log.close();
    const store = LogStore.open({ path, cell: 'runtime', genesis: GENESIS_HASH });
    const draft = (facts: Facts | undefined) => ({
      ...{ event_id: uuid(9), run_id: uuid(3), kind: 'policy.decided' as const, ts: '1' },
      payload: facts ? canonicalJson(decided(facts).payload) : (null as never),
    });
    expect(() => store.commit([draft({ x: 1 }), draft(undefined)])).toThrow();
    store.commit([draft({ x: 2 }), draft({ x: 3 })]);
    store.close();
    log = await open();
    expect(stored("select json_extract(payload, '$.same_as') as at from events where seq > 3")).toEqual([
      { at: null },
      { at: 4 },
    ]);
    expect(verifyLogFile(path)).toMatchObject({ ok: true, events: 5 });
  });

  it('counts with all that it refers to where a reader bounds its page', async () => {
    await log.append(Array.from({ length: 50 }, (_, i) => decided({ text: 'x'.repeat(4_000) }, i)));
    expect(log.reader().read(0, 50, { bytesMax: 20_000 }).length).toBeLessThan(6);
  });
});

describe('a decision whose first was removed', () => {
  const filler = (count: number): NewEvent[] =>
    Array.from({ length: count }, (_, i) => ({
      kind: 'run.phase',
      payload: { phase: 'p', reason: String(i) },
    }));
  const cutAt = (through: number) => {
    const cutter = LogCutter.open(path)!;
    cutter.checkpoint(through, checkpointKey(dataDir), clock.now());
    while (cutter.step());
    cutter.close();
  };

  it('is still whole: the removal keeps what is referred to, as long as it is', async () => {
    await log.append([...filler(1), decided({ x: 1 }, 1), ...filler(8), decided({ x: 2 }, 2)]);
    await log.append([...filler(1_100), decided({ x: 3 }, 3)]);
    const before = payloads();
    cutAt(5);
    expect(payloads()).toEqual([before[0], ...before.slice(5)]);
    expect(stored('select seq from kept')).toEqual([{ seq: 2 }]);
    // Written whole: the first is not among the newest events any longer.
    expect(stored("select seq from events where payload like '%same_as%'")).toEqual([{ seq: 11 }]);
    expect(verifyLogFile(path)).toMatchObject({ ok: true });
    expect(() => change('DELETE FROM kept')).toThrow(/append only/);
    expect(() => change("UPDATE kept SET payload = '{}'")).toThrow(/append only/);
    await log.append(filler(REPEAT_WINDOW));
    cutAt(REPEAT_WINDOW + 10);
    expect(stored('select seq from kept')).toEqual([]);
    expect(verifyLogFile(path)).toMatchObject({ ok: true });
    // The next start reads what a cutter left.
    await log.close();
    log = await open();
    expect(payloads().at(-1)).toBe(canonicalJson(filler(REPEAT_WINDOW).at(-1)!.payload));
  });

  it('is written whole where that first is gone, however much was removed', async () => {
    await log.append([...filler(1), decided({ x: 1 }, 1), ...filler(8)]);
    cutAt(5);
    const last = [decided({ x: 2 }, 2), decided({ x: 3 }, 3)];
    await log.append(last);
    expect(stored("select json_extract(payload, '$.same_as') as at from events where seq > 10")).toEqual([
      { at: null },
      { at: 11 },
    ]);
    expect(payloads().slice(-2)).toEqual(last.map(({ payload }) => canonicalJson(payload)));
    expect(verifyLogFile(path)).toMatchObject({ ok: true, lastSeq: 12 });
  });

  it('is found where somebody changed or removed that first', async () => {
    await log.append([...filler(1), decided({ x: 1 }, 1), ...filler(8), decided({ x: 2 }, 2)]);
    cutAt(5);
    change('DROP TRIGGER kept_keep_values', `UPDATE kept SET payload = replace(payload, 'ada', 'eve')`);
    expect(verifyLogFile(path).fault).toMatchObject({
      seq: 11,
      message: expect.stringMatching(/was changed/),
    });
    change('DROP TRIGGER kept_keep_rows', 'DELETE FROM kept');
    expect(verifyLogFile(path).fault).toMatchObject({
      seq: 11,
      message: expect.stringMatching(/not in the log/),
    });
    expect(() => log.reader().read(0, 100)).toThrow(expect.objectContaining({ code: 'log.tampered' }));
  });
});
