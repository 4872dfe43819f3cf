import { closeSync, cpSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObjectRows } from '../../central/object-rows.ts';
import { CUSTODY_FILE, openCustody } from '../../central-link/custody-book.ts';
import { FileLanes } from '../../central-link/file-lanes.ts';
import { ObjectLog } from '../../central-link/object-log.ts';
import type { ObjectSender } from '../../central-link/object-sender.ts';
import { EdgeError, type LinkObject, type ObjectStanding } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { CentralRig, noise, ObjectRig } from '../support/object-rig.ts';
import { TinyLog } from '../support/tiny-log.ts';

const EPOCH = '0190f5c2-7b3a-7000-8000-000000000001';

describe('what central lost', () => {
  let central: CentralRig;
  let robot: ObjectRig;
  beforeEach(async () => {
    central = await new CentralRig().start();
    robot = new ObjectRig();
  });
  afterEach(async () => {
    robot.close();
    await central.stop();
  });

  async function drain(sender: ObjectSender): Promise<void> {
    for (let i = 0; i < 500; i++) if ((await sender.step()).kind === 'idle') return;
    throw new Error('does not end');
  }
  const restart = async (work: () => void) => {
    const port = Number(new URL(central.running.url).port);
    await central.running.stop();
    work();
    await central.start({ port });
  };

  it('with an older backup is offered again while the robot has it, also behind newer files; the rest is not sent again', async () => {
    const backup = mkdtempSync(join(tmpdir(), 'backup-'));
    const sender = robot.sender(central.objects());
    robot.add('bags/a/a_0.mcap', noise(100_000, 1));
    await drain(sender);
    await restart(() => cpSync(central.dataDir, backup, { recursive: true }));
    robot.add('bags/a/a_1.mcap', noise(100_000, 2));
    robot.add('bags/a/a_2.mcap', noise(100_000, 3));
    await drain(sender);
    // The robot saw this state of central.
    sender.retryNow();
    await drain(sender);
    await restart(() => {
      rmSync(central.dataDir, { recursive: true });
      cpSync(backup, central.dataDir, { recursive: true });
    });
    // One is no longer at the robot: its receipt is all that is left of it.
    rmSync(join(robot.dataDir, 'bags/a/a_2.mcap'));
    robot.add('bags/a/a_3.mcap', noise(100_000, 4));
    const counted = central.objects();
    let bytes = 0;
    const put = counted.put.bind(counted);
    counted.put = async (...args) => {
      bytes += args[2].length;
      return await put(...args);
    };
    const next = robot.sender(counted);
    await drain(next);
    expect((await central.list()).map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      ...['bags/a/a_0.mcap held', 'bags/a/a_1.mcap held', 'bags/a/a_3.mcap held'],
    ]);
    expect(bytes).toBe(200_000);
    expect(robot.reports.filter((text) => text.includes('offered again'))).toHaveLength(1);
    // The new state is known now.
    next.retryNow();
    await drain(next);
    expect(robot.reports.filter((text) => text.includes('offered again'))).toHaveLength(1);
    rmSync(backup, { recursive: true });
  });

  it('with its whole database is offered again, and the receipts no longer count meanwhile', async () => {
    const sender = robot.sender(central.objects());
    robot.add('bags/a/a_0.mcap', noise(1_000, 1));
    await drain(sender);
    await restart(() => {
      for (const end of ['', '-wal', '-shm'])
        rmSync(join(central.dataDir, `objects.db${end}`), { force: true });
    });
    sender.retryNow();
    await sender.step();
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(false);
    await drain(sender);
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(true);
  });

  it('is not looked for at a coordinator that cannot say', async () => {
    robot.add('bags/a/a_0.mcap', noise(1_000, 1));
    const old = central.objects();
    old.custody = async () => undefined;
    await drain(robot.sender(old));
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(true);
  });
});

describe('the quota of central', () => {
  let central: CentralRig;
  beforeEach(async () => {
    central = await new CentralRig().start({ quotaBytes: 300_000 });
  });
  afterEach(() => central.stop());
  const announced = (robot: string, n: number, bytes: number): LinkObject => ({
    ...{ robot, epoch: EPOCH, lane: 'bags', seq: n + 1, bytes, part_bytes: 65_536, name: `b_${n}` },
    sha256: String(n).padStart(64, '0'),
    root: '1'.repeat(64),
  });

  it('is not used up by what a robot only announced', async () => {
    const other = central.objects();
    for (let n = 0; n < 5; n++) await other.offer(announced('tb2', n, 290_000));
    const robot = new ObjectRig();
    robot.add('bags/a/a_0.mcap', noise(250_000, 1));
    const sender = robot.sender(central.objects());
    for (let i = 0; i < 100 && !robot.book.isHeld('bags/a/a_0.mcap'); i++) await sender.step();
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(true);
    // What comes is counted: now nothing of the others fits.
    await expect(other.offer(announced('tb2', 9, 290_000))).rejects.toMatchObject({ code: 'quota.exceeded' });
    robot.close();
  });

  it('holds also where several robots were allowed to start', async () => {
    const [one, two] = [new ObjectRig(), new ObjectRig()];
    one.add('bags/a/a_0.mcap', noise(200_000, 1));
    two.add('bags/b/b_0.mcap', noise(200_000, 2));
    const senders = [one.sender(central.objects()), two.sender(central.objects())];
    for (let i = 0; i < 60; i++) for (const sender of senders) await sender.step();
    const held = [one.book.isHeld('bags/a/a_0.mcap'), two.book.isHeld('bags/b/b_0.mcap')];
    expect(held.filter(Boolean)).toHaveLength(1);
    const there = (await central.list()).reduce((sum, { bytes_there }) => sum + bytes_there, 0);
    expect(there).toBeLessThanOrEqual(300_000);
    one.close();
    two.close();
  });
});

it('a database of files of the first version counts what it has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rows-'));
  const path = join(folder, 'objects.db');
  const old = new DatabaseSync(path);
  old.exec(`CREATE TABLE content (robot TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, part_bytes INTEGER NOT NULL,
    root TEXT NOT NULL, held INTEGER NOT NULL, have BLOB NOT NULL, leaves BLOB, held_ns TEXT,
    PRIMARY KEY (robot, sha256)) STRICT, WITHOUT ROWID`);
  const insert = old.prepare('INSERT INTO content VALUES (?, ?, ?, 65536, ?, ?, ?, NULL, NULL)');
  insert.run('tb1', 'a', 100_000, 'r', 1, new Uint8Array(2));
  insert.run('tb1', 'b', 100_000, 'r', 0, Uint8Array.of(1, 0));
  old.close();
  const rows = new ObjectRows(path, () => 1n);
  expect(rows.bytes()).toBe(165_536);
  // Its files have a head, the same at each start, so that the robot does not offer them again.
  const { head } = rows.custody('tb1', '');
  expect(head).toMatch(/^[0-9a-f]{64}$/);
  rows.close();
  const again = new ObjectRows(path, () => 2n);
  expect(again.custody('tb1', head!)).toEqual({ head, known: true });
  expect(again.bytes()).toBe(165_536);
  again.close();
  rmSync(folder, { recursive: true });
});

it('an upgrade of a database of files that breaks off leaves it as it was', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rows-'));
  const path = join(folder, 'objects.db');
  const old = new DatabaseSync(path);
  old.exec(`CREATE TABLE content (robot TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, part_bytes INTEGER NOT NULL,
    root TEXT NOT NULL, held INTEGER NOT NULL, have BLOB NOT NULL, leaves BLOB, held_ns TEXT,
    PRIMARY KEY (robot, sha256)) STRICT, WITHOUT ROWID`);
  old
    .prepare('INSERT INTO content VALUES (?, ?, ?, 65536, ?, 1, ?, NULL, NULL)')
    .run('tb1', 'a', 100_000, 'r', new Uint8Array(2));
  old.close();
  const broken = () => {
    throw new Error('killed');
  };
  expect(() => new ObjectRows(path, broken)).toThrow('killed');
  const rows = new ObjectRows(path, () => 1n);
  expect(rows.bytes()).toBe(100_000);
  rows.close();
  // As a version before left it, which did not do this in one transaction.
  const half = new DatabaseSync(path);
  half.exec("UPDATE content SET there = 0, touched_ns = '0'");
  half.close();
  const whole = new ObjectRows(path, () => 1n);
  expect(whole.bytes()).toBe(100_000);
  whole.close();
  rmSync(folder, { recursive: true });
});

it('a file whose tree or bytes central refuses again and again as unknown waits longer each time', async () => {
  const clock = new ManualClock();
  const robot = new ObjectRig(clock);
  robot.add('bags/a/a_0.mcap', noise(1_000, 1));
  let puts = 0;
  const open: ObjectStanding = { state: 'open', missing: [[0, 1_000]] };
  const sender = robot.sender({
    partBytesMax: async () => 1_048_576,
    custody: async () => undefined,
    offer: async () => open,
    tree: async () => open,
    put: async () => {
      puts += 1;
      throw new EdgeError('link.gap', { operation: 'put', subject: 'x' });
    },
    close: async () => {},
  });
  const waits: number[] = [];
  for (let i = 0; i < 200 && waits.length < 5; i++) {
    const step = await sender.step();
    if (step.kind !== 'wait') continue;
    waits.push(step.ms);
    await clock.advance(step.ms);
  }
  expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 30_000]);
  expect(puts).toBeLessThanOrEqual(7);
  robot.close();
});

it('a link.db that is damaged while the link runs is replaced at once, and filled from the log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'book-'));
  const path = join(folder, CUSTODY_FILE);
  const reports: string[] = [];
  const book = openCustody(path, (message) => void reports.push(message));
  const log = new TinyLog('execution', 1);
  const seal = (n: number) => {
    const facts = { messages: 1, start_ns: '1', end_ns: '2', topics: { '/t': 1 }, repaired: false };
    const payload = {
      bag: 'run',
      path: `bags/run/run_${n}.mcap`,
      sha256: 'ab'.repeat(32),
      bytes: 10,
      ...facts,
    };
    log.append({ kind: 'segment.sealed', payload });
  };
  const clock = new ManualClock();
  for (let n = 0; n < 300; n++) seal(n);
  const lanes = new FileLanes({
    ...{ clock, book, random: () => 0, close: async () => {} },
    log: new ObjectLog({ book, openReader: () => log.reader(), skips: () => false, bags: 'all' }),
    sender: {
      retryNow() {},
      step: async () => ({ kind: 'idle', reason: String(book.first('bags', new Set())?.path) }),
    } as unknown as ObjectSender,
  });
  lanes.follow();
  expect(book.totals()['bags']).toMatchObject({ waiting: 300 });
  // A disk that wrote something else.
  const check = new DatabaseSync(path);
  check.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  check.close();
  const fd = openSync(path, 'r+');
  for (let page = 1; page < 40; page++) writeSync(fd, Buffer.alloc(4_096, 7), 0, 4_096, page * 4_096);
  closeSync(fd);
  seal(300);
  await clock.advance(60_000);
  lanes.follow();
  await lanes.turn();
  lanes.retryNow();
  lanes.follow();
  expect(reports).toEqual([expect.stringMatching(/link\.db is damaged .*link\.db\.damaged-1/)]);
  expect(book.totals()['bags']).toMatchObject({ waiting: 301 });
  book.close();
  rmSync(folder, { recursive: true });
});
