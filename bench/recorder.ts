import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { McapWriter } from '@mcap/core';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import type { Sample } from '../contract/index.ts';
import { Ledger } from '../daemon/execution/bus/index.ts';
import { Recorder } from '../daemon/execution/recorder/index.ts';

/**
 * MB/s onto the disk, from the first message to everything durable, of: raw sequential write
 * (`dd conv=fdatasync`, the machine's limit), our recorder, @mcap/core and the Python `mcap` writer (both followed by
 * fdatasync). All in one run, by turns, so that the neighbours of a shared machine hit them alike; medians.
 *
 * Usage: node bench/recorder.ts [--repeat 5] [--megabytes 400] [--dir FOLDER] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    repeat: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '400' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
    // Internal: run the peer alone and print its rate, so that its garbage is not measured with the recorder's.
    core: { type: 'string' },
  },
});
const repeat = Number(flags.repeat);
const total = Number(flags.megabytes) * 1e6;
const folder = mkdtempSync(join(flags.dir, 'auraison-bench-'));
const clock = new SystemClock();
const python = flags.core === undefined ? readersPython() : undefined;
let bags = 0;

const CASES = [
  { name: '900 KB messages', size: 900_000, type: 'sensor_msgs/msg/Image', total },
  { name: '1 KB messages', size: 1_000, type: 'sensor_msgs/msg/JointState', total: total / 4 },
];
/** Memory that a receiver of this bench lets the recorder fill; a real source at its pace fills far less. */
const BACKLOG_BYTES = 48 * 1024 * 1024;

type Result = Awaited<ReturnType<typeof measure>>;
type Figures = {
  dd: number[];
  ours: number[];
  sealed: number[];
  core: number[];
  python: number[];
  rss: number[];
};
async function measure({ name, size, type, total: bytes }: (typeof CASES)[number]) {
  const figures: Figures = { dd: [], ours: [], sealed: [], core: [], python: [], rss: [] };
  const count = Math.round(bytes / size);
  const recorder = await startRecorder();
  for (let run = 0; run < repeat; run++) {
    figures.dd.push(rawWrite(count * size));
    const { durable, sealed } = await ours(recorder, size, count, type);
    figures.ours.push(durable);
    figures.sealed.push(sealed);
    figures.rss.push(process.memoryUsage.rss() / 1e6);
    figures.core.push(coreProcess(size, count));
    if (python) figures.python.push(pythonWriter(python, size, count));
  }
  await recorder.recorder.stop();
  const limit = median(figures.dd);
  const own = median(figures.ours);
  const peers = { core: median(figures.core), python: python ? median(figures.python) : undefined };
  return {
    name,
    messages: count,
    megabytes_per_second: { raw: limit, ours: own, ours_hashed_and_sealed: median(figures.sealed), ...peers },
    ratio: {
      of_raw: own / limit,
      to_core: own / peers.core,
      to_python: peers.python === undefined ? undefined : own / peers.python,
    },
    rss_mb_after_each_run: figures.rss.map(Math.round),
    all: figures,
  };
}

/** The machine's limit: what dd writes of the same number of bytes, in blocks of 1 MB. */
function rawWrite(bytes: number): number {
  const file = join(folder, 'raw');
  const began = performance.now();
  execFileSync(
    'dd',
    ['if=/dev/zero', `of=${file}`, 'bs=1M', `count=${Math.round(bytes / 2 ** 20)}`, 'conv=fdatasync'],
    {
      stdio: 'ignore',
    },
  );
  return rate(statSync(file).size, began, file);
}

async function startRecorder() {
  const ended = { atMs: 0 };
  const recorder = new Recorder({
    clock,
    dataDir: folder,
    bag: `bench-${bags++}`,
    ledger: new Ledger(),
    segmentBytesMax: 2 ** 40,
    segmentMs: 3_600_000,
    syncMs: 200,
    freeSpaceFloorBytes: 0,
    emit: async () => {},
    onEnded: () => {
      ended.atMs = performance.now();
    },
    report: (level, message) => process.stderr.write(`${level}: ${message}\n`),
  });
  await recorder.start();
  return { recorder, ended };
}

/** Durable: everything is in the file, footer and fsync included. Sealed: hashed and named as well. */
async function ours(
  { recorder, ended }: Awaited<ReturnType<typeof startRecorder>>,
  size: number,
  count: number,
  type: string,
) {
  const sample = sampleMaker(size, type);
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    while (recorder.backlogBytes() > BACKLOG_BYTES) await new Promise((resolve) => setTimeout(resolve, 1));
    recorder.offer(sample(i));
    if (i % 256 === 255) await new Promise((resolve) => setImmediate(resolve));
  }
  await recorder.sealNow();
  const sealed = rate(size * count, began);
  const durable = (size * count) / 1e6 / ((ended.atMs - began) / 1e3);
  for (const { path } of recorder.status().segments) rmSync(join(folder, path), { force: true });
  return { durable, sealed };
}

function coreProcess(size: number, count: number): number {
  const args = [import.meta.filename, '--core', `${size} ${count}`, '--dir', folder];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

async function core(size: number, count: number, directory: string): Promise<number> {
  const file = join(directory, 'core.mcap');
  const type = 'bench';
  const handle = await open(file, 'w');
  let position = 0n;
  const writable = {
    position: () => position,
    write: async (bytes: Uint8Array) => {
      await handle.write(bytes);
      position += BigInt(bytes.length);
    },
  };
  const sample = sampleMaker(size, type);
  const began = performance.now();
  const writer = new McapWriter({ writable, chunkSize: 4 * 1024 * 1024 });
  await writer.start({ profile: 'ros2', library: '' });
  const schemaId = await writer.registerSchema({ name: type, encoding: 'ros2msg', data: new Uint8Array(0) });
  const channel = { schemaId, topic: '/bench', messageEncoding: 'cdr', metadata: new Map<string, string>() };
  const channelId = await writer.registerChannel(channel);
  for (let i = 0; i < count; i++) {
    const { stamp, bytes } = sample(i);
    await writer.addMessage({ channelId, sequence: i, logTime: stamp, publishTime: stamp, data: bytes });
  }
  await writer.end();
  await handle.datasync();
  await handle.close();
  return rate(size * count, began, file);
}

const PYTHON_WRITER = `
import os, sys, time
from mcap.writer import CompressionType, Writer
path, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = bytes(size)
start = time.perf_counter()
with open(path, "wb") as stream:
    writer = Writer(stream, chunk_size=4 * 1024 * 1024, compression=CompressionType.NONE)
    writer.start(profile="ros2")
    schema = writer.register_schema("bench", "ros2msg", b"")
    channel = writer.register_channel("/bench", "cdr", schema)
    for i in range(count):
        writer.add_message(channel, log_time=i, data=data, publish_time=i, sequence=i)
    writer.finish()
    stream.flush()
    os.fdatasync(stream.fileno())
print(size * count / 1e6 / (time.perf_counter() - start))
`;

function pythonWriter(executable: string, size: number, count: number): number {
  const file = join(folder, 'python.mcap');
  const output = execFileSync(executable, ['-c', PYTHON_WRITER, file, String(size), String(count)], {
    encoding: 'utf8',
  });
  rmSync(file);
  return Number(output);
}

/** The Python of test/peers/readers.sh; undefined, and said, where it is not available. */
function readersPython(): string | undefined {
  const script = join(import.meta.dirname, '..', 'test', 'peers', 'readers.sh');
  const { status, stdout } = spawnSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status === 0) return stdout.trim();
  process.stderr.write('no Python readers: the Python mcap writer is left out\n');
  return undefined;
}

function sampleMaker(size: number, type: string): (number: number) => Sample {
  const bytes = new Uint8Array(size).fill(0x5a);
  bytes.set([0, 1, 0, 0]);
  return (number) => {
    const stamp = BigInt(number) * 1_000_000n;
    return { topic: '/bench', type, stamp, received: stamp, bytes };
  };
}

function rate(bytes: number, began: number, remove?: string): number {
  const seconds = (performance.now() - began) / 1e3;
  if (remove) rmSync(remove);
  return bytes / 1e6 / seconds;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function print({ name, messages, megabytes_per_second: speed, ratio, rss_mb_after_each_run: rss }: Result) {
  const mb = (value: number | undefined) =>
    value === undefined ? '    n/a' : `${value.toFixed(0).padStart(5)} MB/s`;
  const times = (value: number | undefined) => (value === undefined ? 'n/a' : `${value.toFixed(2)}×`);
  process.stdout.write(
    [
      `${name}: ${messages} a run, medians of ${repeat} runs by turns`,
      `  raw write, dd conv=fdatasync   ${mb(speed.raw)}`,
      `  recorder, durable              ${mb(speed.ours)}   ${(ratio.of_raw * 100).toFixed(0)} % of raw`,
      `  recorder, hashed and sealed    ${mb(speed.ours_hashed_and_sealed)}`,
      `  @mcap/core                     ${mb(speed.core)}   the recorder is ${times(ratio.to_core)}`,
      `  Python mcap                    ${mb(speed.python)}   the recorder is ${times(ratio.to_python)}`,
      `  memory after each run          ${rss.join(', ')} MB`,
      '',
    ].join('\n'),
  );
}

if (flags.core === undefined) await main();
else {
  const [size, count] = flags.core.split(' ').map(Number) as [number, number];
  process.stdout.write(`${await core(size, count, folder)}`);
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const results: Result[] = [];
  try {
    for (const one of CASES) results.push(await measure(one));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (flags.json) process.stdout.write(`${JSON.stringify({ repeat, results })}\n`);
  else for (const result of results) print(result);
}
