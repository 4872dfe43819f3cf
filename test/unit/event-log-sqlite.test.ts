import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logPath, openEventLog, openEventReader, verifyLogFile } from '../../adapters/event-log/index.ts';
import type { NewEvent } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

function stopped(reason: string): NewEvent {
  return { kind: 'cell.stopped', payload: { reason } };
}

let dataDir: string;
let path: string;
const clock = new ManualClock();
/** What an operator does by hand. */
function moveAside(): void {
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, `${path}.aside${suffix}`);
}
const open = () => openEventLog(dataDir, 'runtime', clock, 'caller');

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'auraison-log-'));
  path = logPath(dataDir, 'runtime');
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

async function logOf(count: number): Promise<void> {
  const log = await open();
  await log.append(Array.from({ length: count }, (_, i) => stopped(`reason ${i + 1}`)));
  await log.close();
}

/** Changes rows as somebody would who knows about the triggers. */
function tamper(sql: string): void {
  const database = new DatabaseSync(path);
  database.exec('DROP TRIGGER events_keep_values; DROP TRIGGER events_keep_rows');
  database.exec(sql);
  database.close();
}

describe('a changed history is found and the first bad row named', () => {
  it.each([
    ['a changed payload', `UPDATE events SET payload = '{"reason":"nothing"}' WHERE seq = 70`, 70],
    ['a changed kind', `UPDATE events SET kind = 'cell.started' WHERE seq = 3`, 3],
    ['a changed time', `UPDATE events SET ts = '1' WHERE seq = 199`, 199],
    ['an added run', `UPDATE events SET run_id = 'x' WHERE seq = 1`, 1],
    ['a removed row', 'DELETE FROM events WHERE seq = 50', 51],
    ['a removed beginning', 'DELETE FROM events WHERE seq < 5', 5],
    ['a payload that is no JSON', `UPDATE events SET payload = '{' WHERE seq = 20`, 20],
    [
      'two rows that changed places',
      'UPDATE events SET seq = -1 WHERE seq = 8; UPDATE events SET seq = 8 WHERE seq = 9; UPDATE events SET seq = 9 WHERE seq = -1',
      8,
    ],
  ])('%s', async (_, sql, seq) => {
    await logOf(200);
    expect(verifyLogFile(path)).toMatchObject({ ok: true, events: 200, lastSeq: 200, cell: 'runtime' });
    tamper(sql);
    const verdict = verifyLogFile(path);
    expect(verdict).toMatchObject({ ok: false, fault: { seq } });
    expect(verdict.fault?.message).toContain(`row ${seq === 51 ? 50 : seq === 5 ? 1 : seq}`);
  });

  it('refuses to build on a broken end', async () => {
    await logOf(200);
    tamper(`UPDATE events SET payload = '{"reason":"nothing"}' WHERE seq = 190`);
    await expect(open()).rejects.toMatchObject({ code: 'log.tampered', subject: path });
    await expect(open()).rejects.toThrow(/row 190 \(cell\.stopped\) was changed/);
  });

  it('refuses a plain UPDATE or DELETE', async () => {
    await logOf(3);
    const database = new DatabaseSync(path);
    expect(() => database.exec(`UPDATE events SET kind = 'x'`)).toThrow(/append only/);
    expect(() => database.exec('DELETE FROM events')).toThrow(/append only/);
    database.close();
  });
});

describe('a damaged file is refused with its name and what to do, never overwritten', () => {
  const damages: [string, () => void][] = [
    ['an empty file', () => truncateSync(path, 0)],
    ['a torn file', () => truncateSync(path, 1000)],
    [
      'another file',
      () => writeFileSync(path, 'not a database at all, but long enough to have a header '.repeat(20)),
    ],
    ['another database', () => rmSync(path)],
    [
      'a lost file with its -wal left',
      () => {
        rmSync(path);
        writeFileSync(`${path}-wal`, 'x');
      },
    ],
  ];
  it.each(damages)('%s', async (what, damage) => {
    await logOf(50);
    damage();
    if (what === 'another database') new DatabaseSync(path).exec('CREATE TABLE other (a)');
    for (const thread of ['caller', 'worker'] as const) {
      const answer = openEventLog(dataDir, 'runtime', clock, thread);
      await expect(answer).rejects.toMatchObject({ code: 'log.damaged', subject: path, retryable: false });
      await expect(answer).rejects.toMatchObject({ hint: expect.stringContaining('aside') });
    }
    // As the hint says: the file is kept, the next start opens a new epoch.
    moveAside();
    const log = await open();
    expect(log.epoch).toBeUndefined();
    const [first] = await log.append([stopped('new epoch')]);
    expect(log.epoch).toBe(first?.event_id);
    await log.close();
  });

  it('refuses the log of another cell and a format of the future', async () => {
    await logOf(1);
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 9');
    database.close();
    await expect(open()).rejects.toThrow(/format 9; this software reads formats 1 to 3/);
    expect(() => openEventReader(dataDir, 'runtime').read(0, 1)).toThrow(/format 9/);
    expect(() => verifyLogFile(path)).toThrow(/format 9/);
  });

  it('that does not exist is not verified', () => {
    expect(() => verifyLogFile(join(dataDir, 'events/none.db'))).toThrow(/no such file/);
  });

  it('says when the directory cannot be made', async () => {
    writeFileSync(join(dataDir, 'events'), 'a file in the way');
    await expect(open()).rejects.toMatchObject({ code: 'log.failed', subject: path });
  });
});

describe('a reader', () => {
  it('reads a log that is not there yet as empty, then as it grows', async () => {
    const reader = openEventReader(dataDir, 'runtime');
    expect(reader.read(0, 10)).toEqual([]);
    expect(reader.lastSeq()).toBe(0);
    const log = await open();
    expect(reader.read(0, 10)).toEqual([]);
    await log.append([stopped('a')]);
    expect(reader.read(0, 10)).toHaveLength(1);
    await log.append([stopped('b')]);
    expect(reader.read(1, 10)).toHaveLength(1);
    await log.close();
    expect(reader.read(0, 10)).toHaveLength(2);
    reader.close();
  });

  it('notices a log that was replaced by a new epoch', async () => {
    await logOf(30);
    const reader = openEventReader(dataDir, 'runtime');
    expect(reader.read(0, 100)).toHaveLength(30);
    moveAside();
    await logOf(2);
    expect(reader.read(30, 100)).toEqual([]);
    expect(reader.lastSeq()).toBe(2);
    expect(reader.read(0, 100)).toHaveLength(2);
    reader.close();
  });

  it('gives large events in pieces that fit in memory', async () => {
    const log = await open();
    const facts = { text: 'x'.repeat(250_000) };
    for (let i = 0; i < 5; i++) {
      const big: NewEvent = { kind: 'run.phase', payload: { phase: 'p', reason: String(i), facts } };
      await log.append(Array.from({ length: 10 }, () => big));
    }
    const first = log.reader().read(0, 1000);
    expect(first.length).toBeLessThan(50);
    expect(log.reader().read(first.at(-1)!.seq, 1000)).toHaveLength(50 - first.length);
    await log.close();
  });
});

describe('two processes', () => {
  it('refuses a second writer in another process and lets it in when the first was killed', async () => {
    mkdirSync(join(dataDir, 'events'), { recursive: true });
    const child = spawn(process.execPath, [
      new URL('../support/log-appender.ts', import.meta.url).pathname,
      ...[dataDir, 'runtime', 'worker', '2'],
    ]);
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`appender ended with ${code}`)));
    });
    for (const thread of ['caller', 'worker'] as const)
      await expect(openEventLog(dataDir, 'runtime', clock, thread)).rejects.toMatchObject({
        code: 'host.data_dir_in_use',
      });
    expect(verifyLogFile(path).ok).toBe(true);
    child.removeAllListeners('exit');
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const log = await open();
    await log.append([stopped('mine now')]);
    expect((await log.verify()).ok).toBe(true);
    await log.close();
  });
});
