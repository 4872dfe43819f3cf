import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { openInvitations } from '../../central/invitations.ts';
import { CustodyReader } from '../../central-link/custody-book.ts';
import { type DiskManifest, EdgeError, type LinkStatus, METHODS } from '../../contract/index.ts';
import { mayEvict } from '../../daemon/compose/recording.ts';
import { readConfig } from '../../daemon/config.ts';
import { DiskFolder } from '../../io/disk-folder.ts';
import { DiskRobot, heldAt, importAt } from '../support/disk-rig.ts';
import { CentralRig } from '../support/object-rig.ts';

let central: CentralRig;
let disk: string;
const robots: DiskRobot[] = [];
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const MIB = 1024 * 1024;

async function makeRobot(name: string, toml = ''): Promise<DiskRobot> {
  const robot = new DiskRobot(name);
  robots.push(robot);
  await robot.enrol(central);
  return robot.open(toml);
}

beforeEach(async () => {
  central = await new CentralRig().start({ tls: {} });
  disk = mkdtempSync(join(tmpdir(), 'disk-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const robot of robots.splice(0)) await robot.close();
  await central.stop();
  rmSync(disk, { recursive: true });
});

const manifestOf = (robot: string) =>
  JSON.parse(readFileSync(join(disk, 'auraison-link', robot, 'manifest.json'), 'utf8')) as DiskManifest;
const piecesOf = (robot: string) =>
  readdirSync(join(disk, 'auraison-link', robot, 'pieces'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.includes('/'))
    .map((name) => join(disk, 'auraison-link', robot, 'pieces', name));

describe('a removable disk between robot and central', () => {
  it('carries logs and recordings once each; what has a receipt may go, and the next export has only the rest', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 700);
    const small = await robot.record('bags/run/run_0.mcap', 70_000);
    const large = await robot.record('bags/run/run_1.mcap', 2 * MIB + 17);
    const evict = mayEvict(readConfig('', 'test.toml', {}).config, robot.dataDir);
    const done = await robot.exportTo(disk);
    expect(done).toMatchObject({ robot: 'r1', events: 702, files: 2, complete: true, stopped: '', left: [] });
    expect(evict('bags/run/run_0.mcap')).toBe('no');

    const first = await importAt(central, disk);
    expect(first).toMatchObject({
      refused: [],
      robots: [{ robot: 'r1', complete: true, events: 702, events_known: 0, files: 2, files_known: 0 }],
    });
    // The same disk again: nothing twice, and the same receipts.
    expect((await importAt(central, disk)).robots).toMatchObject([
      { events: 0, events_known: 702, files: 0, files_known: 2, receipts: 4, refused: [] },
    ]);
    expect(heldAt(central.dataDir, 'r1')).toEqual({
      lanes: [
        { lane: 'events.execution', rows: 2, ids: 2, last: 2 },
        { lane: 'events.runtime', rows: 700, ids: 700, last: 700 },
      ],
      objects: [
        { name: 'bags/run/run_0.mcap', sha256: sha(small), held: 1 },
        { name: 'bags/run/run_1.mcap', sha256: sha(large), held: 1 },
      ],
    });

    expect(await robot.takeAll(disk)).toEqual({
      lanes: { 'events.execution': 2, 'events.runtime': 700 },
      files: 2,
      known: 0,
    });
    expect(await robot.takeAll(disk)).toEqual({ lanes: {}, files: 0, known: 4 });
    expect(evict('bags/run/run_0.mcap')).toBe('kept');
    await robot.log('runtime', 3);
    // Besides them the receipts themselves, which are events of the log of the link.
    expect(await robot.exportTo(disk)).toMatchObject({ events: 5, files: 0, complete: true });
    expect(manifestOf('r1').events.map(({ lane, from, to }) => [lane, from, to])).toEqual([
      ['events.runtime', 701, 703],
      ['events.link', 1, 2],
    ]);
    expect(piecesOf('r1')).toHaveLength(2);
  });

  it('over the network and by disk at once: nothing is lost and nothing is there twice', async () => {
    const robot = new DiskRobot('r1');
    robots.push(robot);
    await robot.enrol(central);
    // On the disk before the network is there, then both.
    await robot.open();
    await robot.log('runtime', 1_500);
    const contents: Buffer[] = [];
    for (let i = 0; i < 6; i++) contents.push(await robot.record(`bags/run/run_${i}.mcap`, 300_000 + i));
    contents.push(await robot.record('bags/run/run_6.mcap', 3 * MIB));
    await robot.exportTo(disk);
    await robot.restart(`[link]\ncentral_url = "${central.running.url}"`);
    const [taken] = (await importAt(central, disk)).robots;
    expect(taken!.refused).toEqual([]);
    expect(taken!.events + taken!.events_known).toBe(1_507);
    expect(taken!.files + taken!.files_known).toBe(7);
    await robot.takeAll(disk);
    const status = () =>
      robot.ask<LinkStatus>(METHODS.link.status, {}).then(({ lanes, files }) => ({
        behind: Object.values(lanes).reduce((sum, { sent, last }) => sum + last - sent, 0),
        waiting: files?.lanes['bags']?.waiting,
        held: files?.lanes['bags']?.held,
      }));
    await expect.poll(status, { timeout: 30_000 }).toEqual({ behind: 0, waiting: 0, held: 7 });
    const { lanes, objects } = heldAt(central.dataDir, 'r1');
    for (const { lane, rows, ids, last } of lanes) expect([lane, rows, ids]).toEqual([lane, last, last]);
    expect(lanes.map(({ lane }) => lane)).toEqual(['events.execution', 'events.link', 'events.runtime']);
    expect(objects).toEqual(
      contents.map((content, i) => ({ name: `bags/run/run_${i}.mcap`, sha256: sha(content), held: 1 })),
    );
  });

  it('finds what an interrupted export left, compares it, and writes only what is missing or damaged', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 600);
    await robot.record('bags/run/run_0.mcap', 3 * MIB);
    await robot.exportTo(disk);
    const before = piecesOf('r1');
    // As a cut may leave it: no list, one piece not there, one with other bytes, one half written under a temporary name.
    rmSync(join(disk, 'auraison-link/r1/manifest.json'));
    rmSync(before[0]!);
    writeFileSync(before[1]!, readFileSync(before[1]!).fill(1, 0, 10));
    const shelf = join(before[2]!, '..', 'tmp-0123456789abcdef');
    writeFileSync(shelf, 'half');
    const write = vi.spyOn(DiskFolder.prototype, 'write');
    const done = await robot.exportTo(disk);
    expect(done).toMatchObject({ complete: true, files: 1, events: 601 });
    // Two pieces and the list.
    expect(write.mock.calls.map(([name]) => name.length)).toEqual([64, 64, 'manifest.json'.length]);
    expect(existsSync(shelf)).toBe(false);
    expect(piecesOf('r1').sort()).toEqual(before.sort());
    expect((await importAt(central, disk)).robots).toMatchObject([{ events: 601, files: 1, refused: [] }]);
  });

  it('leaves a valid first part on a full disk, says so, and the rest goes with the next', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 20);
    for (let i = 0; i < 4; i++) await robot.record(`bags/run/run_${i}.mcap`, 400_000);
    const write = DiskFolder.prototype.write;
    vi.spyOn(DiskFolder.prototype, 'write').mockImplementation(async function (
      this: DiskFolder,
      name,
      bytes,
    ) {
      const used = readdirSync(disk, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, { parentPath, name: file }) => sum + readFileSync(join(parentPath, file)).length, 0);
      if (used + bytes.length > 1_000_000)
        throw new EdgeError('quota.exceeded', { operation: 'use disk', subject: name });
      await write.call(this, name, bytes);
    });
    const done = await robot.exportTo(disk);
    expect(done).toMatchObject({
      events: 24,
      files: 2,
      complete: false,
      stopped: 'the disk is full at bags bags/run/run_2.mcap',
    });
    vi.restoreAllMocks();
    expect(manifestOf('r1').complete).toBe(false);
    expect((await importAt(central, disk)).robots).toMatchObject([
      { events: 24, files: 2, complete: false, refused: [] },
    ]);
    await robot.takeAll(disk);
    expect(await robot.exportTo(disk)).toMatchObject({ files: 2, complete: true });
    expect((await importAt(central, disk)).robots).toMatchObject([{ files: 2, refused: [] }]);
    expect(heldAt(central.dataDir, 'r1').objects.map(({ held }) => held)).toEqual([1, 1, 1, 1]);
  });

  it('takes the lanes and as many bytes as were asked for', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 20);
    await robot.log('memory', 5);
    await robot.record('bags/run/run_0.mcap', 400_000);
    await robot.record('bags/run/run_1.mcap', 400_000);
    expect(await robot.exportTo(disk, { lanes: ['events.memory'] })).toMatchObject({ events: 5, files: 0 });
    const some = await robot.exportTo(disk, { lanes: ['events', 'bags'], maxBytes: 500_000 });
    expect(some).toMatchObject({ events: 27, files: 1, complete: false });
    expect(some.stopped).toMatch(/run_1.mcap would go beyond --max-bytes 500000/);
    expect(some.bytes).toBeLessThan(500_000);
    await expect(robot.exportTo(disk, { lanes: ['evnts'] })).rejects.toMatchObject({
      code: 'schema.invalid',
      message: expect.stringContaining('events, events.runtime'),
    });
  });

  it('asks the policies on data that leaves; what they forbid stays and is counted', async () => {
    const policy = join(disk, 'private.cedar');
    writeFileSync(
      policy,
      `permit (principal, action, resource);
@id("private") forbid (principal, action == Auraison::Action::"egress", resource == Auraison::Egress::"central/events.runtime");
@id("bags") forbid (principal, action == Auraison::Action::"egress", resource == Auraison::Egress::"central/bags");`,
    );
    const robot = await makeRobot('r1', `[policy]\nfiles = ["${policy}"]`);
    await robot.log('runtime', 20);
    await robot.record('bags/run/run_0.mcap', 1_000);
    const done = await robot.exportTo(disk);
    expect(done).toMatchObject({ files: 0, events: 1 });
    expect(done.left).toEqual([
      {
        ...{ lane: 'events.runtime', events: 20, files: 0, bytes: 0 },
        reason: expect.stringContaining('private.cedar#private'),
      },
      {
        ...{ lane: 'bags', events: 0, files: 1, bytes: 1_000 },
        reason: expect.stringContaining('private.cedar#bags'),
      },
    ]);
    expect(manifestOf('r1').events.map(({ lane }) => lane)).toEqual(['events.execution']);
  });

  it('without a key of its own the robot says how it gets one', async () => {
    const robot = new DiskRobot('r9');
    robots.push(robot);
    await robot.open();
    await expect(robot.exportTo(disk)).rejects.toMatchObject({
      code: 'config.invalid',
      hint: expect.stringContaining('auraison link enrol'),
    });
    expect(readdirSync(disk)).toEqual([]);
  });

  it('serves several robots; another folder stays as it is, and one that is damaged harms no other', async () => {
    const [one, two] = [await makeRobot('r1'), await makeRobot('r2')];
    for (const robot of [one, two]) {
      await robot.log('runtime', 10);
      await robot.record('bags/run/run_0.mcap', 1_000);
      await robot.exportTo(disk);
    }
    const before = piecesOf('r2').sort();
    await one.log('runtime', 1);
    await one.exportTo(disk);
    expect(piecesOf('r2').sort()).toEqual(before);
    writeFileSync(join(disk, 'auraison-link/r1/manifest.json'), '{"format": ');
    const done = await importAt(central, disk);
    expect(done.refused).toMatchObject([{ robot: 'r1', code: 'link.refused' }]);
    expect(done.robots).toMatchObject([{ robot: 'r2', events: 11, files: 1, refused: [] }]);
  });
});

describe('a disk that lies', () => {
  it('is refused by name: another signature, a changed list, the folder of another robot, a revoked robot', async () => {
    const [one, two] = [await makeRobot('r1'), await makeRobot('r2')];
    await one.log('runtime', 10);
    await one.exportTo(disk);
    const path = join(disk, 'auraison-link/r1/manifest.json');
    const good = readFileSync(path, 'utf8');
    const why = async (text: string) => {
      writeFileSync(path, text);
      const { robots: taken, refused } = await importAt(central, disk);
      expect(taken).toEqual([]);
      return refused.map(({ message }) => message).join();
    };
    expect(await why(good.replace('"complete":true', '"complete":false'))).toContain(
      'the signature of the manifest of r1 is wrong',
    );
    await two.log('runtime', 1);
    await two.exportTo(disk);
    const foreign = readFileSync(join(disk, 'auraison-link/r2/manifest.json'), 'utf8');
    rmSync(join(disk, 'auraison-link/r2'), { recursive: true });
    expect(await why(foreign)).toContain('the folder of r1 has the manifest of r2');
    expect(await why('{}')).toMatch(/\/\w+: missing/);
    expect(heldAt(central.dataDir, 'r1').lanes).toEqual([]);
    const { dataDir } = central;
    const desk = await openInvitations(dataDir, new FileSecrets(dataDir, 'cli'), new SystemClock());
    desk.revoke('r1');
    desk.close();
    expect(await why(good)).toContain('the certificate of r1 was revoked');
  });

  it('damaged or missing pieces are named, the lane stops there, and all else counts', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 1_200);
    await robot.record('bags/run/run_0.mcap', 3 * MIB);
    await robot.record('bags/run/run_1.mcap', 1_000);
    await robot.exportTo(disk);
    const { events, objects } = manifestOf('r1');
    const at = (piece: string) => join(disk, 'auraison-link/r1/pieces', piece.slice(0, 2), piece);
    rmSync(at(events.filter(({ lane }) => lane === 'events.runtime')[1]!.piece));
    const tree = readFileSync(at(objects[0]!.tree!));
    writeFileSync(at(tree.subarray(32, 64).toString('hex')), 'other bytes');
    const [taken] = (await importAt(central, disk)).robots;
    expect(taken).toMatchObject({ events: 502, files: 1, receipts: 3 });
    expect(taken!.refused).toMatchObject([
      { what: 'events.runtime 501 to 1200', message: /is missing or damaged/ },
      { what: 'bags/run/run_0.mcap', message: /\(part 1\) is missing or damaged/ },
    ]);
    // The robot learns it too, keeps the file, and writes the two pieces again.
    const files = await robot.receiptsOn(disk);
    expect(files.flatMap(({ refused }) => refused as { what: string }[]).map(({ what }) => what)).toEqual([
      'events.runtime 501 to 1200',
      'bags/run/run_0.mcap',
    ]);
    await robot.takeAll(disk);
    const reader = new CustodyReader(join(robot.dataDir, 'link.db'));
    expect([reader.state('bags/run/run_0.mcap'), reader.state('bags/run/run_1.mcap')]).toEqual([
      'waiting',
      'held',
    ]);
    reader.close();
    await robot.exportTo(disk);
    const [again] = (await importAt(central, disk)).robots;
    expect(again).toMatchObject({ files: 1, refused: [] });
    expect(heldAt(central.dataDir, 'r1').lanes.find(({ lane }) => lane === 'events.runtime')).toMatchObject({
      rows: 1_200,
      ids: 1_200,
    });
  });

  it('receipts count only when central signed them for this robot, for what it has', async () => {
    const robot = await makeRobot('r1');
    const other = await makeRobot('r2');
    await robot.log('runtime', 10);
    await robot.record('bags/run/run_0.mcap', 1_000);
    await robot.exportTo(disk);
    await importAt(central, disk);
    const [lanes, files] = (await robot.receiptsOn(disk)) as [
      Record<string, unknown>,
      { objects: { bytes: number }[] },
    ];
    await expect(other.take(files)).rejects.toMatchObject({ message: /they are for r1; this robot is r2/ });
    for (const changed of [
      { ...files, robot: 'r2' },
      { ...files, head: 'f'.repeat(64) },
      { ...files, objects: files.objects.map((one) => ({ ...one, bytes: one.bytes + 1 })) },
      { ...lanes, events: [] },
    ])
      await expect(
        ('robot' in changed && changed.robot === 'r2' ? other : robot).take(changed),
        JSON.stringify(changed),
      ).rejects.toMatchObject({ code: 'link.refused', message: /signature/ });
    await expect(robot.take({ format: 'x' })).rejects.toMatchObject({ code: 'schema.invalid' });
    const reader = new CustodyReader(join(robot.dataDir, 'link.db'));
    expect(reader.state('bags/run/run_0.mcap')).toBe('waiting');
    reader.close();
    expect(robot.lastOf('link')).toBe(0);
    // The receipts of a robot of the same name whose logs were lost: central signed them, but about another log.
    await robot.close();
    const later = new DiskRobot('r1');
    robots.splice(robots.indexOf(robot), 1, later);
    await later.enrol(central);
    await later.open();
    await later.log('runtime', 10);
    expect(await later.take(lanes)).toMatchObject({ lanes: [], foreign: 2 });
    expect(await later.take(files)).toMatchObject({ files: 0, foreign: 1 });
  });

  it('an export signs only what it gave out itself, and ends when another one starts', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 10);
    const open = () => robot.ask<{ session: string }>(METHODS.link.diskOpen, { lanes: [], all: false });
    const { session } = await open();
    const sign = (items: number) => robot.ask(METHODS.link.diskSign, { session, items });
    await expect(sign(1)).rejects.toMatchObject({ code: 'api.not_found' });
    await robot.ask(METHODS.link.diskNext, { session });
    expect(JSON.stringify(await sign(1))).not.toContain('PRIVATE');
    await open();
    await expect(sign(1)).rejects.toMatchObject({ hint: /run the same command again/ });
  });

  it('no private key is on it', async () => {
    const robot = await makeRobot('r1');
    await robot.log('runtime', 10);
    await robot.exportTo(disk);
    const copy = mkdtempSync(join(tmpdir(), 'copy-'));
    cpSync(disk, copy, { recursive: true });
    const secret = readFileSync(join(robot.dataDir, 'link-identity/robot.pem'), 'utf8').split('\n')[1]!;
    for (const { parentPath, name } of readdirSync(copy, { recursive: true, withFileTypes: true }).filter(
      (e) => e.isFile(),
    ))
      expect(readFileSync(join(parentPath, name)).includes(secret), name).toBe(false);
    rmSync(copy, { recursive: true });
  });
});
