import { expect, it, onTestFinished } from 'vitest';
import {
  EdgeError,
  LIMITS,
  type NewEvent,
  type OpenRecorded,
  type RecordedMessage,
} from '../../contract/index.ts';
import {
  Recordings,
  recorded,
  SECOND_NS,
  START_NS,
  sealedEvent,
  topicLake,
} from '../support/recorded-topics.ts';

const ODOMETRY = 'nav_msgs/msg/Odometry';
const FLOAT = 'std_msgs/msg/Float64';

const odometry = (x: number, atMs: number): RecordedMessage =>
  recorded(
    '/odom',
    ODOMETRY,
    {
      header: { stamp: { sec: 1_700_000_000, nanosec: atMs * 1_000_000 + 7 }, frame_id: 'odom' },
      child_frame_id: 'base_link',
      pose: { pose: { position: { x, y: 0.5 }, orientation: { w: 1 } }, covariance: new Float64Array(36) },
    },
    atMs,
  );
const float = (data: number, atMs: number, topic = '/x') => recorded(topic, FLOAT, { data }, atMs);

/** A lake over segments `bags/<bag>/<n>.mcap` with these messages. */
async function lakeOf(segments: Readonly<Record<string, readonly RecordedMessage[]>>) {
  const recordings = new Recordings();
  for (const [path, messages] of Object.entries(segments)) recordings.segments.set(path, messages);
  const events = Object.entries(segments).map(([path, messages]) => sealedEvent(path, messages));
  const lake = await topicLake(recordings.open, events);
  onTestFinished(() => lake.dispose());
  return { ...lake, recordings };
}
const failed = (work: Promise<unknown>): Promise<EdgeError> =>
  work.then(
    () => expect.unreachable('it was answered'),
    (thrown: EdgeError) => thrown,
  );

it('gives the fields of a topic as typed columns: nested, times to the nanosecond, arrays as lists', async () => {
  const { rows, lake } = await lakeOf({ 'bags/a/0.mcap': [odometry(Number.NaN, 0), odometry(2, 100)] });
  expect(
    await rows(
      `SELECT header.stamp, epoch_ns(log_time) - ${START_NS}, pose.pose.position.x, len(pose.covariance), segment, fault
       FROM messages('/odom') ORDER BY log_time`,
    ),
  ).toEqual([
    ['2023-11-14 22:13:20.000000007', 0, 'NaN', 36, 'bags/a/0.mcap', null],
    ['2023-11-14 22:13:20.100000007', 100_000_000, 2, 36, 'bags/a/0.mcap', null],
  ]);
  const described = (await lake.query("DESCRIBE FROM messages('/odom')", { limit: 99, timeoutMs: 20_000 }))
    .rows;
  expect(described.slice(0, 2).map((row) => row.slice(0, 2))).toEqual([
    ['log_time', 'TIMESTAMP_NS'],
    ['publish_time', 'TIMESTAMP_NS'],
  ]);
  expect(described.find(([name]) => name === 'pose')?.[1]).toContain('STRUCT(x DOUBLE, y DOUBLE, z DOUBLE)');
});

it('reads a range of time, the first messages of it, and several topics in one statement', async () => {
  const { rows } = await lakeOf({
    'bags/a/0.mcap': [float(1, 0), float(2, 1_000), float(10, 1_500, '/y')],
    'bags/a/1.mcap': [float(3, 2_000), float(4, 3_000)],
  });
  const since = START_NS + SECOND_NS;
  expect(
    await rows(`SELECT data FROM messages('/x', ${since}, ${since + 2n * SECOND_NS}) ORDER BY 1`),
  ).toEqual([[2], [3]]);
  expect(await rows("SELECT data FROM messages('/x', since := '2023-11-14 22:13:22') ORDER BY 1")).toEqual([
    [3],
    [4],
  ]);
  expect(await rows("SELECT data FROM messages('/x', until => TIMESTAMP '2023-11-14 22:13:21')")).toEqual([
    [1],
  ]);
  expect(await rows("SELECT data FROM messages('/x', most => 3) ORDER BY 1")).toEqual([[1], [2], [3]]);
  expect(
    await rows(
      `WITH y AS (FROM messages('/y')) SELECT x.data, y.data FROM messages('/x') x ASOF JOIN y ON x.log_time >= y.log_time ORDER BY 1`,
    ),
  ).toEqual([
    [3, 10],
    [4, 10],
  ]);
  expect(
    await rows(
      "SELECT max(data) FROM messages('/x', (SELECT max(start_time) FROM segments) - INTERVAL 1 SECOND)",
    ),
  ).toEqual([[4]]);
});

it('opens only the segments that the time range and the topic need, of ten thousand', async () => {
  const recordings = new Recordings();
  const events = Array.from({ length: 10_000 }, (_, n) => {
    const path = `bags/long/${n}.mcap`;
    const messages = [float(n, n * 1_000, n % 2 === 0 ? '/x' : '/y'), float(n, n * 1_000 + 999, '/z')];
    recordings.segments.set(path, messages);
    return sealedEvent(path, messages);
  });
  const { rows, dispose } = await topicLake(recordings.open, events);
  onTestFinished(dispose);
  const since = START_NS + 5_000n * SECOND_NS;
  expect(
    await rows(`SELECT data FROM messages('/x', ${since}, ${since + 6n * SECOND_NS}) ORDER BY data`),
  ).toEqual([[5_000], [5_002], [5_004]]);
  expect(recordings.opened).toEqual(['bags/long/5000.mcap', 'bags/long/5002.mcap', 'bags/long/5004.mcap']);
  recordings.opened.length = 0;
  expect(await rows("SELECT data FROM messages('/z', most => 2) ORDER BY data")).toEqual([[0], [1]]);
  expect(recordings.opened).toEqual(['bags/long/0.mcap', 'bags/long/1.mcap']);
});

it('keeps definitions of one topic apart, and fields that are named like its own columns', async () => {
  const type = 'strange_msgs/msg/Thing';
  const thing = (value: Record<string, unknown>, atMs: number, definition: string) =>
    recorded('/it\'s/"quoted"', type, value, atMs, definition);
  const { rows } = await lakeOf({
    'bags/a/0.mcap': [
      thing({ x: 1.5, segment: 'left' }, 0, 'float64 x\nstring segment'),
      thing({ x: 'one', y: 3n }, 1, 'string x\nint64 y'),
      thing({ x: 2.5, segment: 'right' }, 2, 'float64 x\nstring segment'),
      thing({ y: 4n }, 3, 'int64 y'),
    ],
  });
  expect(
    await rows(`SELECT x, x_2, y, segment_, segment FROM messages('/it''s/"quoted"') ORDER BY log_time`),
  ).toEqual([
    [1.5, null, null, 'left', 'bags/a/0.mcap'],
    [null, 'one', 3, null, 'bags/a/0.mcap'],
    [2.5, null, null, 'right', 'bags/a/0.mcap'],
    [null, null, 4, null, 'bags/a/0.mcap'],
  ]);
});

it('keeps two fields apart of which one has the name that the other gets', async () => {
  const thing = (value: Record<string, unknown>, atMs: number, definition: string) =>
    recorded('/thing', 'strange_msgs/msg/Thing', value, atMs, definition);
  const { rows } = await lakeOf({
    'bags/a/0.mcap': [
      thing({ x: 7 }, 0, 'int32 x'),
      thing({ x: 1.5, x_2: 2.5 }, 1, 'float64 x\nfloat64 x_2'),
    ],
  });
  expect(await rows("SELECT x, x_2, x_3 FROM messages('/thing') ORDER BY log_time")).toEqual([
    [7, null, null],
    [null, 2.5, 1.5],
  ]);
});

it('leaves large payloads in the segment and says which; a message that it cannot decode is a row with its reason', async () => {
  const image = (data: Uint8Array, atMs: number) =>
    recorded('/image', 'sensor_msgs/msg/CompressedImage', { format: 'jpeg', data }, atMs);
  const broken = image(new Uint8Array(4), 2);
  const large = recorded('/image', 'p_msgs/msg/Many', { items: [] }, 3, 'string[] items');
  const { rows } = await lakeOf({
    'bags/a/0.mcap': [
      image(new Uint8Array([1, 255]), 0),
      image(new Uint8Array(20_000_000), 1),
      { ...broken, bytes: broken.bytes.subarray(0, 12) },
      { ...large, bytes: new Uint8Array(LIMITS.LAKE_NESTED_BYTES_MAX + 1) },
      { ...broken, encoding: 'protobuf', logTime: broken.logTime + 9_000_000n },
    ],
  });
  const found = await rows(
    `SELECT format, octet_length(data), by_reference, bytes > 1000, fault FROM messages('/image') ORDER BY log_time`,
  );
  expect(found.slice(0, 2)).toEqual([
    ['jpeg', 2, null, false, null],
    ['jpeg', null, ['data'], true, null],
  ]);
  expect(found.slice(2).map((row) => row[4])).toEqual([
    expect.stringContaining('the message ends'),
    expect.stringContaining('nested lists'),
    expect.stringContaining('protobuf'),
  ]);
});

it('counts what a clip repeats once, and reads no segment that was evicted', async () => {
  const recordings = new Recordings();
  const both = [float(1, 0), float(2, 10)];
  recordings.segments.set('bags/ring/0.mcap', both);
  recordings.segments.set('bags/clip-1/0.mcap', [...both, float(3, 20)]);
  recordings.segments.set('bags/ring/1.mcap', [float(9, 30)]);
  const { rows, dispose } = await topicLake(recordings.open, [
    ...[...recordings.segments].map(([path, messages]) => sealedEvent(path, messages)),
    {
      kind: 'clip.recorded',
      payload: {
        ...{ clip_id: '0190aaaa-0000-7000-8000-000000000000', bag: 'clip-1', trigger: 'api', reason: 'test' },
        ...{ trigger_ns: `${START_NS}`, start_ns: `${START_NS}`, end_ns: `${START_NS + 1n}` },
        ...{ messages: 3, bytes: 1000 },
      },
    },
    {
      kind: 'segment.evicted',
      payload: {
        ...{
          bag: 'ring',
          path: 'bags/ring/1.mcap',
          bytes: 1,
          messages: 1,
          reason: 'ring',
          topics: { '/x': 1 },
        },
      },
    },
  ] as Parameters<typeof topicLake>[1]);
  onTestFinished(dispose);
  expect(await rows("SELECT data, bag FROM messages('/x') ORDER BY data")).toEqual([
    [1, 'ring'],
    [2, 'ring'],
    [3, 'clip-1'],
  ]);
});

it('takes the first messages, of which those that overlapping clips repeat count once', async () => {
  const recordings = new Recordings();
  const first = [float(1, 0), float(2, 10), float(3, 20)];
  for (const path of ['bags/clip-1/0.mcap', 'bags/clip-2/0.mcap']) recordings.segments.set(path, first);
  recordings.segments.set('bags/clip-3/0.mcap', [float(4, 100), float(5, 110)]);
  const clip = (n: number): NewEvent => ({
    kind: 'clip.recorded',
    payload: {
      ...{
        clip_id: `0190aaaa-0000-7000-8000-00000000000${n}`,
        bag: `clip-${n}`,
        trigger: 'api',
        reason: 'test',
      },
      ...{ trigger_ns: `${START_NS}`, start_ns: `${START_NS}`, end_ns: `${START_NS + 1n}` },
      ...{ messages: 3, bytes: 1000 },
    },
  });
  const sealed = [...recordings.segments].map(([path, messages]) => sealedEvent(path, messages));
  const { rows, dispose } = await topicLake(recordings.open, [...sealed, clip(1), clip(2), clip(3)]);
  onTestFinished(dispose);
  const most = (count: number) => rows(`SELECT data FROM messages('/x', most => ${count}) ORDER BY data`);
  expect(await most(4)).toEqual([[1], [2], [3], [4]]);
  recordings.opened.length = 0;
  expect(await most(3)).toEqual([[1], [2], [3]]);
  expect(recordings.opened).not.toContain('bags/clip-3/0.mcap');
});

it('says what is missing: damage with its count, a file that is gone, a topic that no segment has', async () => {
  const open: OpenRecorded = async function* (path, { onDamage }) {
    if (path.endsWith('1.mcap')) throw Object.assign(new Error('ENOENT: no such file'), { syscall: 'open' });
    yield float(1, 0);
    const facts = { operation: 'read', subject: path, message: 'at byte 77: the chunk is damaged' };
    onDamage(new EdgeError('mcap.malformed', facts), new Map([['/x', 12]]));
    onDamage(new EdgeError('mcap.malformed', { ...facts, message: 'of others' }), new Map([['/y', 3]]));
  };
  const events = [0, 1].map((n) => sealedEvent(`bags/a/${n}.mcap`, [float(1, n)]));
  const { lake, dispose } = await topicLake(open, events);
  onTestFinished(dispose);
  const ask = { limit: 10, timeoutMs: 20_000 };
  expect(await lake.query("SELECT data FROM messages('/x')", ask)).toMatchObject({
    rows: [[1]],
    notes: [
      'bags/a/0.mcap: at byte 77: the chunk is damaged (12 messages)',
      expect.stringContaining('bags/a/1.mcap: ENOENT'),
    ],
  });
  expect(await lake.query("SELECT * FROM messages('/nothing')", ask)).toMatchObject({
    rows: [],
    notes: [expect.stringContaining('/nothing')],
  });
});

it('ends a statement that reads too much or too long, and stops reading then', async () => {
  let read = 0;
  const large = recorded('/x', 'std_msgs/msg/String', { data: 'x'.repeat(60_000) }, 0);
  const open: OpenRecorded = async function* () {
    for (;;) {
      read += 1;
      yield large;
    }
  };
  const { lake, rows, dispose } = await topicLake(open, [sealedEvent('bags/a/0.mcap', [large])]);
  onTestFinished(dispose);
  const much = await failed(rows("FROM messages('/x')"));
  expect(much).toMatchObject({ code: 'limit.exceeded', hint: expect.stringContaining('since') });
  expect(read).toBeLessThan(LIMITS.LAKE_MESSAGES_BYTES_MAX / 50_000);
  const late = await failed(rows("FROM messages('/x')", { timeoutMs: 20 }));
  expect(late.code).toBe('deadline.exceeded');
  const reader = lake.read("FROM messages('/x')", { limit: 10, timeoutMs: 20_000 });
  reader.catch(() => {});
  await lake.close();
  expect((await failed(reader)).code).toMatch(/lake.unavailable|lake.failed|limit.exceeded/);
  const after = read;
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toBe(after);
});

it('leaves nothing behind in the engine, and does not answer guests of other tenants', async () => {
  const { rows } = await lakeOf({ 'bags/a/0.mcap': [float(1, 0)] });
  expect(await rows("SELECT data FROM messages('/x')")).toEqual([[1]]);
  expect(await rows("SELECT table_name FROM duckdb_tables() WHERE database_name = 'temp'")).toEqual([]);
  const denied = await failed(rows("SELECT (SELECT max(data) FROM messages('/x'))", { isGuest: true }));
  expect(denied).toMatchObject({ code: 'policy.denied', message: expect.stringContaining('guests') });
  expect(await rows('SELECT count(*) FROM segments', { isGuest: true })).toEqual([[1]]);
});

it('explains wrong calls, and lets no argument do what a statement may not', async () => {
  const { rows, recordings } = await lakeOf({ 'bags/a/0.mcap': [float(1, 0)] });
  const wrong = [
    'FROM messages()',
    'FROM messages(NULL)',
    "FROM messages('/x', 'noon')",
    "FROM messages('/x', most => 0)",
    "FROM messages('/x', 1, 2, 3, 4)",
    "FROM messages('/x', colour => 1)",
    'FROM messages(unnest(range(1000000)))',
    "FROM messages((SELECT content FROM read_text('/etc/hostname')))",
    'SELECT m.* FROM segments s, messages(s.path) m',
    "FROM main.messages('/x')",
    `SELECT 1 FROM ${Array.from({ length: 9 }, (_, i) => `messages('/x', ${i}) m${i}`).join(', ')}`,
    'FROM temp.main.messages_1',
  ];
  for (const sql of wrong) expect((await failed(rows(sql))).code, sql).toBe('lake.failed');
  expect(recordings.opened).toEqual([]);
});

it('answers other statements while a disk hangs', async () => {
  const one = (topic: string) => [recorded(topic, 'std_msgs/msg/Float64', { data: 1 }, 0)];
  const open = async function* (path: string) {
    if (path.includes('/a/')) await new Promise(() => {});
    yield* one('/b');
  };
  const events = [sealedEvent('bags/a/0.mcap', one('/a')), sealedEvent('bags/b/0.mcap', one('/b'))];
  const { lake, rows, dispose } = await topicLake(open, events);
  onTestFinished(dispose);
  const hanging = rows("FROM messages('/a')", { timeoutMs: 1_000 });
  await expect(hanging).rejects.toMatchObject({ code: 'deadline.exceeded' });
  expect(await rows("SELECT count(*) FROM messages('/b')")).toEqual([[1]]);
  expect(lake.overdue()).toEqual({ count: 0, oldest: 0 });
});
