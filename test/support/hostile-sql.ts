import type { Random } from './random.ts';

const times = (count: number, make: (i: number) => string, between = ','): string =>
  Array.from({ length: count }, (_, i) => make(i)).join(between);
/** A type that doubles with each level. */
const doubled = (levels: number): string => {
  let sql = 'select 1 as x';
  for (let i = 0; i < levels; i++) sql = `select {'a': x, 'b': x} as x from (${sql}) t`;
  return sql;
};

/** Statements that want much time or memory, that nest, quote or name too much, or that are no questions. */
export const HOSTILE_SQL: readonly string[] = [
  "select repeat('x', 200000000)",
  "select repeat('x', 20000) from range(40000)",
  "select error(repeat('x', 100000000))",
  "select repeat('x', 100000000)::int",
  "select repeat('9', 50000000)::timestamp",
  "select json_extract(repeat('[', 50000000)::json, '$')",
  "select (repeat('[', 100000) || repeat(']', 100000))::json->'$[0]'",
  "select * from json_tree((repeat('[', 900) || repeat(']', 900))::json)",
  doubled(10),
  doubled(14),
  `select ${times(49_000, () => '1')}`,
  `select ${'('.repeat(40_000)}1${')'.repeat(40_000)}`,
  `select ${'['.repeat(300)}1${']'.repeat(300)}`,
  `select 1${'+1'.repeat(40_000)}`,
  `select ${'not '.repeat(20_000)}true`,
  `select 1${' union all select 1'.repeat(2_000)}`,
  `from ${'(from '.repeat(8_000)}range(1)${')'.repeat(8_000)}`,
  '/*'.repeat(15_000),
  'with recursive t(n) as (select 1 union all select n + 1 from t) select * from t',
  "with recursive t(s) as (select 'x' union all select s || s from t) select length(s) from t",
  'select count(*) from range(1000000000000)',
  'select * from range(1000000000000)',
  'select sum(a.range * b.range) from range(1000000) a, range(1000000) b',
  'select list(range) from range(1000000000)',
  'select range(1000000000)',
  'select unnest(range(100000000))',
  "select string_agg(repeat('x', 1000), ',') from range(10000000)",
  "select {'a': repeat('x', 1000000), 'b': [repeat('y', 1000000)]} from range(200)",
  'select map(range(20000), range(20000))',
  "select regexp_matches(repeat('a', 10000000), '(a*)*b')",
  "select length(regexp_replace(repeat('a', 1000000), 'a', repeat('b', 1000), 'g'))",
  "select levenshtein(repeat('a', 30000), repeat('b', 30000))",
  "select repeat('9', 30000)::bignum",
  "select lpad('x', 200000000, 'y')",
  "select printf('%1000000000d', 1)",
  'select * from range(100000000) order by hash(range)',
  `select count(*) from ${times(200, (i) => `range(2) t${i}`)}`,
  `select * from range(10) where range in (${times(10_000, String)})`,
  `select array_value(${times(20_000, () => '1.0')}) from range(2000)`,
  'select sleep_ms(100000)',
  'summarize select * from range(100000000)',
  'pragma database_list',
  "attach ':memory:' as z",
  "copy (select 1) to 'x.csv'",
  "set memory_limit = '10GB'",
  "select * from read_csv('/etc/passwd')",
  "from '/etc/passwd'",
  "from messages('/m')",
  "select a.data, b.data from messages('/m', most => 5000) a, messages('/m', most => 4999) b",
  'from messages((select string_agg(range::varchar) from range(100000000)))',
  "from messages(repeat('/m', 100000000))",
  "select * from messages('/m', now() - interval 1 day) order by hash(data)",
  `select '${'x'.repeat(90_000)}'`,
  ';'.repeat(90_000),
];

const VALUES: readonly ((size: number) => string)[] = [
  (size) => `repeat('x', ${size})`,
  (size) => `repeat(chr(1), ${size})`,
  (size) => `repeat('😀', ${size})`,
  (size) => `repeat('\\xAA', ${size})::blob`,
  (size) => `repeat('01', ${size})::bit`,
  () => '170141183460469231731687303715884105727::hugeint',
  () => '1.23::decimal(38, 10)',
  () => "interval '1' year",
  () => 'uuid()',
  () => "'2026-01-01'::timestamptz",
  () => "'nan'::double",
  (size) => `range(${size})`,
  (size) => `[repeat('x', ${size}), 'y']`,
  (size) => `{'a': repeat('x', ${size}), 'b': [1, 2]}`,
  (size) => `map([repeat('k', 10)], [repeat('v', ${size})])`,
  (size) => `union_value(k := repeat('x', ${size}))`,
  (size) => `to_json(range(${size}))`,
  (size) => `list_transform(range(${Math.min(size, 2_000)}), x -> x * 2)`,
];
const SOURCES: readonly ((rows: number) => string)[] = [
  (rows) => `range(${rows}) r`,
  (rows) => `(select * from range(${rows}) order by hash(range)) r`,
  (rows) => `(select unnest(range(${rows})) as range) r`,
  (rows) => `range(${rows}) r, events`,
  (rows) => `(select range from range(${rows}) union all select seq from events) r`,
  () => 'events',
];
const SIZES = [1, 100, 10_000, 1_000_000, 50_000_000];
const ROWS = [1, 100, 10_000, 1_000_000, 1_000_000_000];

/** One statement that may be answered, take too long, or be too much. */
export function randomSql(random: Random): string {
  const value = () => random.one(VALUES)(random.one(SIZES));
  const from = random.one(SOURCES)(random.one(ROWS));
  const columns = random.list(1, 4, value).map((one, i) => `${one} as c${i}`);
  const plain = `select ${columns.join(', ')} from ${from}`;
  const shapes: readonly string[] = [
    plain,
    plain,
    `select c0, count(*) from (${plain}) group by c0 order by 2`,
    `select list(c0) from (${plain})`,
    `select max(c0), count(distinct c0) from (${plain})`,
    `select c0, row_number() over (order by c0) from (${plain})`,
    `with a as (${plain}) select a.c0, b.c0 from a, a as b`,
    `select c0::int from (${plain})`,
    `select length(c0::varchar) from (${plain})`,
  ];
  return random.one(shapes);
}
