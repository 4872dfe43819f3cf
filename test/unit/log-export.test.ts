import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkpointKey,
  type ExportEnd,
  type ExportRange,
  exportLogs,
  LogCutter,
  logPath,
  openEventLog,
  openEventReader,
  SqliteEventLog,
  signed,
  verifyExport,
} from '../../adapters/event-log/index.ts';
import type { NewEvent } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { auraison } from '../support/daemon.ts';
import { uuid } from '../support/tiny-log.ts';

const RUN = uuid(7);
const clock = new ManualClock();

let dataDir: string;
let log: SqliteEventLog;
let file: string;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'auraison-export-'));
  file = join(dataDir, 'evidence.jsonl');
  log = await SqliteEventLog.open({ dataDir, cell: 'runtime', clock, thread: 'caller' });
  await log.append(phases(20));
  await log.append([decided(1), decided(2), ...phases(3), decided(3)]);
});
afterEach(async () => {
  await log.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function phases(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'run.phase',
    payload: {
      phase: 'load',
      reason: `größe "1" \u2028 ${i}`,
      facts: { tiny: 1e-7, huge: 1e21, '10': 1, '9': null },
    },
  }));
}

/** Stored as what differs from the first. */
function decided(ts_ms: number): NewEvent {
  const request = {
    facts: { x: 1.5 },
    ts_ms,
    principal: { id: 'ada', roles: [] },
    about: { effect: 'read' },
  };
  const verdict = { decision: 'allow', reason: 'permitted', duration_us: ts_ms } as const;
  const payload = { hook: 'cedar', point: 'tool', subject: 'robot.scan', ...verdict, request } as const;
  return { kind: 'policy.decided', run_id: RUN, payload };
}

const write = (ranges: readonly ExportRange[] = [{ cell: 'runtime' }], sign = true) => {
  const key = checkpointKey(dataDir);
  const signing = sign ? { sign: (end: ExportEnd) => signed(key, end) } : {};
  return exportLogs(file, { dataDir, ranges, madeNs: clock.now(), ...signing });
};

function cutAt(through: number): void {
  const cutter = LogCutter.open(logPath(dataDir, 'runtime'))!;
  cutter.checkpoint(through, checkpointKey(dataDir), clock.now());
  while (cutter.step());
  cutter.close();
}

/** The program of the document, as anybody would run it. */
function foreign(path = file) {
  const doc = readFileSync(new URL('../../docs/log-export.md', import.meta.url), 'utf8');
  const [, program] = /```python\n([\s\S]*?)```/.exec(doc)!;
  const { status, stdout, stderr } = spawnSync('python3', ['-c', program!, path], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

const linesOf = () => readFileSync(file, 'utf8').trimEnd().split('\n');

describe('an export', () => {
  it('has every event as the log has it, and proves itself to us and to a foreign program', async () => {
    const memory = await openEventLog(dataDir, 'memory', clock, 'caller');
    await memory.append(phases(2));
    await memory.close();
    const ends = await write([{ cell: 'runtime' }, { cell: 'memory' }]);
    expect(ends).toMatchObject([
      { cell: 'runtime', first: 1, through: 26, events: 26 },
      { cell: 'memory', first: 1, through: 2, events: 2 },
    ]);
    const events = linesOf().flatMap((line) => {
      const { event, hash, prev_hash } = JSON.parse(line);
      return event?.cell === 'runtime' ? [{ ...event, hash, prev_hash }] : [];
    });
    expect(events).toEqual(openEventReader(dataDir, 'runtime').read(0, 100));
    const verdicts = await verifyExport(file);
    expect(verdicts).toMatchObject([
      {
        cell: 'runtime',
        ok: true,
        first: 1,
        events: 26,
        lastSeq: 26,
        key_id: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
      { cell: 'memory', ok: true, events: 2 },
    ]);
    expect(verdicts[0]!.lastHash).toBe(events.at(-1)!.hash);
    const { status, stdout } = foreign();
    expect([status, stdout]).toEqual([
      0,
      `runtime: 26 events, 1 to 26, last hash ${ends[0]!.hash}\nmemory: 2 events, 1 to 2, last hash ${ends[1]!.hash}\n`,
    ]);
  });

  it('of a part starts and ends where it was asked to, and proves what is between', async () => {
    await write([{ cell: 'runtime', first: 5, through: 9 }], false);
    expect(await verifyExport(file)).toMatchObject([{ ok: true, first: 5, events: 5, lastSeq: 9 }]);
    expect((await verifyExport(file))[0]!.key_id).toBeUndefined();
    expect(foreign()).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^runtime: 5 events, 5 to 9,/),
    });
  });

  it.each([
    ['up to a checkpoint', 10, 1],
    ['into the repeated decisions', 22, 1],
    ['before the part', 10, 4],
  ])('of a log whose events were removed %s has the signed checkpoint instead', async (_, through, first) => {
    cutAt(through);
    await write([{ cell: 'runtime', first }]);
    const [verdict] = await verifyExport(file);
    const events = 26 - through + (first === 1 ? 1 : 0);
    expect(verdict).toMatchObject({ ok: true, events, lastSeq: 26, cut: { through } });
    expect(foreign().status).toBe(0);
  });

  it('is written beside a daemon that goes on, and ends where the log ended', async () => {
    const appends = Array.from({ length: 30 }, () => log.append(phases(40)));
    await appends[0];
    const [end] = await write();
    await Promise.all(appends);
    expect(await verifyExport(file)).toMatchObject([{ ok: true, lastSeq: end!.through }]);
    expect(end!.through).toBeGreaterThanOrEqual(66);
  });

  it('replaces no file, and leaves nothing of an export that fails', async () => {
    writeFileSync(file, 'mine');
    await expect(write()).rejects.toMatchObject({
      code: 'log.failed',
      message: expect.stringMatching(/exists/),
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
    rmSync(file);
    await expect(write([{ cell: 'runtime', first: 27 }])).rejects.toMatchObject({ code: 'log.failed' });
    await expect(
      exportLogs(join(dataDir, 'none', 'x'), { dataDir, ranges: [{ cell: 'runtime' }], madeNs: 1n }),
    ).rejects.toMatchObject({ code: 'log.failed' });
    const database = new DatabaseSync(logPath(dataDir, 'runtime'));
    database.exec("DROP TRIGGER events_keep_values; UPDATE events SET kind = 'run.queued' WHERE seq = 12");
    database.close();
    await expect(write()).rejects.toMatchObject({
      code: 'log.tampered',
      message: expect.stringMatching(/row 12/),
    });
    expect(readdirSync(dataDir).filter((name) => name.startsWith('evidence'))).toEqual([]);
  });
});

describe('an export that was changed is found, and where:', () => {
  const edited = (edit: (lines: string[]) => string[]) => {
    writeFileSync(file, `${edit(linesOf()).join('\n')}\n`);
  };
  const replaced = (line: number, from: string, to: string) =>
    edited((lines) => lines.map((text, i) => (i === line ? text.replace(from, to) : text)));

  it.each<[string, () => void, number, RegExp]>([
    ['a value', () => replaced(12, '"tiny":1e-7', '"tiny":2e-7'), 12, /was changed/],
    ['an event that is gone', () => edited((all) => all.toSpliced(7, 1)), 7, /is missing/],
    ['an event that came in', () => edited((all) => all.toSpliced(7, 0, all[7]!)), 7, /after 7 comes 7/],
    [
      'events in another order',
      () => edited((all) => all.with(4, all[5]!).with(5, all[4]!)),
      5,
      /is missing/,
    ],
    ['the end that is gone', () => edited((all) => all.slice(0, -1)), 27, /last lines are missing/],
    ['the last events', () => edited((all) => all.toSpliced(-3, 2)), 25, /the end of the export says/],
    [
      'a line that is cut in two',
      () => edited((all) => [...all.slice(0, 9), all[9]!.slice(0, 40)]),
      9,
      /not valid JSON/,
    ],
    ['another line', () => edited((all) => all.toSpliced(3, 0, '{"note":1}')), 3, /not valid JSON/],
  ])('%s', async (_, change, seq, message) => {
    await write();
    change();
    const [verdict] = await verifyExport(file);
    expect(verdict).toMatchObject({ ok: false });
    expect(verdict!.fault!.message).toMatch(message);
    expect(Math.abs(verdict!.fault!.seq - seq)).toBeLessThanOrEqual(1);
    expect(foreign().status).toBe(1);
  });

  it('an end, a name and a checkpoint that nobody signed so', async () => {
    cutAt(10);
    await write();
    const whole = readFileSync(file, 'utf8');
    const last = linesOf().length - 1;
    for (const [line, from, to] of [
      [last, '"made_ts":"1', '"made_ts":"2'],
      [0, '"epoch":"0', '"epoch":"1'],
      [0, '"event_ts":"1', '"event_ts":"2'],
      [0, '"through":10', '"through":9'],
    ] as const) {
      writeFileSync(file, whole);
      replaced(line, from, to);
      expect(readFileSync(file, 'utf8')).not.toBe(whole);
      expect(await verifyExport(file)).toMatchObject([{ ok: false }]);
    }
  });

  it('and what is no export says so', async () => {
    for (const text of [
      '',
      'hello\n',
      '{}\n',
      '[1]\n',
      'null\n',
      '{"event":{},"hash":"","prev_hash":""}\n',
      'x'.repeat(2_000_000),
    ]) {
      writeFileSync(file, text);
      await expect(verifyExport(file)).rejects.toMatchObject({ code: 'log.failed' });
    }
    expect(foreign().status).toBe(1);
    await expect(verifyExport(join(dataDir, 'none'))).rejects.toMatchObject({ code: 'log.failed' });
  });
});

describe('auraison log export', () => {
  it('writes the part of a run with progress, and log verify checks it against a key', async () => {
    const asked = ['log', 'export', file, '--run', RUN, '--data-dir', dataDir, '--json'];
    const { stdout, status } = auraison(asked);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([status, lines.at(-1)]).toMatchObject([
      0,
      { ok: true, signed: true, logs: [{ first: 21, through: 26 }] },
    ]);
    expect(lines[0]).toMatchObject({ progress: { cell: 'runtime', events: 6, of: 6 } });
    const verify = (...more: string[]) => auraison(['log', 'verify', file, '--json', ...more]);
    const { logs } = JSON.parse(verify().stdout) as { logs: { ok: boolean; key_id: string }[] };
    expect(logs).toMatchObject([{ ok: true }]);
    const other = verify('--key', '0'.repeat(16));
    expect(other.status).toBe(1);
    expect(other.stdout).toContain('expected the signature of key 0000000000000000');
    expect(existsSync(`${file}.part`)).toBe(false);
  });
});
