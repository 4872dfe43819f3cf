import { closeSync, openSync, readdirSync, readlinkSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { cacheDirectory, DuckLakeLake, installDucklakeExtension } from '../../adapters/ducklake/index.ts';
import { type CommitThread, logPath, SqliteEventLog, verifyLogFile } from '../../adapters/event-log/index.ts';
import type { AgentEvent, NewEvent } from '../../contract/index.ts';
import { logged } from '../conformance/lake.ts';
import { imageFolder, LoopImage, loopMountFault } from '../support/loop-image.ts';

const clock = new SystemClock();
const fault = loopMountFault();

if (fault !== undefined) {
  const loud = `DISK FULL NOT TESTED on this host: ${fault}`;
  process.stderr.write(`\n${loud}\n`);
  it(`disk full: ${loud}`, ({ skip }) => {
    if (process.env['CI'] && process.getuid?.() === 0) expect.fail(loud);
    skip(loud);
  });
}

function event(n: number): NewEvent {
  return {
    kind: 'run.phase',
    payload: { phase: 'p', reason: String(n), facts: { text: 'x'.repeat(5_000) } },
  };
}

/** Where a descriptor leads; the one that lists them is gone by then. */
function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

describe.runIf(fault === undefined)('a full disk', () => {
  let folder: string;
  let disk: LoopImage;
  beforeEach(() => {
    folder = imageFolder();
    disk = LoopImage.create(folder, 'small', 24);
  });
  afterEach(() => {
    disk.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Takes all the room that is left; removing the file gives it back. */
  function fill(): string {
    const path = join(disk.mountPoint, 'filler');
    const handle = openSync(path, 'w');
    for (const size of [1 << 20, 1 << 16, 4096, 512]) {
      const block = Buffer.alloc(size, 7);
      try {
        while (writeSync(handle, block) === size);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'ENOSPC' });
      }
    }
    closeSync(handle);
    return path;
  }

  it.each(['worker', 'caller'] satisfies CommitThread[])(
    'the log (%s) refuses, says why, and goes on by itself',
    async (thread) => {
      const log = await SqliteEventLog.open({ dataDir: disk.mountPoint, cell: 'runtime', clock, thread });
      const kept: AgentEvent[] = [];
      let refused = 0;
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 50; i++) kept.push(...(await log.append([event(i), event(i)])));
        const filler = fill();
        let error: unknown;
        for (let i = 0; i < 4_000 && !error; i++) {
          await log.append([event(i), event(i)]).then(
            (events) => kept.push(...events),
            (thrown: unknown) => {
              error = thrown;
            },
          );
        }
        expect(error).toMatchObject({
          code: 'log.failed',
          retryable: true,
          subject: logPath(disk.mountPoint, 'runtime'),
        });
        expect(error).toMatchObject({ hint: expect.stringContaining('disk is full') });
        const more = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => log.append([event(i)])));
        for (const outcome of more) if (outcome.status === 'fulfilled') kept.push(...outcome.value);
        refused += more.filter((outcome) => outcome.status === 'rejected').length;
        rmSync(filler);
        kept.push(...(await log.append([event(0)])));
      }
      expect(refused).toBeGreaterThan(0);
      expect((await log.verify()).fault).toBeUndefined();
      const read = log.reader();
      const stored: AgentEvent[] = [];
      for (;;) {
        const events = read.read(stored.length, 500);
        if (events.length === 0) break;
        stored.push(...events);
      }
      read.close();
      expect(stored.map((e) => e.hash)).toEqual(kept.map((e) => e.hash));
      await log.close();
      expect(verifyLogFile(logPath(disk.mountPoint, 'runtime'))).toMatchObject({
        ok: true,
        events: kept.length,
      });
    },
  );

  it('the lake refuses and goes on by itself, without being opened again', async () => {
    await installDucklakeExtension({ directory: cacheDirectory(), clock });
    const events = await logged(
      'runtime',
      Array.from({ length: 400 }, (_, i) => event(i)),
    );
    const lake = await DuckLakeLake.open({
      dataDir: disk.mountPoint,
      clock,
      extensionDirectories: [cacheDirectory()],
    });
    await lake.project('runtime', events.slice(0, 100));
    const filler = fill();
    const failing = lake.project('runtime', events);
    await expect(failing).rejects.toMatchObject({
      code: 'lake.failed',
      hint: expect.stringContaining('full'),
    });
    rmSync(filler);
    await lake.project('runtime', events);
    const { rows } = await lake.query('SELECT hash FROM events ORDER BY seq', {
      limit: 1_000,
      timeoutMs: 20_000,
    });
    expect(rows.flat()).toEqual(events.map((e) => e.hash));
    await lake.close();
  });

  it('a lake that refused can be closed and opened again', async () => {
    await installDucklakeExtension({ directory: cacheDirectory(), clock });
    const events = await logged(
      'runtime',
      Array.from({ length: 600 }, (_, i) => event(i)),
    );
    const openLake = () =>
      DuckLakeLake.open({ dataDir: disk.mountPoint, clock, extensionDirectories: [cacheDirectory()] });
    const lake = await openLake();
    await lake.project('runtime', events.slice(0, 200));
    const filler = fill();
    let error: unknown;
    let at = 200;
    for (; at < 600 && !error; at += 10) {
      await lake.project('runtime', events.slice(at, at + 10)).catch((thrown: unknown) => {
        error = thrown;
      });
    }
    expect(error).toMatchObject({ code: 'lake.failed', retryable: true });
    await lake.close();
    // Nothing keeps the files of a closed lake open: else the next one would be the second on the same files.
    const open = readdirSync('/proc/self/fd').map((fd) => readlink(`/proc/self/fd/${fd}`));
    expect(open.filter((path) => path.startsWith(disk.mountPoint))).toEqual([]);
    rmSync(filler);
    const again = await openLake();
    const cursor = (await again.cursors()).runtime!;
    expect(cursor.seq).toBeGreaterThanOrEqual(200);
    await again.project('runtime', events.slice(cursor.seq));
    const { rows } = await again.query('SELECT hash FROM events ORDER BY seq', {
      limit: 1_000,
      timeoutMs: 20_000,
    });
    expect(rows.flat()).toEqual(events.map((e) => e.hash));
    await again.close();
  });
});
