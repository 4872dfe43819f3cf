import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import {
  checkpointKey,
  LogCutter,
  logPath,
  openEventReader,
  SqliteEventLog,
  verifyLogFile,
} from '../../adapters/event-log/index.ts';
import type { CellContext, LogCut, NewEvent } from '../../contract/index.ts';
import { type Hold, LogKeeper } from '../../daemon/memory/log-keeper.ts';
import { Projector } from '../../daemon/memory/projector.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { fixedId, runEvents } from '../support/sample-events.ts';

const EVENTS = 6_000;
const CUT = 4_000;
const MAIN = new URL('../support/log-cutter-main.ts', import.meta.url).pathname;

let dataDir: string;
let path: string;
let clock: ManualClock;
let log: SqliteEventLog;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'auraison-cut-'));
  path = logPath(dataDir, 'runtime');
  clock = new ManualClock();
  log = await SqliteEventLog.open({ dataDir, cell: 'runtime', clock, thread: 'caller' });
  await log.append(phases(EVENTS));
});
afterEach(async () => {
  await log.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function phases(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'run.phase',
    payload: { phase: 'load', reason: String(i), facts: { text: 'x'.repeat(400) } },
  }));
}

function cutAt(through: number): LogCut {
  const cutter = LogCutter.open(path)!;
  const cut = cutter.checkpoint(through, checkpointKey(dataDir), clock.now());
  while (cutter.step());
  cutter.close();
  return cut;
}

/** Runs the cutter in a process of its own and kills it after so many steps. */
async function cutAndKill(through: number, steps: number): Promise<void> {
  const child = spawn(process.execPath, [MAIN, path, String(through), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let seen = 0;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (piece: string) => {
    seen += piece.split('step').length - 1;
    if (seen >= steps) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
}

const seqs = () => {
  const reader = openEventReader(dataDir, 'runtime');
  const found: number[] = [];
  for (let after = 0; ; ) {
    const page = reader.read(after, 1_000);
    if (page.length === 0) break;
    found.push(...page.map(({ seq }) => seq));
    after = page.at(-1)!.seq;
  }
  reader.close();
  return found;
};

describe('a log of which old events are gone', () => {
  it('verifies from its checkpoint on, says what was cut, and goes on in the same epoch', async () => {
    const { epoch } = log;
    const cut = cutAt(CUT);
    expect(seqs().slice(0, 2)).toEqual([1, CUT + 1]);
    const verdict = verifyLogFile(path);
    expect(verdict).toMatchObject({ ok: true, lastSeq: EVENTS, events: EVENTS - CUT + 1, cut });
    await log.append(phases(10));
    await log.close();
    log = await SqliteEventLog.open({ dataDir, cell: 'runtime', clock, thread: 'caller' });
    expect([log.epoch, log.lastSeq]).toEqual([epoch, EVENTS + 10]);
    await log.append(phases(1));
    const again = cutAt(EVENTS - 500);
    expect(verifyLogFile(path)).toMatchObject({ ok: true, cut: again, lastSeq: EVENTS + 11 });
  });

  it('gives its space back to the disk', () => {
    // What is in the -wal file counts too.
    const bytes = () => statSync(path).size;
    new DatabaseSync(path).exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const before = bytes();
    cutAt(5_000);
    new DatabaseSync(path).exec('PRAGMA wal_checkpoint(TRUNCATE)');
    expect(bytes()).toBeLessThan(before * 0.3);
  });

  it.each([
    ['the checkpoint has another hash', (d: DatabaseSync) => forge(d, 'hash', 'f'.repeat(64))],
    ['it claims that more went than did', (d: DatabaseSync) => forge(d, 'through', CUT + 200)],
    ['an event behind it is missing', (d: DatabaseSync) => remove(d, CUT + 1, CUT + 1)],
    ['the first event is missing', (d: DatabaseSync) => remove(d, 1, 1)],
  ])('does not verify when %s', (_what, change) => {
    cutAt(CUT);
    const database = new DatabaseSync(path);
    change(database);
    database.close();
    expect(verifyLogFile(path).ok).toBe(false);
  });

  it('is refused to a shell that deletes what no checkpoint names', () => {
    cutAt(CUT);
    const database = new DatabaseSync(path);
    expect(() => database.exec(`DELETE FROM events WHERE seq = ${CUT + 1}`)).toThrow('append only');
    expect(() => database.exec('DELETE FROM events WHERE seq = 1')).toThrow('append only');
    expect(() => database.exec('DELETE FROM checkpoints')).toThrow('append only');
    database.close();
  });

  it.each([0, 1, 3, 9])(
    'verifies when the cutter is killed after %i steps, and the next one goes on',
    async (steps) => {
      await cutAndKill(CUT, steps);
      expect(verifyLogFile(path)).toMatchObject({ ok: true, lastSeq: EVENTS });
      await log.append(phases(5));
      expect(verifyLogFile(path)).toMatchObject({ ok: true, lastSeq: EVENTS + 5 });
      const cutter = LogCutter.open(path)!;
      while (cutter.step());
      const { cut } = cutter;
      cutter.close();
      if (cut) expect(seqs().slice(0, 2)).toEqual([1, cut.through + 1]);
      expect(verifyLogFile(path).ok).toBe(true);
    },
  );

  it('has a key of its own that nobody else may read', () => {
    cutAt(CUT);
    const file = join(dataDir, 'keys', 'log-checkpoints.pem');
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('PRIVATE KEY');
  });
});

function forge(database: DatabaseSync, column: string, value: string | number): void {
  database.exec('DROP TRIGGER checkpoints_keep_values');
  database.prepare(`UPDATE checkpoints SET ${column} = ?`).run(value);
}

function remove(database: DatabaseSync, from: number, to: number): void {
  database.exec('DROP TRIGGER events_keep_rows');
  database.prepare('DELETE FROM events WHERE seq BETWEEN ? AND ?').run(from, to);
}

describe('what is kept', () => {
  const told: NewEvent[] = [];
  const reports: string[] = [];

  function keeper(bytesMax: number, holds: readonly Hold[] = []): LogKeeper {
    const context = {
      clock,
      emit: async (events: readonly NewEvent[]) => void told.push(...events),
      report: (_level: string, message: string, facts: object) =>
        void reports.push(`${message} ${JSON.stringify(facts)}`),
    } as unknown as CellContext;
    return new LogKeeper({
      context,
      rules: { keepMs: 0, bytesMax, youngMs: 0 },
      open: () => {
        const cutter = LogCutter.open(path)!;
        return {
          size: () => cutter.size(),
          lastBefore: (ns) => cutter.lastBefore(ns),
          wholeRuns: (through) => cutter.wholeRuns(through),
          get cut() {
            return cutter.cut;
          },
          checkpoint: (through) => cutter.checkpoint(through, checkpointKey(dataDir), clock.now()),
          step: () => cutter.step(),
          archive: async () => {},
          close: () => cutter.close(),
        };
      },
      holds: () => holds,
      keepEvents: 1_024,
    });
  }

  /** Steps wait for one another by the clock. */
  async function trim(one: LogKeeper, inLake: number): Promise<LogCut | undefined> {
    let isOver = false;
    const trimmed = one.trim('runtime', inLake).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await clock.advance(20);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return trimmed;
  }

  beforeEach(async () => {
    told.length = 0;
    reports.length = 0;
    await clock.advance(60_000);
  });

  it('a log above its size loses its oldest events, and says so', async () => {
    const half = LogCutter.open(path)!;
    const { bytes } = half.size();
    half.close();
    const cut = await trim(keeper(bytes / 2), EVENTS);
    expect(cut!.through).toBeGreaterThan(2_000);
    expect(told).toMatchObject([
      { kind: 'log.cut', payload: { log: 'runtime', from: 2, through: cut!.through } },
    ]);
    expect(verifyLogFile(path)).toMatchObject({ ok: true, cut });
  });

  it.each([
    ['is not in the lake', 1_500, []],
    ['central has not acknowledged', EVENTS, [{ who: 'central', through: 1_499 }]],
  ] as const)('nothing goes that %s', async (_what, inLake, holds) => {
    const cut = await trim(keeper(1, holds), inLake);
    expect(cut!.through).toBeLessThanOrEqual(1_499);
    expect(seqs()).toContain(1_500);
    expect(await trim(keeper(1, holds), inLake)).toBeUndefined();
    expect(reports.join()).toMatch(/the lake|central/);
  });

  it('runs that are open stay whole, and runs that are over go whole', async () => {
    const open = fixedId(900);
    const over = runEvents(500);
    await log.append([...over, ...phases(2_000)]);
    await log.append([
      { kind: 'run.queued', run_id: open, payload: { intent_id: fixedId(1), app: 'a', harness: 'flow' } },
      ...phases(3_000),
      { kind: 'run.started', run_id: open, payload: { attempt: 1 } },
      ...phases(3_000),
    ]);
    await clock.advance(1_000);
    const { through } = (await trim(keeper(1), log.lastSeq))!;
    const first = EVENTS + over.length + 2_000;
    expect(through).toBe(first);
    const reader = openEventReader(dataDir, 'runtime');
    expect(reader.read(0, 10, { runId: open }).map(({ kind }) => kind)).toEqual([
      'run.queued',
      'run.started',
    ]);
    expect(reader.read(0, 10, { runId: over[0]!.run_id! })).toEqual([]);
    reader.close();
  });

  it('the lake keeps what the log no longer has, also when it is rebuilt', { timeout: 120_000 }, async () => {
    const lake = await DuckLakeLake.open(
      { dataDir, clock, extensionDirectories: [], report: () => {} },
      false,
    );
    const projector = new Projector((cell) => openEventReader(dataDir, cell));
    const count = async () =>
      (await lake.query('SELECT count(*)::INT, max(seq)::INT FROM events', { limit: 1, timeoutMs: 60_000 }))
        .rows[0];
    try {
      await projector.round(lake, () => false);
      cutAt(CUT);
      await log.append(phases(7));
      await projector.rebuild(lake);
      await projector.round(lake, () => false);
      expect(await count()).toEqual([EVENTS + 7, EVENTS + 7]);
    } finally {
      projector.close();
      await lake.close();
    }
  });

  it('a lake that is new begins with what the log has', { timeout: 120_000 }, async () => {
    cutAt(CUT);
    const lake = await DuckLakeLake.open(
      { dataDir, clock, extensionDirectories: [], report: () => {} },
      false,
    );
    const projector = new Projector((cell) => openEventReader(dataDir, cell));
    try {
      const { projected } = await projector.round(lake, () => false);
      expect(projected).toMatchObject({ runtime: EVENTS });
      const { rows } = await lake.query('SELECT count(*)::INT FROM events', { limit: 1, timeoutMs: 60_000 });
      expect(rows[0]).toEqual([EVENTS - CUT + 1]);
    } finally {
      projector.close();
      await lake.close();
    }
  });
});
