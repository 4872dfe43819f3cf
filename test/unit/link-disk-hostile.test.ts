import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { leafHash } from '../../formats/merkle/index.ts';
import { DiskFolder } from '../../io/disk-folder.ts';
import { RobotDisk, robotsOnDisk } from '../../io/robot-disk.ts';

let root: string;
let disk: string;
let outside: string;
let own: string;
let server: Server | undefined;
const content = Buffer.from('a piece');
const name = leafHash(content).toString('hex');
const shelf = name.slice(0, 2);

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'hostile-'));
  disk = join(root, 'disk');
  outside = join(root, 'outside');
  own = join(disk, 'auraison-link/r1');
  mkdirSync(disk);
  const made = (await RobotDisk.open(disk, 'r1', true))!;
  await made.writePiece(name, content);
  await made.writeManifest(Buffer.from('{}'));
  await made.writeReceipts('0123456789abcdef', 0, '{}');
  await made.close();
  cpSync(own, outside, { recursive: true });
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(root, { recursive: true });
});

/** All that either side does with the folder of a robot. */
async function everything(): Promise<string> {
  const said: string[] = [];
  const note = (work: Promise<unknown>) =>
    work.catch((error: Error & { code?: string }) => void said.push(`${error.code} ${error.message}`));
  await note(robotsOnDisk(disk));
  for (const isMade of [false, true]) {
    const opened = (await note(RobotDisk.open(disk, 'r1', isMade))) as RobotDisk | undefined;
    if (!opened) continue;
    await note(opened.manifest());
    await note(opened.piece(name));
    for (const file of ((await note(opened.receiptFiles())) as string[] | undefined) ?? [])
      await note(opened.receipts(file));
    await note(opened.writePiece(name, content));
    await note(opened.writeManifest(Buffer.from('changed')));
    await note(opened.writeReceipts('0123456789abcdef', 0, 'changed'));
    await note(opened.dropReceipts('0123456789abcdef', 0));
    await note(opened.tidy(new Set()));
    await opened.close();
  }
  return said.join('\n');
}

const all = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name: file }) => `${file} ${readFileSync(join(parentPath, file), 'latin1')}`)
    .sort();

describe('a hostile disk', () => {
  it.each([
    ['the folder of all robots', 'auraison-link'],
    ['the folder of the robot', 'auraison-link/r1'],
    ['the folder of pieces', 'auraison-link/r1/pieces'],
    ['a shelf of pieces', `auraison-link/r1/pieces/${shelf}`],
    ['the folder of receipts', 'auraison-link/r1/receipts'],
    ['a piece', `auraison-link/r1/pieces/${shelf}/${name}`],
    ['the manifest', 'auraison-link/r1/manifest.json'],
    ['a file of receipts', 'auraison-link/r1/receipts/0123456789abcdef-0.json'],
  ])(
    'a symbolic link in place of %s is refused, and nothing behind it is read, written or removed',
    async (_, path) => {
      const target = join(root, 'outside', path.replace(/^auraison-link\/?(r1)?\/?/, ''));
      rmSync(join(disk, path), { recursive: true });
      symlinkSync(target, join(disk, path));
      const before = all(outside);
      expect(await everything()).toContain(`${path}: expected a f`);
      expect(all(outside)).toEqual(before);
      expect(lstatSync(join(disk, path)).isSymbolicLink()).toBe(true);
    },
  );

  it.each([
    ['piece', `pieces/${shelf}/${name}`],
    ['manifest', 'manifest.json'],
    ['file of receipts', 'receipts/0123456789abcdef-0.json'],
    ['folder of pieces', 'pieces'],
  ])('a pipe or a socket in place of a %s blocks nothing', async (_, path) => {
    const place = join(own, path);
    rmSync(place, { recursive: true });
    execFileSync('mkfifo', [place]);
    expect(await everything()).toContain(`${path}: expected a f`);
    rmSync(place);
    // The address of a socket is short.
    const short = join(root, 's');
    server = createServer();
    await new Promise<void>((resolve) => server!.listen(short, resolve));
    renameSync(short, place);
    expect(await everything()).toContain(`${path}: expected a f`);
    renameSync(place, short);
  });

  it('a folder in place of a file, and a file in place of a folder, are named', async () => {
    rmSync(join(own, 'manifest.json'));
    mkdirSync(join(own, 'manifest.json'));
    rmSync(join(own, 'pieces'), { recursive: true });
    writeFileSync(join(own, 'pieces'), 'x');
    expect(await everything()).toMatch(/pieces: expected a folder, found file/);
    rmSync(join(own, 'pieces'));
    expect(await everything()).toMatch(/manifest.json: expected a file, found folder/);
  });

  it('reads no more than a file of its kind may have', async () => {
    truncateSync(join(own, 'manifest.json'), 40 * 1024 * 1024);
    truncateSync(join(own, 'pieces', shelf, name), 4 * 1024 * 1024 * 1024);
    truncateSync(join(own, 'receipts/0123456789abcdef-0.json'), 1024 * 1024);
    const opened = (await RobotDisk.open(disk, 'r1', false))!;
    for (const read of [
      () => opened.manifest(),
      () => opened.piece(name),
      () => opened.receipts('0123456789abcdef-0.json'),
    ])
      await expect(read()).rejects.toMatchObject({
        code: 'link.refused',
        message: /expected at most \d+ bytes/,
      });
    await opened.close();
  });

  it('a piece with other bytes than its name says is none', async () => {
    writeFileSync(join(own, 'pieces', shelf, name), 'b piece');
    const opened = (await RobotDisk.open(disk, 'r1', false))!;
    expect(await opened.piece(name)).toBeUndefined();
    await opened.close();
  });

  it('names lead nowhere else', async () => {
    const folder = await DiskFolder.open(disk);
    for (const bad of ['..', '.', '', '../outside', '/etc/passwd', 'a/b', 'a\0b', '-x', 'x'.repeat(129)])
      for (const work of [
        () => folder.read(bad, 100),
        () => folder.write(bad, content),
        () => folder.remove(bad),
        () => folder.folder(bad, true),
      ])
        await expect(work(), bad).rejects.toMatchObject({ code: 'link.refused' });
    await folder.close();
    await expect(RobotDisk.open(disk, '..', true)).rejects.toMatchObject({ code: 'link.refused' });
    expect(existsSync(join(root, 'pieces'))).toBe(false);
  });

  it('passes over what is not of this format, and leaves it there', async () => {
    writeFileSync(join(disk, 'auraison-link/notes.txt'), 'of a person');
    writeFileSync(join(own, 'pieces', shelf, 'photo.jpg'), 'of a person');
    writeFileSync(join(own, 'receipts', 'other.json'), 'of a person');
    expect(await robotsOnDisk(disk)).toEqual(['r1']);
    const opened = (await RobotDisk.open(disk, 'r1', false))!;
    expect(await opened.receiptFiles()).toEqual(['0123456789abcdef-0.json']);
    expect(await opened.tidy(new Set())).toBe(1);
    await opened.close();
    expect(readdirSync(join(own, 'pieces', shelf))).toEqual(['photo.jpg']);
  });

  it('gives the files of receipts in the order of their numbers', async () => {
    const key = '0123456789abcdef';
    const opened = (await RobotDisk.open(disk, 'r1', false))!;
    for (const number of [10, 2, 1]) await opened.writeReceipts(key, number, '{}');
    expect(await opened.receiptFiles()).toEqual([0, 1, 2, 10].map((number) => `${key}-${number}.json`));
    await opened.dropReceipts(key, 2);
    expect(await opened.receiptFiles()).toEqual([`${key}-0.json`, `${key}-1.json`]);
    await opened.close();
  });

  it('a folder that is not there, or not mounted, says what to do', async () => {
    await expect(robotsOnDisk(join(root, 'none'))).rejects.toMatchObject({
      code: 'bag.unwritable',
      message: expect.stringContaining('it is not there'),
      hint: expect.stringContaining('mount the disk'),
    });
  });
});
