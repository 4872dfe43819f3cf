import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { columnsSql, shownColumns, TABLES_SQL } from '../../cli/commands/lake-tables.ts';
import {
  LAKE_NAMES,
  type NewEvent,
  type RecordedMessage,
  type TopicTable,
  topicTables,
} from '../../contract/index.ts';
import { readConfig } from '../../daemon/config.ts';
import { logged } from '../conformance/lake.ts';
import { Recordings, recorded, START_NS, sealedEvent } from '../support/recorded-topics.ts';

const FLOAT = 'std_msgs/msg/Float64';
const float = (data: number, atMs: number, topic = '/arm/x') => recorded(topic, FLOAT, { data }, atMs);
const numbers: TopicTable = { table: 'numbers', topics: ['/arm/*'], types: [FLOAT] };
const battery = (voltage: number, atMs: number) =>
  recorded('/battery', 'sensor_msgs/msg/BatteryState', { voltage, percentage: Number.NaN }, atMs);

const MORE_THAN_A_PIECE = Array.from({ length: 5_000 }, (_, at) => float(at, at));

class Rig {
  readonly recordings = new Recordings();
  readonly events: NewEvent[] = [];
  lake!: DuckLakeLake;
  readonly dataDir: string;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  static async start(topics: readonly TopicTable[] = topicTables([numbers], true)): Promise<Rig> {
    const rig = new Rig(await mkdtemp(join(tmpdir(), 'auraison-topics-')));
    await rig.open(topics);
    onTestFinished(async () => {
      await rig.lake.close();
      await rm(rig.dataDir, { recursive: true, force: true });
    });
    return rig;
  }

  async open(topics: readonly TopicTable[]): Promise<void> {
    const clock = new SystemClock();
    const openRecorded = this.recordings.open;
    this.lake = await DuckLakeLake.open({
      dataDir: this.dataDir,
      extensionDirectories: [],
      clock,
      openRecorded,
      topics,
    });
  }

  async happened(...events: NewEvent[]): Promise<void> {
    await this.project(...events);
    await this.read();
  }

  async project(...events: NewEvent[]): Promise<void> {
    this.events.push(...events);
    await this.lake.project('execution', await logged('execution', this.events));
  }

  /** Reads the first piece of a segment that has more than one. */
  async readPiece(): Promise<void> {
    let looks = 0;
    await this.lake.readTopics(() => looks++ > 0);
  }

  sealed(path: string, ...messages: RecordedMessage[]): NewEvent {
    this.recordings.segments.set(path, messages);
    return sealedEvent(path, messages);
  }

  async read(): Promise<void> {
    while (await this.lake.readTopics(() => false));
  }

  async rows(sql: string, isGuest = false): Promise<readonly (readonly unknown[])[]> {
    return (await this.lake.query(sql, { limit: 1_000, timeoutMs: 20_000, isGuest })).rows;
  }
}

const evicted = (path: string): NewEvent => ({
  kind: 'segment.evicted',
  payload: { bag: path.split('/')[1]!, path, bytes: 1, messages: 1, reason: 'ring', topics: {} },
});
const clip = (bag: string): NewEvent =>
  ({
    kind: 'clip.recorded',
    payload: {
      ...{ clip_id: '0190aaaa-0000-7000-8000-000000000000', bag, trigger: 'api', reason: 'test' },
      ...{
        trigger_ns: `${START_NS}`,
        start_ns: `${START_NS}`,
        end_ns: `${START_NS + 1n}`,
        messages: 1,
        bytes: 1,
      },
    },
  }) as NewEvent;

it('makes tables of named topics and of the usual types as segments are sealed, with what is known in comments', async () => {
  const rig = await Rig.start();
  await rig.happened(rig.sealed('bags/a/0.mcap', float(1, 0), float(5, 1, '/other'), battery(12.5, 2)));
  expect(await rig.rows('SELECT topic, data FROM numbers')).toEqual([['/arm/x', 1]]);
  expect(await rig.rows('SELECT voltage, percentage, segment FROM battery')).toEqual([
    [12.5, 'NaN', 'bags/a/0.mcap'],
  ]);
  await rig.happened(rig.sealed('bags/a/1.mcap', float(2, 1_000, '/arm/y')));
  expect(await rig.rows('SELECT data FROM numbers ORDER BY data')).toEqual([[1], [2]]);
  expect(
    await rig.rows(
      "SELECT comment FROM duckdb_columns() WHERE table_name = 'battery' AND column_name = 'voltage'",
    ),
  ).toEqual([['float32: V']]);
  expect(rig.recordings.opened).toEqual(['bags/a/0.mcap', 'bags/a/1.mcap']);
});

it('adds what a later definition brings, also after a restart, and doubles nothing', async () => {
  const type = 'strange_msgs/msg/Thing';
  const things: TopicTable = { table: 'things', topics: ['thing'], types: [] };
  const rig = await Rig.start([things]);
  const thing = (value: Record<string, unknown>, atMs: number, text: string) =>
    recorded('/thing', type, value, atMs, text);
  await rig.happened(
    rig.sealed(
      'bags/a/0.mcap',
      thing({ p: { a: 1 } }, 0, `In p\n${'='.repeat(80)}\nMSG: strange_msgs/In\nfloat64 a`),
    ),
  );
  await rig.lake.close();
  await rig.open([things]);
  await rig.happened(
    rig.sealed('bags/a/1.mcap', thing({ p: 'text', q: [true] }, 1, 'string p\nbool[] q')),
    rig.sealed(
      'bags/a/2.mcap',
      thing({ p: { a: 2 } }, 2, `In p\n${'='.repeat(80)}\nMSG: strange_msgs/In\nfloat64 a`),
    ),
  );
  expect(await rig.rows('SELECT p.a, p_2, q FROM things ORDER BY log_time')).toEqual([
    [1, null, null],
    [null, 'text', [true]],
    [2, null, null],
  ]);
  await rig.lake.close();
  await rig.open([things]);
  await rig.read();
  expect(await rig.rows('SELECT count(*) FROM things')).toEqual([[3]]);
});

it('fills a new table from what is recorded, and drops one that is configured no longer, or otherwise', async () => {
  const rig = await Rig.start([numbers]);
  await rig.happened(rig.sealed('bags/a/0.mcap', float(1, 0), float(5, 1, '/other')));
  await rig.lake.close();
  const other: TopicTable = { table: 'numbers', topics: ['other'], types: [] };
  await rig.open([other, { ...numbers, table: 'arms' }]);
  await rig.read();
  expect(await rig.rows('SELECT data FROM numbers')).toEqual([[5]]);
  expect(await rig.rows('SELECT data FROM arms')).toEqual([[1]]);
  await rig.lake.close();
  await rig.open([other]);
  await expect(rig.rows('FROM arms')).rejects.toMatchObject({ code: 'lake.failed' });
});

it('cuts messages with their segment, and keeps those that a clip has too', async () => {
  const rig = await Rig.start([numbers]);
  await rig.happened(
    rig.sealed('bags/ring/0.mcap', float(1, 0), float(2, 10)),
    rig.sealed('bags/ring/1.mcap', float(3, 20)),
    rig.sealed('bags/clip-1/0.mcap', float(2, 10), float(3, 20)),
    clip('clip-1'),
  );
  const all = 'SELECT data, bag FROM numbers ORDER BY data';
  expect(await rig.rows(all)).toEqual([
    [1, 'ring'],
    [2, 'ring'],
    [3, 'ring'],
  ]);
  await rig.happened(evicted('bags/ring/0.mcap'));
  expect(await rig.rows(all)).toEqual([
    [2, 'clip-1'],
    [3, 'ring'],
  ]);
});

it('loses no messages of a clip that is being read when its recording is evicted', async () => {
  const rig = await Rig.start([numbers]);
  await rig.happened(rig.sealed('bags/ring/0.mcap', ...MORE_THAN_A_PIECE));
  await rig.project(rig.sealed('bags/clip-1/0.mcap', ...MORE_THAN_A_PIECE), clip('clip-1'));
  await rig.readPiece();
  await rig.happened(evicted('bags/ring/0.mcap'));
  expect(await rig.rows('SELECT bag, count(DISTINCT data) FROM numbers GROUP BY bag')).toEqual([
    ['clip-1', MORE_THAN_A_PIECE.length],
  ]);
});

it('loses no messages of a segment that is being read when the rows of another log are dropped', async () => {
  const rig = await Rig.start([numbers]);
  await rig.project(rig.sealed('bags/a/0.mcap', ...MORE_THAN_A_PIECE));
  await rig.readPiece();
  const phase = { kind: 'run.phase', payload: { phase: 'x', reason: '', facts: {} } } as NewEvent;
  await rig.lake.project('runtime', await logged('runtime', [phase]));
  await rig.lake.rebuild('runtime');
  await rig.read();
  expect(await rig.rows('SELECT count(DISTINCT data), count(*) FROM numbers')).toEqual([
    [MORE_THAN_A_PIECE.length, MORE_THAN_A_PIECE.length],
  ]);
});

it('drops a table that was not read to the end of a segment when it is configured no longer', async () => {
  const rig = await Rig.start([numbers]);
  await rig.project(rig.sealed('bags/a/0.mcap', ...MORE_THAN_A_PIECE));
  await rig.readPiece();
  expect((await rig.rows('SELECT count(*) > 0 FROM numbers'))[0]).toEqual([true]);
  await rig.lake.close();
  await rig.open([]);
  await expect(rig.rows('FROM numbers')).rejects.toMatchObject({ code: 'lake.failed' });
});

it('has the same rows after a rebuild, of all logs or of one', async () => {
  const rig = await Rig.start();
  await rig.happened(
    rig.sealed('bags/a/0.mcap', float(1, 0), battery(1, 5)),
    rig.sealed('bags/a/1.mcap', float(2, 10)),
  );
  const digest = () =>
    rig.rows(
      "SELECT (SELECT md5(string_agg(t::VARCHAR, '|' ORDER BY t::VARCHAR)) FROM numbers t), (SELECT md5(string_agg(t::VARCHAR, '|')) FROM battery t)",
    );
  const before = await digest();
  for (const cell of [undefined, 'execution'] as const) {
    await rig.lake.rebuild(cell);
    await rig.happened();
    expect(await digest(), cell).toEqual(before);
  }
});

it('reads a damaged segment as far as it holds, says why, and tries one that is not there again later', async () => {
  const rig = await Rig.start([numbers]);
  const open = rig.recordings.open;
  await rig.lake.close();
  rig.recordings.segments.set('bags/a/0.mcap', [float(1, 0)]);
  const broken = async function* (...args: Parameters<typeof open>) {
    if (args[0].endsWith('1.mcap')) throw Object.assign(new Error('EIO'), { syscall: 'read' });
    yield* open(...args);
    args[1].onDamage({ message: 'at byte 9: cut off' } as never);
  };
  const clock = new SystemClock();
  rig.lake = await DuckLakeLake.open({
    ...{ dataDir: rig.dataDir, extensionDirectories: [], clock, openRecorded: broken, topics: [numbers] },
  });
  await rig.happened(
    sealedEvent('bags/a/0.mcap', [float(1, 0)]),
    sealedEvent('bags/a/1.mcap', [float(1, 1)]),
  );
  expect(await rig.rows('SELECT path, messages, fault FROM topic_segments')).toEqual([
    ['bags/a/0.mcap', 1, 'at byte 9: cut off'],
  ]);
});

it('shows guests of other tenants neither the rows nor a way around', async () => {
  const rig = await Rig.start([numbers]);
  await rig.happened(rig.sealed('bags/a/0.mcap', float(1, 0)));
  const ways = [
    'FROM numbers',
    'SELECT 1 WHERE EXISTS (FROM main."NUMBERS")',
    'WITH a AS (SELECT * FROM lake.main.numbers) FROM a',
    'SUMMARIZE numbers',
    'DESCRIBE numbers',
    "FROM ducklake_table_insertions('lake', 'main', 'numbers', 0, 99)",
  ];
  for (const sql of ways)
    await expect(rig.rows(sql, true), sql).rejects.toMatchObject({ code: 'policy.denied' });
  expect(await rig.rows('SELECT count(*) FROM segments', true)).toEqual([[1]]);
});

it.each([
  'SELECT min_value FROM __ducklake_metadata_lake.main.ducklake_file_column_stats',
  'FROM __ducklake_metadata_lake.ducklake_inlined_data_1_1',
  'SUMMARIZE __ducklake_metadata_lake.ducklake_file_column_stats',
  // On servers the database of PostgreSQL, with the lakes of other robots.
  'FROM lake_owner.public.accounts',
  'SELECT 1 WHERE EXISTS (FROM "LAKE_OWNER".accounts)',
  'SHOW TABLES FROM lake_owner.other_robot',
  'DESCRIBE lake_owner.public.accounts',
])('shows nobody what lies beside the lake: %s', async (sql) => {
  const rig = await Rig.start([]);
  for (const isGuest of [false, true])
    await expect(rig.rows(sql, isGuest)).rejects.toMatchObject({
      code: 'lake.failed',
      message: expect.stringMatching(/^(__ducklake_metadata_lake|lake_owner) is not the lakehouse$/i),
    });
});

it('reserves the names that the lakehouse has', async () => {
  const rig = await Rig.start([]);
  const names = await rig.rows(
    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake' UNION SELECT view_name FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal",
  );
  for (const [name] of names) expect(LAKE_NAMES).toContain(name);
});

it('explains every table, view and column of the lake, and the fields of a topic that has no table', async () => {
  const rig = await Rig.start();
  await rig.happened(rig.sealed('bags/a/0.mcap', float(1, 0), battery(1, 5)));
  const tables = await rig.rows(TABLES_SQL);
  expect(tables.map(([name]) => name)).toEqual(
    expect.arrayContaining(['actions', 'battery', 'numbers', 'runs']),
  );
  for (const [name, , text] of tables) {
    expect(text, String(name)).toEqual(expect.stringMatching(/\w/));
    const columns = shownColumns(
      String(name),
      [...(await rig.rows(columnsSql(String(name))))].map((row) => [...row]),
    );
    expect(columns.length, String(name)).toBeGreaterThan(0);
    for (const { name: column, text: about } of columns) expect(about, `${name}.${column}`).not.toBe('');
  }
  expect((await rig.rows(columnsSql('/arm/x'))).at(-1)).toEqual(['data', 'DOUBLE', null]);
  expect(await rig.rows(columnsSql("it's"))).toEqual([]);
});

it.each([
  ['table = "runs"\ntopics = ["/x"]', /which the lakehouse has/],
  ['table = "Imu"\ntopics = ["/x"]', /lower-case/],
  ['table = "imu"', /topics = patterns of topics, or types/],
  ['table = "imu"\ntopics = ["/x/"]', /topics: \/x\/ has an empty chunk/],
  ['table = "imu"\ntypes = ["Imu"]', /package\/msg\/Name, not Imu/],
  ['table = "imu"\ntopic = "/x"', /only the keys table, topics, types/],
  ['table = "imu"\ntopics = ["/x"]\n[[lake.topics]]\ntable = "imu"\ntopics = ["/y"]', /each table once/],
])('refuses a table of the configuration that cannot be: %s', (row, expected) => {
  const { faults } = readConfig(`[[lake.topics]]\n${row}\n`, 'robot.toml', {});
  expect(faults[0]).toMatchObject({ key: 'lake.topics', expected: expect.stringMatching(expected) });
});

it('lets a configured table take the place of a default', () => {
  const { config } = readConfig('[[lake.topics]]\ntable = "tf"\ntopics = ["/tf"]\n', 'robot.toml', {});
  const tables = topicTables(config.lake.topics, config.lake.default_topics);
  expect(tables.filter(({ table }) => table === 'tf')).toEqual([{ table: 'tf', topics: ['/tf'], types: [] }]);
  expect(tables.map(({ table }) => table)).toContain('odometry');
});
