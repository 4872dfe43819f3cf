import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { cacheDirectory, DuckLakeLake, installDucklakeExtension } from '../../adapters/ducklake/index.ts';
import { logPath, openEventReader, verifyLogFile } from '../../adapters/event-log/index.ts';
import type { LakeCursor } from '../../contract/index.ts';
import { Projector } from '../../daemon/memory/projector.ts';
import { imageFolder, LoopImage, loopMountFault } from '../support/loop-image.ts';

/** Half of them at one instant, half while the copy is being written: see LoopImage. */
const CUTS = 20;
const MEGABYTES = 512;
const ROWS_AT_ONCE = 20_000;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const clock = new SystemClock();
const fault = loopMountFault();
/** Acknowledged events that were looked for in the copies, and those that were not there. */
const tally = { cuts: 0, checked: 0, lost: 0 };

/** What the load was promised so far, line by line as it was promised. */
class Promises {
  readonly hashes = new Map<number, string>();
  readonly segments = new Map<string, string>();
  lake = 0;
  kind = '';
  #rest = '';

  take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [what, first = '', second = ''] = line.split(' ');
      if (what === 'a') this.hashes.set(Number(first), second);
      else if (what === 'l') this.lake = Number(first);
      else if (what === 's') this.segments.set(first, second);
      else if (what === 'ready') this.kind = first;
    }
  }

  copy(): { hashes: Map<number, string>; segments: Map<string, string>; lake: number } {
    return { hashes: new Map(this.hashes), segments: new Map(this.segments), lake: this.lake };
  }
}

if (fault !== undefined) {
  const loud = `POWER CUT NOT TESTED on this host: ${fault}`;
  process.stderr.write(`\n${loud}\n`);
  it(`power cut: ${loud}`, ({ skip }) => {
    // A CI machine where we are root has no excuse.
    if (process.env['CI'] && process.getuid?.() === 0) expect.fail(loud);
    skip(loud);
  });
}

describe.runIf(fault === undefined)(`a power cut, ${CUTS} times under load`, () => {
  const folder = fault === undefined ? imageFolder() : '';
  const promises = new Promises();
  let python = '';
  let disk: LoopImage;
  let load: ChildProcess;
  let died: string | undefined;

  beforeAll(async () => {
    await installDucklakeExtension({ directory: cacheDirectory(), clock });
    python = execFileSync(here('../peers/readers.sh'), { encoding: 'utf8' }).trim();
    disk = LoopImage.create(folder, 'disk', MEGABYTES);
    load = spawn(process.execPath, [here('../support/power-load.ts'), disk.mountPoint], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    load.stdout?.setEncoding('utf8').on('data', (text: string) => promises.take(text));
    load.stderr?.on('data', (piece: Buffer) => {
      said = (said + piece.toString()).slice(-4_000);
    });
    load.once('exit', (code, signal) => {
      died = `the load ended with ${code ?? signal}: ${said}`;
    });
    await until(() => promises.lake > 50 && promises.segments.size > 0);
  }, 300_000);

  afterAll(async () => {
    if (load?.exitCode === null) {
      const gone = new Promise((resolve) => load.once('exit', resolve));
      load.kill('SIGKILL');
      await gone;
    }
    disk?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (died) throw new Error(died);
      await sleep(20);
    }
  }

  it.for(Array.from({ length: CUTS }, (_, i) => i + 1))('cut %i', async (n) => {
    const events = promises.hashes.size;
    const sealed = promises.segments.size;
    await until(() => promises.hashes.size > events + 20 && promises.segments.size > sealed);
    // Uneven moments: in the middle of commits, seals and syncs.
    await sleep((n * 53) % 190);
    const promised = promises.copy();
    const whole = sealedIn(disk.mountPoint);
    const still = n % 2 === 0;
    const copy = still ? disk.cutStill(folder, `cut-${n}`, load.pid!) : disk.cutLive(folder, `cut-${n}`);
    try {
      expectLog(copy.mountPoint, promised.hashes);
      await expectLake(copy.mountPoint, still ? promised.lake : undefined);
      expectSegments(copy.mountPoint, promised.segments, still ? undefined : whole, python);
    } finally {
      copy.remove();
    }
  });

  it('was a real load on a DuckLake', () => {
    expect(died).toBeUndefined();
    expect(promises.kind).toBe('ducklake');
    process.stderr.write(
      `power cut: ${tally.cuts} cuts, ${tally.checked} acknowledged events looked for, ${tally.lost} lost; ` +
        `load: ${promises.hashes.size} events, lake to ${promises.lake}, ${promises.segments.size} segments\n`,
    );
  });
});

function hashesOf(dataDir: string): Map<number, string> {
  const reader = openEventReader(dataDir, 'execution');
  const hashes = new Map<number, string>();
  for (let after = 0; ; ) {
    const events = reader.read(after, 2_000);
    for (const event of events) hashes.set(event.seq, event.hash);
    if (events.length === 0) break;
    after = events.at(-1)!.seq;
  }
  reader.close();
  return hashes;
}

function expectLog(dataDir: string, promised: ReadonlyMap<number, string>): void {
  tally.cuts += 1;
  const verdict = verifyLogFile(logPath(dataDir, 'execution'));
  expect(verdict.fault).toBeUndefined();
  const stored = hashesOf(dataDir);
  const lost = [...promised].filter(([seq, hash]) => stored.get(seq) !== hash);
  tally.checked += promised.size;
  tally.lost += lost.length;
  expect(lost).toEqual([]);
}

/**
 * At an instant the lake opens, has what was promised, and is what the log says, without any help. After a
 * reordering disk it may have to begin anew or take a log again: then it is so after one round.
 */
async function expectLake(dataDir: string, promised: number | undefined): Promise<void> {
  const lake = await DuckLakeLake.open({ dataDir, clock, extensionDirectories: [cacheDirectory()] });
  const projector = new Projector((cell) => openEventReader(dataDir, cell));
  try {
    expect(lake.info().kind).toBe('ducklake');
    if (promised !== undefined) {
      expect(lake.info().why).not.toContain('could not be read');
      expect((await lake.cursors()).execution?.seq).toBeGreaterThanOrEqual(promised);
      await expectSame(dataDir, lake);
    }
    const round = await projector.round(lake, () => false);
    if (promised !== undefined) expect(round.disagreed).toEqual([]);
    const { seq } = await expectSame(dataDir, lake);
    expect(seq).toBe(hashesOf(dataDir).size);
  } finally {
    projector.close();
    await lake.close();
  }
}

/** Seq, hash and length of all events, in parts: an answer has at most LAKE_ANSWER_BYTES_MAX bytes. */
async function rowsOf(lake: DuckLakeLake) {
  for (const rows: (readonly unknown[])[] = []; ; ) {
    const after = Number(rows.at(-1)?.[0] ?? 0);
    const sql = `SELECT seq, hash, length(payload) FROM events WHERE seq > ${after} ORDER BY seq LIMIT ${ROWS_AT_ONCE}`;
    const part = await lake.query(sql, { limit: ROWS_AT_ONCE, timeoutMs: 30_000 });
    rows.push(...part.rows);
    if (part.rows.length < ROWS_AT_ONCE) return rows;
  }
}

/** Every row of the lake can be read and is that of the log, without gaps, up to the cursor. */
async function expectSame(dataDir: string, lake: DuckLakeLake): Promise<LakeCursor> {
  const cursor = (await lake.cursors()).execution!;
  const rows = await rowsOf(lake);
  const stored = hashesOf(dataDir);
  expect(rows.map(([seq]) => seq)).toEqual(Array.from({ length: cursor.seq }, (_, i) => i + 1));
  expect(rows.filter(([seq, hash]) => stored.get(Number(seq)) !== hash)).toEqual([]);
  await lake.digest();
  return cursor;
}

/**
 * Promised segments are there to the last byte, and a foreign reader reads whatever has its final name. Of a copy
 * that takes its time only what had it `before`: the name of one sealed meanwhile may be in it without all its
 * data, which no disk does that flushes when told to.
 */
function expectSegments(
  dataDir: string,
  promised: ReadonlyMap<string, string>,
  before: ReadonlySet<string> | undefined,
  python: string,
): void {
  for (const [path, sha256] of promised) {
    expect(existsSync(join(dataDir, path)), path).toBe(true);
    expect(
      createHash('sha256')
        .update(readFileSync(join(dataDir, path)))
        .digest('hex'),
      path,
    ).toBe(sha256);
  }
  const bag = join(dataDir, 'bags', 'load');
  const files = sealedIn(dataDir);
  expect(files.size).toBeGreaterThanOrEqual(promised.size);
  for (const name of files) if (before?.has(name) === false) rmSync(join(bag, name));
  const seen = execFileSync(python, [here('../peers/read_bag.py'), 'mcap', bag], { encoding: 'utf8' });
  const { topics } = JSON.parse(seen) as { topics: Record<string, { count: number }> };
  expect(topics['/fast']?.count).toBeGreaterThan(0);
}

/** Names of the bag's sealed segments. */
function sealedIn(dataDir: string): Set<string> {
  return new Set(readdirSync(join(dataDir, 'bags', 'load')).filter((name) => name.endsWith('.mcap')));
}
