import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkpointKey,
  exportLogs,
  LogCutter,
  logPath,
  openEventReader,
  SqliteEventLog,
  verifyExport,
  verifyLogFile,
} from '../../adapters/event-log/index.ts';
import { canonicalJson, type NewEvent } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { uuid } from '../support/tiny-log.ts';

/** Logs in which rows refer to others, while their beginning is being removed. */
const clock = new ManualClock();
const MAIN = new URL('../support/log-cutter-main.ts', import.meta.url).pathname;

let dataDir: string;
let path: string;
let log: SqliteEventLog;
/** What was appended; the event at position n is the one before n. */
let written: string[];

beforeEach(() => begin());
afterEach(() => end());

async function begin(): Promise<void> {
  dataDir = mkdtempSync(join(tmpdir(), 'auraison-cut-repeats-'));
  path = logPath(dataDir, 'runtime');
  log = await open();
  written = [];
}

async function end(): Promise<void> {
  await log.close();
  rmSync(dataDir, { recursive: true, force: true });
}

const open = () => SqliteEventLog.open({ dataDir, cell: 'runtime', clock, thread: 'caller' });

async function append(events: readonly NewEvent[]): Promise<void> {
  await log.append(events);
  written.push(...events.map(({ payload }) => canonicalJson(payload)));
}

const phases = (count: number): NewEvent[] =>
  Array.from({ length: count }, (_, i) => ({
    kind: 'run.phase',
    payload: { phase: 'p', reason: String(i) },
  }));

function decided(run: number, x: number): NewEvent {
  const common = { hook: 'cedar', point: 'tool', subject: 'robot.navigate', decision: 'allow' } as const;
  const request = {
    point: 'tool',
    robot: 'r',
    entities: ['e'.repeat(60)],
    facts: { x, frame: 'map' },
    ts_ms: x,
  };
  return {
    kind: 'policy.decided',
    run_id: uuid(run),
    payload: { ...common, duration_us: x, reason: 'r', request },
  };
}

function checkpoint(through: number): void {
  const cutter = LogCutter.open(path)!;
  cutter.checkpoint(through, checkpointKey(dataDir), clock.now());
  cutter.close();
}

/** By a cutter that ends after it. */
function step(): boolean {
  const cutter = LogCutter.open(path)!;
  try {
    return cutter.step();
  } finally {
    cutter.close();
  }
}

/** All that is left is what was appended, to every reader; returns the position of the second event. */
function expectWhole(directory = dataDir): number {
  expect(verifyLogFile(logPath(directory, 'runtime'))).toMatchObject({ ok: true, lastSeq: written.length });
  const reader = openEventReader(directory, 'runtime');
  try {
    const read = reader.read(0, 100_000);
    expect(read.map(({ payload }) => canonicalJson(payload))).toEqual(
      read.map(({ seq }) => written[seq - 1]),
    );
    const kind = 'policy.decided' as const;
    expect(reader.read(0, 100_000, { kinds: [kind] })).toEqual(read.filter((event) => event.kind === kind));
    return read[1]!.seq;
  } finally {
    reader.close();
  }
}

/** An export has the same events, and proves itself. */
async function expectExported(): Promise<void> {
  const file = join(dataDir, 'export.jsonl');
  rmSync(file, { force: true });
  await exportLogs(file, { dataDir, ranges: [{ cell: 'runtime' }], madeNs: clock.now() });
  const { events } = verifyLogFile(path);
  expect(await verifyExport(file)).toMatchObject([{ ok: true, events, lastSeq: written.length }]);
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n').slice(1, -1)) {
    const { event } = JSON.parse(line) as { event: { seq: number; payload: unknown } };
    expect(canonicalJson(event.payload)).toBe(written[event.seq - 1]);
  }
}

const count = (table: string) => {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const there = database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table);
    return there ? Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()!['n']) : 0;
  } finally {
    database.close();
  }
};

describe('a log in which rows refer to others', () => {
  it('is whole after each step of each removal, whoever goes on with it', { timeout: 300_000 }, async () => {
    let kept = 0;
    const piece = fc.record({ gap: fc.oneof(fc.nat(3), fc.nat(160)), run: fc.nat(2), x: fc.nat(9) });
    const cut = fc.record({ to: fc.nat(100), steps: fc.nat(4), more: fc.array(piece, { maxLength: 2 }) });
    const events = (pieces: readonly { gap: number; run: number; x: number }[]) =>
      pieces.flatMap(({ gap, run, x }) => [decided(run, x), ...phases(gap)]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 4, maxLength: 24 }),
        fc.array(cut, { minLength: 1, maxLength: 3 }),
        async (pieces, cuts) => {
          await end();
          await begin();
          await append([...events(pieces), ...phases(80)]);
          let through = 1;
          for (const { to, steps, more } of cuts) {
            through += Math.ceil(((written.length - 1 - through) * to) / 100);
            if (through <= (cutThrough() ?? 1)) continue;
            checkpoint(through);
            expectWhole();
            for (let done = 0; done < steps && step(); done++) {
              expectWhole();
              await expectExported();
              await append(events(more));
              expectWhole();
            }
          }
          while (step()) expectWhole();
          kept += count('kept');
          const cutAt = cutThrough();
          if (cutAt !== undefined) expect(expectWhole()).toBe(cutAt + 1);
          await log.close();
          log = await open();
          await append(events(pieces.slice(0, 3)));
          expectWhole();
          await expectExported();
        },
      ),
      { numRuns: 15 },
    );
    expect(kept).toBeGreaterThan(0);
  });

  it('is whole in the midst of a step that is longer than what it removes at a time', async () => {
    await append([...phases(1), decided(1, 1), ...phases(200), decided(1, 2), ...phases(1_500)]);
    checkpoint(400);
    expect(step()).toBe(true);
    expect(expectWhole()).toBe(130);
    expect(count('kept')).toBe(1);
    await expectExported();
  });

  it('is whole after the checkpoint of another removal, before and while it goes on', async () => {
    await append([...phases(1), decided(1, 1), ...phases(900), decided(1, 2), ...phases(3_500)]);
    checkpoint(400);
    while (step());
    expectWhole();
    checkpoint(1_500);
    expectWhole();
    while (step()) expectWhole();
    expect(expectWhole()).toBe(1_501);
    expect(count('kept')).toBe(0);
  });

  it('keeps nothing of a step that fails half way', async () => {
    await append([...phases(1), decided(1, 1), ...phases(200), decided(1, 2), ...phases(300)]);
    checkpoint(400);
    const database = new DatabaseSync(path);
    const fault = "SELECT RAISE(ABORT, 'the disk is full')";
    database.exec(`CREATE TRIGGER fault BEFORE DELETE ON events WHEN OLD.seq = 100 BEGIN ${fault}; END`);
    expect(step).toThrow(/the disk is full/);
    expect([count('kept'), count('events')]).toEqual([0, written.length]);
    expectWhole();
    await append([decided(1, 3)]);
    database.exec('DROP TRIGGER fault');
    database.close();
    while (step()) expectWhole();
    expect(expectWhole()).toBe(401);
  });

  it('is whole wherever the power is cut: at any byte that steps write', { timeout: 60_000 }, async () => {
    await append(Array.from({ length: 12 }, (_, i) => [decided(i % 3, i), ...phases(60)]).flat());
    const database = new DatabaseSync(path);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    checkpoint(300);
    step();
    step();
    checkpoint(650);
    while (step());
    const wal = readFileSync(`${path}-wal`);
    const firsts = new Set<number>();
    const page = 4_096 + 24;
    for (let at = 0; at < wal.length; at += page * 3 + 1_000) {
      const other = join(dataDir, `cut-${at}`);
      const copy = logPath(other, 'runtime');
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(path, copy);
      writeFileSync(`${copy}-wal`, wal.subarray(0, at));
      firsts.add(expectWhole(other));
    }
    database.close();
    // Before the first step, after the others.
    expect(firsts.size).toBeGreaterThan(3);
    expect(firsts).toContain(2);
  });

  it.each([1, 2, 4])('is whole when the cutter is killed after %i steps', async (steps) => {
    await append(Array.from({ length: 30 }, (_, i) => [decided(i % 3, i), ...phases(60)]).flat());
    const child = spawn(process.execPath, [MAIN, path, '1500', dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = 0;
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      seen += text.split('step').length - 1;
      if (seen >= steps) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    expectWhole();
    checkpoint(1_600);
    expectWhole();
    while (step()) expectWhole();
    expect(expectWhole()).toBe(1_601);
  });

  it('loses what is kept to no shell as long as a row may refer to it', async () => {
    await append([...phases(1), decided(1, 1), ...phases(200), decided(1, 2), ...phases(1_500)]);
    checkpoint(1_200);
    for (let done = 0; done < 2; done++) step();
    const database = new DatabaseSync(path);
    expect(() => database.exec('DELETE FROM kept')).toThrow(/append only/);
    database.close();
    expectWhole();
  });

  it('is cut also where facts are deeper than SQLite reads JSON', async () => {
    const deep = JSON.parse(`${'['.repeat(1_100)}${']'.repeat(1_100)}`) as unknown;
    const facts = {
      payload: { ...decided(1, 1).payload, request: { facts: { deep } } },
    } as Partial<NewEvent>;
    await append([...phases(1), decided(1, 1), ...phases(200)]);
    await append([{ ...decided(1, 1), ...facts } as NewEvent, decided(1, 2), ...phases(100)]);
    checkpoint(150);
    while (step()) expectWhole();
    expect(expectWhole()).toBe(151);
  });
});

function cutThrough(): number | undefined {
  const cutter = LogCutter.open(path)!;
  const { cut } = cutter;
  cutter.close();
  return cut?.through;
}
