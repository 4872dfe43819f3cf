import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CustodyBook, CustodyReader, openCustody } from '../../central-link/custody-book.ts';
import { FetchDesk } from '../../central-link/fetch-desk.ts';
import { FileLanes } from '../../central-link/file-lanes.ts';
import { LineBudget } from '../../central-link/line-budget.ts';
import { ObjectLog } from '../../central-link/object-log.ts';
import type { ObjectSender } from '../../central-link/object-sender.ts';
import { PieceSize } from '../../central-link/piece-size.ts';
import {
  LIMITS,
  type LinkNetwork,
  METHODS,
  OBJECT_LANES,
  type ObjectReceipt,
  partBytesOf,
} from '../../contract/index.ts';
import { mayEvict } from '../../daemon/compose/recording.ts';
import { readConfig } from '../../daemon/config.ts';
import { FakeCentral } from '../fakes/fake-central.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeLinkRig } from '../support/link-rig.ts';
import { TinyLog } from '../support/tiny-log.ts';

const receipt = { root: 'r', signature: 's', sha256: 'a'.repeat(64) } as ObjectReceipt;
const sealed = (bag: string, n: number, sha = 'a') => ({
  kind: 'segment.sealed' as const,
  payload: {
    ...{ bag, path: `bags/${bag}/${bag}_${n}.mcap`, sha256: sha.repeat(64), bytes: 100, messages: 1 },
    ...{ start_ns: '1', end_ns: '2', topics: { '/t': 1 }, repaired: false },
  },
});
const clip = (bag: string) => ({
  kind: 'clip.requested' as const,
  payload: {
    ...{ clip_id: '0190f5c2-7b3a-7000-8000-000000000001', bag, trigger: 'api', reason: '' },
    ...{ trigger_ns: '1', pre_ms: 1, post_ms: 1 },
  },
});
const evicted = (path: string) => ({
  kind: 'segment.evicted' as const,
  payload: { bag: 'run', path, bytes: 100, messages: 1, reason: 'quota' as const, topics: {} },
});

describe('the book of files', () => {
  let folder: string;
  let book: CustodyBook;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'custody-'));
    book = new CustodyBook(join(folder, 'link.db'));
  });
  afterEach(() => {
    book.close();
    rmSync(folder, { recursive: true });
  });
  const follow = (log: TinyLog, bags: 'all' | 'clips' = 'all') =>
    new ObjectLog({ book, openReader: () => log.reader(), skips: (bag) => bag === 'ring', bags }).follow();

  it('learns files from the log, each once, clips apart, nothing of a ring', () => {
    const log = new TinyLog('execution', 1);
    log.append(sealed('run', 0));
    log.append(clip('fall'));
    log.append(sealed('fall', 0, 'b'));
    log.append(sealed('ring', 0, 'c'));
    follow(log);
    follow(log);
    log.append(sealed('run', 1, 'd'));
    log.append(sealed('run', 0));
    follow(log);
    expect(book.totals()).toMatchObject({ bags: { waiting: 2, waiting_bytes: 200 }, clips: { waiting: 1 } });
    expect(book.first('bags', new Set())).toMatchObject({ path: 'bags/run/run_0.mcap', seq: 1 });
  });

  it('sends only clips where that is wanted, and knows what went before central had it', () => {
    const log = new TinyLog('execution', 1);
    for (const event of [sealed('run', 0), clip('fall'), sealed('fall', 0, 'b'), sealed('fall', 1, 'c')])
      log.append(event);
    log.append(evicted('bags/fall/fall_0.mcap'));
    follow(log, 'clips');
    expect(book.totals()).toMatchObject({ clips: { waiting: 1, gone: 1 } });
    expect(book.totals()['bags']).toBeUndefined();
  });

  it('starts again with a log that was replaced', () => {
    const first = new TinyLog('execution', 1);
    first.append(sealed('run', 0));
    first.append(sealed('run', 1, 'b'));
    follow(first);
    const second = new TinyLog('execution', 900);
    second.append(sealed('run', 2, 'c'));
    follow(second);
    expect(book.totals()).toMatchObject({ bags: { waiting: 3 } });
  });

  it('waits again for a file that was gone and is there again; a receipt is for one content', () => {
    const log = new TinyLog('execution', 1);
    log.append(sealed('run', 0));
    log.append(evicted('bags/run/run_0.mcap'));
    follow(log);
    const path = 'bags/run/run_0.mcap';
    expect(book.find(path)?.state).toBe('gone');
    log.append(sealed('run', 0));
    follow(log);
    expect(book.find(path)?.state).toBe('waiting');
    book.hold(path, { ...receipt, sha256: 'b'.repeat(64) });
    expect(book.find(path)?.state).toBe('waiting');
    book.hold(path, receipt);
    expect(book.find(path)?.state).toBe('held');
    log.append(sealed('run', 0));
    follow(log);
    expect(book.find(path)?.state).toBe('held');
  });

  it('tells the recorder what central holds, and that it knows nothing without a book', () => {
    const log = new TinyLog('execution', 1);
    log.append(sealed('run', 0));
    log.append(sealed('run', 1, 'b'));
    follow(log);
    const reader = new CustodyReader(join(folder, 'link.db'));
    expect(reader.state('bags/run/run_0.mcap')).toBe('waiting');
    book.hold('bags/run/run_0.mcap', receipt);
    const states = [0, 1, 7].map((n) => reader.state(`bags/run/run_${n}.mcap`));
    expect(states).toEqual(['held', 'waiting', 'unknown']);
    // A receipt outlives its file.
    log.append(evicted('bags/run/run_0.mcap'));
    follow(log);
    expect(reader.state('bags/run/run_0.mcap')).toBe('held');
    reader.close();
    expect(new CustodyReader(join(folder, 'no.db')).state('x')).toBe('unreadable');
  });

  it('knows new files while central is away, and the recorder keeps clips that it has not heard of', async () => {
    const clock = new ManualClock();
    const central = new FakeCentral();
    central.mood = 'down';
    const log = new TinyLog('execution', 1);
    const files = new FileLanes({
      ...{ clock, book, random: () => 0.5, close: async () => {} },
      log: new ObjectLog({ book, openReader: () => log.reader(), skips: () => false, bags: 'clips' }),
      sender: { status: () => ({ faults: {}, reason: '' }), askAgain() {} } as unknown as ObjectSender,
    });
    const { cell, logs, ask } = makeLinkRig(clock, central, files);
    logs.runtime.fill(3);
    await cell.start();
    await clock.advance(2_000);
    log.append(clip('clip-fall'));
    log.append(sealed('clip-fall', 0));
    const mayGo = (evict: boolean, path: string) => {
      const { config } = readConfig(
        `[link]\ncentral_url = "http://c"\nbags = "clips"\n[recorder]\nevict_unsynced = ${evict}`,
        'x',
        {},
      );
      return mayEvict(config, folder)(path);
    };
    const path = 'bags/clip-fall/clip-fall_0.mcap';
    expect([mayGo(false, path), mayGo(true, path), mayGo(false, 'bags/run/run_0.mcap')]).toEqual([
      ...['no', 'lost', 'lost'],
    ]);
    for (let i = 0; i < 200; i++) {
      await clock.advance(250);
      await setImmediate();
    }
    const status = await ask(METHODS.link.status);
    expect(status.state).toBe('disconnected');
    expect(status.files).toMatchObject({ lanes: { clips: { waiting: 1, waiting_bytes: 100 } } });
    await cell.stop();
  });

  it('a robot that exports clips to disks only keeps clips before its first export, and nothing else', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'enrolled-'));
    const { config } = readConfig('[link]\nbags = "clips"\ncert_file = "/robot.pem"', 'x', {});
    const mayGo = mayEvict(config, dataDir);
    expect(mayGo('bags/clip-fall/clip-fall_0.mcap')).toBe('no');
    expect(mayGo('bags/run/run_0.mcap')).toBe('lost');
    rmSync(dataDir, { recursive: true });
  });

  it('a book that is damaged is moved aside and named, and a new one starts; the recorder reads the new one', () => {
    book.close();
    const path = join(folder, 'link.db');
    const reader = new CustodyReader(path);
    writeFileSync(path, 'this is not a database'.repeat(500));
    rmSync(`${path}-wal`, { force: true });
    expect(reader.state('x')).toBe('unreadable');
    book = openCustody(path);
    book.hold('x', receipt);
    expect(reader.state('x')).toBe('unknown');
    reader.close();
    book.close();
    // A damaged page behind a sound head.
    const bytes = readFileSync(path);
    bytes.fill(7, 4_096);
    writeFileSync(path, bytes);
    const reports: string[] = [];
    book = openCustody(path, (message) => void reports.push(message));
    expect(reports).toEqual([expect.stringMatching(/link\.db\.damaged-2/)]);
    expect(readdirSync(folder).filter((name) => name.includes('damaged'))).toHaveLength(2);
    const log = new TinyLog('execution', 1);
    log.append(sealed('run', 0));
    follow(log);
    expect(reader.state('bags/run/run_0.mcap')).toBe('waiting');
    reader.close();
  });

  it('no second step starts while one runs', async () => {
    const clock = new ManualClock();
    let [steps, end] = [0, () => {}];
    const step = () => {
      steps += 1;
      return new Promise((resolve) => {
        end = () => resolve({ kind: 'worked' });
      });
    };
    const files = new FileLanes({
      ...{
        clock,
        book,
        random: () => 0.5,
        close: async () => {},
        log: { follow() {} } as unknown as ObjectLog,
      },
      sender: { step } as unknown as ObjectSender,
    });
    const first = files.turn();
    expect(await files.turn()).toEqual({ restMs: LIMITS.LINK_POLL_MS, answered: false });
    end();
    await first;
    void files.turn();
    expect(steps).toBe(2);
  });

  it('an order for a file waits until central has it; one that is gone or unknown is refused', async () => {
    const log = new TinyLog('execution', 1);
    for (const n of [0, 1]) log.append(sealed('run', n, 'ab'[n]));
    log.append(evicted('bags/run/run_1.mcap'));
    follow(log);
    const wanted: unknown[] = [];
    let there = false;
    const desk = new FetchDesk({
      book,
      sender: { want: (path, ranges) => void wanted.push([path, ranges]), has: () => there },
      rangesOf: async (_path, from, to) => [[Number(from), Number(to)]],
    });
    const ask = (body: Record<string, unknown>) => desk.fetch({ order_id: 'o', body });
    const name = 'bags/run/run_0.mcap';
    expect(await ask({ name })).toBe(false);
    expect(await ask({ name, from: 10, to: 500 })).toBe(false);
    expect(await ask({ name, from_ns: '3', to_ns: '9' })).toBe(false);
    expect(wanted).toEqual([
      [name, [[0, 100]]],
      [name, [[10, 100]]],
      [name, [[3, 9]]],
    ]);
    there = true;
    expect(await ask({ name })).toBe(true);
    for (const body of [{ name: 'bags/run/run_1.mcap' }, { name: '/etc/passwd' }])
      await expect(ask(body)).rejects.toMatchObject({ code: 'link.refused' });
    for (const body of [{}, { name, from: -1 }, { name, from_ns: 5 }])
      await expect(ask(body)).rejects.toMatchObject({ code: 'schema.invalid' });
  });
});

describe('what the line may be used for', () => {
  const rule: LinkNetwork = {
    interface: 'ww*',
    bandwidth: 0,
    lanes: [...OBJECT_LANES],
    hours: [],
    perDay: 0,
  };
  function budget(rules: readonly LinkNetwork[]) {
    const at = { ms: 0, minute: 0, network: 'wwan0', day: 'd1' };
    const spent = new Map<string, number>();
    const line = new LineBudget({
      rules,
      monotonicMs: () => at.ms,
      today: () => at,
      network: () => at.network,
      spent: (day, network) => spent.get(day + network) ?? 0,
      spend: (day, network, bytes) => void spent.set(day + network, (spent.get(day + network) ?? 0) + bytes),
    });
    return { line, at };
  }

  it('anything where no rule names the network', () => {
    const { line, at } = budget([{ ...rule, lanes: [], bandwidth: 1 }]);
    at.network = 'eth0';
    line.used(1_000_000, true);
    expect([line.allowed().lanes, line.waitMs()]).toEqual([OBJECT_LANES, 0]);
  });

  it('no files while the network is not known and there are rules', () => {
    const { line, at } = budget([rule]);
    at.network = '';
    expect(line.allowed()).toEqual({ lanes: [], reason: 'the network to central is not known' });
    expect(budget([]).line.allowed().lanes).toEqual(OBJECT_LANES);
  });

  it('lanes by network, hours over midnight', () => {
    const { line, at } = budget([{ ...rule, lanes: ['clips'], hours: [[22 * 60, 6 * 60]] }]);
    const lanes = (minute: number) => {
      at.minute = minute;
      return line.allowed().lanes;
    };
    expect([lanes(21 * 60 + 59), lanes(22 * 60), lanes(30), lanes(6 * 60)]).toEqual([
      [],
      ['clips'],
      ['clips'],
      [],
    ]);
    expect(line.allowed().reason).toContain('wwan0');
  });

  it('a rate: files wait as long as what went takes', () => {
    const { line, at } = budget([{ ...rule, bandwidth: 1_000 }]);
    line.used(2_000, true);
    expect(line.waitMs()).toBe(2_000);
    at.ms = 1_500;
    line.used(500, false);
    expect(line.waitMs()).toBe(1_000);
    at.ms = 60_000;
    expect(line.waitMs()).toBe(0);
  });

  it('bytes a day, events not counted, a new day starts again', () => {
    const { line, at } = budget([{ ...rule, perDay: 1_000 }]);
    line.used(5_000, false);
    line.used(600, true);
    expect([line.restOfDay(), line.allowed().lanes.length]).toEqual([400, OBJECT_LANES.length]);
    line.used(600, true);
    expect([line.restOfDay(), line.allowed().lanes]).toEqual([0, []]);
    at.day = 'd2';
    expect(line.restOfDay()).toBe(1_000);
  });
});

describe('how much goes at once', () => {
  it('follows the rate of the line, within a part', () => {
    const at = { ms: 0 };
    const piece = new PieceSize({ monotonicMs: () => at.ms });
    const MIB = 1024 * 1024;
    for (let i = 0; i < 12; i++) piece.went(piece.bytes(MIB), 10);
    expect(piece.bytes(MIB)).toBe(MIB);
    for (let i = 0; i < 3; i++) piece.went(24_000, 3_000);
    expect(piece.bytes(MIB)).toBe(24_000);
    piece.failed(24_000);
    expect(piece.bytes(MIB)).toBe(LIMITS.LINK_PIECE_BYTES_MIN);
  });

  it('parts grow with the file, and a file may be too large', () => {
    const { LINK_PART_BYTES, LINK_PART_BYTES_MAX, LINK_PARTS_MAX } = LIMITS;
    expect(partBytesOf(1, LINK_PART_BYTES_MAX)).toBe(LINK_PART_BYTES);
    expect(partBytesOf(6 * 2 ** 30, LINK_PART_BYTES_MAX)).toBe(2 * LINK_PART_BYTES);
    expect(partBytesOf(LINK_PART_BYTES_MAX * LINK_PARTS_MAX, LINK_PART_BYTES_MAX)).toBe(LINK_PART_BYTES_MAX);
    expect(partBytesOf(LINK_PART_BYTES_MAX * LINK_PARTS_MAX + 1, LINK_PART_BYTES_MAX)).toBeUndefined();
    expect(partBytesOf(1_000_000, 65_536)).toBe(65_536);
  });
});
