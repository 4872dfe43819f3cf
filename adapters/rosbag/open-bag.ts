import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { type BagNotes, parseMetadata } from '../../formats/rosbag2/index.ts';
import { absentFiles, presentFile } from './absent-files.ts';
import type { Bag } from './bag.ts';
import { JoinedBag } from './joined-bag.ts';
import { McapBag } from './mcap-bag.ts';
import { SqliteBag } from './sqlite-bag.ts';

/** Larger than the metadata.yaml of any bag. */
const METADATA_BYTES_MAX = 16 * 1024 * 1024;

/** Where a bag's files are: `.mcap`, `.db3`, or a folder that holds them; unsealed segments count too. */
export async function bagFiles(path: string): Promise<string[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new EdgeError('bag.malformed', {
      operation: 'open-bag',
      subject: path,
      message: `it cannot be opened: ${(cause as Error).message}`,
      hint: 'give the path of a .mcap or .db3 file, or of a folder with such files',
      cause,
    });
  });
  if (!info.isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(?:mcap|mcap\.active|db3)$/.test(name));
  const ros1 = (await readdir(path)).find((name) => name.endsWith('.bag'));
  if (names.length === 0 && ros1 !== undefined) return [join(path, ros1)];
  if (names.length === 0) {
    const packed = (await readdir(path)).some((name) => /\.(?:db3|mcap)\.zstd$/.test(name));
    throw new EdgeError('bag.malformed', {
      operation: 'open-bag',
      subject: path,
      message: packed
        ? 'its files use file compression, which is not supported'
        : 'the folder contains no .mcap or .db3 file',
      hint: packed ? 'unpack them with zstd -d' : 'give the path of the folder with the files of the bag',
    });
  }
  return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(path, name));
}

/**
 * The metadata.yaml of a bag folder; undefined where it does not exist. Throws `bag.malformed` for an invalid file.
 */
export async function bagNotes(folder: string): Promise<BagNotes | undefined> {
  const path = join(folder, 'metadata.yaml');
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return undefined;
  if (info.size > METADATA_BYTES_MAX) {
    const message = `a metadata.yaml of ${info.size} bytes is above the limit`;
    throw new EdgeError('bag.malformed', { operation: 'read-metadata', subject: path, message });
  }
  return parseMetadata(await readFile(path, 'utf8'), path);
}

/**
 * Opens a bag for reading. Rejects with `bag.malformed` or `mcap.malformed` when nothing of it can be read;
 * a bag that is damaged further on opens, and says so in `fault`. Of a folder one file that can be read is enough.
 */
export async function openBag(path: string): Promise<Bag> {
  const files = await bagFiles(path);
  const notes = await bagNotes(path).catch(() => undefined);
  const names = new Set(files.map((file) => basename(file).replace(/\.active$/, '')));
  const unfound = (notes?.paths ?? [])
    .filter((name) => !names.has(basename(name)))
    .map((name) => missing(path, name));
  if (files.length === 1 && unfound.length === 0 && !notes) return openFile(files[0]!);
  const { parts, faults } = await openReadable(files);
  // Without metadata.yaml files with numbers may be anything.
  const opened = new Map(parts.map((part) => [part.path, part]));
  const present = files.map((file) => presentFile(file, opened.get(file)));
  const absent = notes ? absentFiles(present, notes.paths) : [];
  return new JoinedBag(path, parts, { notes, faults: [...faults, ...unfound], absent });
}

/** Several bags as one, in time order; one stays what it is. */
export async function openBags(paths: readonly string[]): Promise<Bag> {
  if (paths.length === 1) return openBag(paths[0]!);
  const parts: Bag[] = [];
  try {
    for (const path of paths) parts.push(await openBag(path));
  } catch (error) {
    await Promise.all(parts.map((part) => part.close()));
    throw error;
  }
  return new JoinedBag(paths.join(', '), parts);
}

/** The files that can be opened, and the faults of the others; rejects with the first fault where none can. */
async function openReadable(files: readonly string[]): Promise<{ parts: Bag[]; faults: EdgeError[] }> {
  const parts: Bag[] = [];
  const faults: EdgeError[] = [];
  for (const file of files) {
    try {
      parts.push(await openFile(file));
    } catch (error) {
      if (error instanceof EdgeError) faults.push(error);
      else {
        await Promise.all(parts.map((part) => part.close()));
        throw error;
      }
    }
  }
  if (parts.length === 0) throw faults[0]!;
  return { parts, faults };
}

function missing(folder: string, name: string): EdgeError {
  return new EdgeError('bag.malformed', {
    operation: 'open-bag',
    subject: folder,
    message: `metadata.yaml lists ${name}, which is missing`,
    hint: 'the other files are read; add this one to read it too',
  });
}

/** A pipe or device under the name of a bag would hold the thread that opens it for ever. */
async function refuseUnlessFile(path: string): Promise<void> {
  if ((await stat(path)).isFile()) return;
  throw new EdgeError('bag.malformed', { operation: 'open-bag', subject: path, message: 'it is not a file' });
}

/** A recording of ROS 1 has another format and other encodings of messages. */
async function refuseRos1(path: string): Promise<void> {
  const file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(13), 0, 13, 0).finally(() => file.close());
  const head = buffer.toString('latin1', 0, bytesRead);
  if (!head.startsWith('#ROSBAG V')) return;
  throw new EdgeError('bag.malformed', {
    operation: 'open-bag',
    subject: path,
    message: `it is a bag of ROS 1 (${head.trim()}), which is not read`,
    hint: 'convert it first: rosbags-convert --src IN.bag --dst OUT (of the Python package rosbags)',
  });
}

/** Opens one file. Rejects with the error of the file system, which may be temporary. */
export async function openFile(path: string): Promise<Bag> {
  await refuseUnlessFile(path);
  await refuseRos1(path);
  return basename(path).endsWith('.db3') ? SqliteBag.open(path) : McapBag.open(path);
}
