import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { openBag } from '../../adapters/rosbag/index.ts';
import { AURAISON, auraison, freshDir, ROOT, testDaemon, until } from '../support/daemon.ts';
import { type ForeignView, foreignDecoded, foreignView, readersPython } from '../support/readers.ts';
import { syntheticRecording } from '../support/synthetic-recording.ts';

/** `auraison bag cut|convert|cat|import` as typed: what goes in comes from foreign writers, what comes out goes to foreign readers. */
const directory = freshDir('bag-tools');
afterAll(() => directory.remove());
const inputs = join(directory.path, 'inputs');
let source: ForeignView;
let number = 0;
const fresh = (name: string) => join(directory.path, `${number++}-${name}`);

type Copied = {
  path: string;
  messages: number;
  latched: number;
  files: { path: string }[];
  faults: unknown[];
  lost: { topics: Record<string, number>; unknown_parts: number };
  content_sha256: string;
};

function bag(...args: string[]): Copied {
  return exits(0, ...args);
}

/** 65: the copy lacks what could not be read of its input. */
function exits(code: number, ...args: string[]): Copied {
  const { status, stdout, stderr } = auraison(['bag', ...args, '--json']);
  expect(status, stderr).toBe(code);
  return JSON.parse(stdout) as Copied;
}

const content = ({ topics, order }: ForeignView) => ({ topics, order });

beforeAll(() => {
  mkdirSync(inputs);
  const out = execFileSync(readersPython(), [join(ROOT, 'test', 'peers', 'write_bag.py'), inputs], {
    encoding: 'utf8',
  });
  source = JSON.parse(out) as ForeignView;
});

describe('a bag of a foreign writer', () => {
  it.each([
    'sqlite',
    'sqlite-zstd',
    'mcap',
    'mcap-zstd',
    'none.mcap',
    'lz4.mcap',
    'zstd.mcap',
    'unchunked.mcap',
  ])('%s is converted to MCAP, and the same to foreign readers', async (name) => {
    const target = fresh('bag');
    const compression = name.includes('zstd') ? 'lz4' : name.includes('lz4') ? 'none' : 'zstd';
    bag('convert', join(inputs, name), target, '--storage', 'mcap', '--compression', compression);
    expect(content(await foreignView('mcap', target))).toEqual(content(source));
    expect(content(await foreignView('rosbags', target))).toEqual(content(source));
    const view = await foreignView('mcap', target);
    if (name.endsWith('.mcap'))
      expect(view.metadata).toContainEqual({ name: 'site', metadata: { place: 'hall' } });
  });

  it.each(['mcap', 'zstd.mcap'])('%s is converted to SQLite, in several files', async (name) => {
    const target = fresh('bag');
    const { files } = bag(
      'convert',
      join(inputs, name),
      target,
      '--storage',
      'sqlite3',
      '--split-size',
      '20KB',
    );
    expect(files.length).toBeGreaterThan(2);
    expect(content(await foreignView('rosbags', target))).toEqual(content(source));
  });

  it('is decoded by mcap-ros2-support after it was SQLite without definitions', async () => {
    const target = fresh('whole.mcap');
    bag('convert', join(inputs, 'sqlite'), target);
    expect(await foreignDecoded(target)).toEqual({
      '/count std_msgs/msg/UInt32': 400,
      '/text std_msgs/msg/String': 200,
    });
  });
});

describe('cutting and merging', () => {
  it('gives the pieces whose merge is the whole, times and all', async () => {
    const whole = join(inputs, 'zstd.mcap');
    const [first, second] = [fresh('first.mcap'), fresh('second')];
    const a = bag('cut', whole, first, '--end', '+200ms', '--compression', 'zstd');
    const b = bag('cut', whole, second, '--start', '+200ms');
    expect([a.messages + b.messages, a.messages]).toEqual([600, 200]);
    expect((await foreignView('mcap', first)).topics['/text']?.count).toBe(67);
    const merged = fresh('merged.mcap');
    bag('convert', second, first, merged);
    expect(content(await foreignView('mcap', merged))).toEqual(content(source));
  });

  it('takes topics by pattern and every n-th message', async () => {
    const target = fresh('some');
    bag('cut', join(inputs, 'mcap'), target, '--topics', '/c*', '--every', '4');
    const { topics } = await foreignView('rosbags', target);
    expect(Object.entries(topics).map(([topic, { count }]) => [topic, count])).toEqual([['/count', 100]]);
  });

  it('refuses a topic that is not there, and says what is', () => {
    const { status, stderr } = auraison([
      'bag',
      'cut',
      join(inputs, 'mcap'),
      fresh('x'),
      '--topics',
      '/camera',
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('/count /text');
  });

  it('keeps transforms: the latched ones come first', async () => {
    const whole = syntheticRecording();
    const target = fresh('real');
    const { latched } = bag('cut', whole, target, '--start', '+10s', '--end', '+20s', '--storage', 'mcap');
    const view = await foreignView('rosbags', target);
    const before = await foreignView('rosbags', whole);
    // The second message repeats every frame of the first one.
    expect(latched).toBe(1);
    expect(view.topics['/tf_static']?.count).toBe(1);
    expect(view.qos?.['/tf_static']).toBe(before.qos?.['/tf_static']);
    const { topics } = await foreignView(
      'rosbags',
      bag('cut', whole, fresh('bare'), '--start', '+10s', '--no-latched').path,
    );
    expect(topics['/tf_static']).toBeUndefined();
  });
});

describe('a damaged file', () => {
  it('without footer is made whole by convert: every whole message is there', async () => {
    const broken = fresh('broken.mcap');
    writeFileSync(broken, readFileSync(join(inputs, 'none.mcap')));
    truncateSync(broken, Math.floor(statSync(broken).size * 0.6));
    expect(auraison(['bag', 'info', broken, '--quick']).stdout).toMatch(
      /messages can be read \(\d+ of the chunk/,
    );
    const { messages, faults, path } = exits(65, 'convert', broken, fresh('whole.mcap'));
    expect(faults).toHaveLength(1);
    const view = await foreignView('mcap', path);
    const counts = Object.values(view.topics).map(({ count }) => count);
    expect(counts.reduce((a, b) => a + b)).toBe(messages);
    expect(messages).toBeGreaterThan(300);
  });

  it('with a broken chunk in its middle loses that chunk and nothing else', () => {
    const broken = fresh('flipped.mcap');
    const bytes = readFileSync(join(inputs, 'zstd.mcap'));
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    writeFileSync(broken, bytes);
    const { messages, faults, lost } = exits(65, 'convert', broken, fresh('rest.mcap'));
    const counted = Object.values(lost.topics).reduce((a, b) => a + b, 0);
    expect(messages + counted).toBe(600);
    expect(faults).toHaveLength(1);
    expect(messages).toBeGreaterThan(450);
    expect(messages).toBeLessThan(600);
  });
});

describe('bag cat', () => {
  it('prints fields as JSON lines and as CSV', () => {
    const { stdout } = auraison([
      'bag',
      'cat',
      join(inputs, 'lz4.mcap'),
      '--topics',
      '/count',
      '--count',
      '2',
    ]);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { log_time_ns: string; message: unknown });
    expect(lines.map(({ message }) => message)).toEqual([{ data: 1 }, { data: 2 }]);
    expect(lines[0]!.log_time_ns).toBe('1700000000001000003');
    const csv = fresh('count.csv');
    auraison([
      'bag',
      'export',
      join(inputs, 'sqlite'),
      '--topics',
      'count',
      '--format',
      'csv',
      '--output',
      csv,
    ]);
    expect(readFileSync(csv, 'utf8').split('\r\n').slice(0, 2)).toEqual([
      'topic,log_time_ns,publish_time_ns,data',
      '/count,1700000000001000003,1700000000001000003,1',
    ]);
  });
});

describe('bag import', () => {
  const segmentsIn = (dataDir: string) => {
    const reader = openEventReader(dataDir, 'execution');
    const events = reader.read(0, 10_000, { kinds: ['segment.sealed'] });
    reader.close();
    return events.map(
      ({ payload }) => payload as { bag: string; path: string; messages: number; sha256: string },
    );
  };

  it('without a daemon is in the log, once, whatever container the same content comes in', async () => {
    const dataDir = fresh('data');
    const run = (path: string, ...more: string[]) => {
      const { status, stdout, stderr } = auraison([
        'bag',
        'import',
        path,
        '--json',
        '--data-dir',
        dataDir,
        ...more,
      ]);
      expect(status, stderr).toBe(0);
      return JSON.parse(stdout) as { bag: string; already: boolean };
    };
    expect(run(join(inputs, 'sqlite'))).toMatchObject({ bag: 'sqlite', already: false });
    expect(run(join(inputs, 'zstd.mcap'), '--name', 'again')).toMatchObject({ bag: 'sqlite', already: true });
    const sealed = segmentsIn(dataDir);
    expect(sealed.map(({ messages }) => messages)).toEqual([600]);
    const folder = join(dataDir, 'bags', 'sqlite');
    expect(content(await foreignView('rosbags', folder))).toEqual(content(source));
    const sum = execFileSync('sha256sum', [join(dataDir, sealed[0]!.path)], { encoding: 'utf8' }).split(
      ' ',
    )[0];
    expect(sealed[0]!.sha256).toBe(sum);
    expect(readdirSync(join(dataDir, 'bags')).filter((name) => !name.startsWith('.'))).toEqual(['sqlite']);
  });

  it('beside a running daemon is in its lake, and is played with pause and seek', async () => {
    const daemon = await testDaemon(fresh('data'), { AURAISON_ROBOT_SOURCE: 'none' });
    try {
      const args = ['bag', 'import', join(inputs, 'mcap'), '--json', '--data-dir', daemon.dataDir];
      expect(JSON.parse(auraison(args).stdout)).toMatchObject({ in_catalogue: true });
      const sql = "select sum(messages)::bigint from segments where bag = 'mcap'";
      await until(async () => {
        const { rows } = await daemon.api.post<{ rows: unknown[][] }>('/v1/query', { sql });
        return Number(rows[0]?.[0]) === 600;
      }, 'the lake knows the imported segments');
      type Play = { play_id: string; state: string; published: number; messages: number; position_s: number };
      const path = join(daemon.dataDir, 'bags', 'mcap');
      const play = await daemon.api.post<Play>('/v1/plays', { path, rate: 1, paused: true });
      expect(play).toMatchObject({ state: 'paused', messages: 600 });
      await daemon.api.post(`/v1/plays/${play.play_id}/seek`, { position_s: 0.4 });
      await daemon.api.post(`/v1/plays/${play.play_id}/resume`);
      const over = await until(async () => {
        const state = await daemon.api.get<Play>(`/v1/plays/${play.play_id}`);
        return state.state === 'finished' && state;
      }, 'the play ends');
      // From 0.4 s of 0.6 s on: a third of its 600 messages, give or take what was sent before the seek arrived.
      expect(over.published).toBeGreaterThanOrEqual(200);
      expect(over.published).toBeLessThan(210);
    } finally {
      await daemon.stop();
    }
  });

  it('killed at any time leaves nothing half, and what it left is swept by the next', async () => {
    const big = fresh('big.mcap');
    await makeBig(big);
    const dataDir = fresh('data');
    for (const delayMs of [300, 600, 900]) {
      const child = spawn(AURAISON, ['bag', 'import', big, '--data-dir', dataDir], {
        stdio: 'ignore',
        detached: true,
      });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
      if (child.exitCode === null) await gone;
      const bags = existsSync(join(dataDir, 'bags')) ? readdirSync(join(dataDir, 'bags')) : [];
      for (const name of bags.filter((one) => !one.startsWith('.'))) {
        expect((await openBag(join(dataDir, 'bags', name))).fault).toBeUndefined();
      }
    }
    const { status, stdout, stderr } = auraison(['bag', 'import', big, '--data-dir', dataDir, '--json']);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ messages: 30_000, in_catalogue: true });
    expect(readdirSync(join(dataDir, 'bags', '.import'))).toEqual([]);
    expect(segmentsIn(dataDir).reduce((sum, { messages }) => sum + messages, 0)).toBe(30_000);
  });
});

/** 50 copies of the foreign bag behind one another: long enough to be killed in. */
async function makeBig(path: string): Promise<void> {
  const { BagWriter } = await import('../../adapters/rosbag/index.ts');
  const writer = await BagWriter.create({ target: path, storage: 'mcap', isFolder: false });
  for (let copy = 0; copy < 50; copy++) {
    const one = await openBag(join(inputs, 'none.mcap'));
    for await (const message of one.records()) {
      await writer.write({ ...message, logTime: message.logTime + BigInt(copy) * 1_000_000_000n });
    }
    await one.close();
  }
  await writer.finish();
}
