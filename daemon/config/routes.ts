import {
  compilePattern,
  LIMITS,
  patternFault,
  type RouteEnd,
  type RouteSpec,
  templateFault,
} from '../../contract/core.ts';
import { parseQuantity } from './quantity.ts';
import { choice, flag, integer, type KeySpec, text, texts } from './spec.ts';

/** Rows of `[[routes]]`: their keys, defaults and meaning. `auraison config show` prints this. */
export const ROUTE_KEYS = {
  name: text('', 'name of the route: in status, events and the ledger', {
    match: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    expected: 'a name of letters, digits, dot, dash, underscore',
  }),
  from: text('', 'where samples come from: "ros:/scan", "ros:/camera/**", "zenoh:fleet/*/goal", "bus:/odom"'),
  to: text(
    '',
    'where they go: the same wildcards, or {topic}, {robot}, {prefix}: "zenoh:fleet/{robot}/{topic}"',
  ),
  allow: texts([], 'only these, of what from matches; empty: all'),
  deny: texts([], 'not these; deny wins over allow'),
  rate: frequency('samples per second of each topic; "0 Hz": all'),
  rate_mode: choice(
    ['newest', 'spread'],
    'newest',
    'the newest sample at each turn, or the first one in time without waiting',
  ),
  keep_every: integer(1, 'every n-th sample of each topic', { min: 1, max: 1_000_000 }),
  priority: choice(
    [
      'auto',
      'real_time',
      'interactive_high',
      'interactive_low',
      'data_high',
      'data',
      'data_low',
      'background',
    ],
    'auto',
    'of Zenoh, and between topics that wait; auto: small samples first',
  ),
  congestion: choice(
    ['block', 'drop'],
    'block',
    'what Zenoh does when a link is full; what it drops is not counted',
  ),
  express: flag(false, 'no batching: sooner by microseconds, more packets'),
  depth: integer(LIMITS.ROUTE_QUEUE_SAMPLES, 'samples of one topic that wait; then the oldest goes', {
    min: 1,
    max: 100_000,
  }),
  type: text('', 'message type, for example "std_msgs/msg/String"; empty: as it arrives', {
    match: /^(|\w+\/msg\/\w+)$/,
    expected: '"package/msg/Type"',
  }),
  reliability: choice(['reliable', 'best_effort'], 'reliable', 'on the ROS side'),
  durability: choice(['volatile', 'transient_local'], 'volatile', 'on the ROS side'),
} as const;

export type RowFault = { readonly key: string; readonly value: unknown; readonly expected: string };
type Row = { readonly [K in keyof typeof ROUTE_KEYS]: (typeof ROUTE_KEYS)[K]['fallback'] };

/** One row. Faults are reported through `fault`; undefined when there are any. */
export function readRoute(
  row: Record<string, unknown>,
  fault: (fault: RowFault) => void,
): RouteSpec | undefined {
  let faults = 0;
  const refuse = (key: string, value: unknown, expected: string): void => {
    faults += 1;
    fault({ key, value, expected });
  };
  const values: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(ROUTE_KEYS)) values[key] = spec.fallback;
  for (const [key, value] of Object.entries(row)) {
    const spec = Object.hasOwn(ROUTE_KEYS, key)
      ? (ROUTE_KEYS as Record<string, KeySpec<unknown>>)[key]
      : undefined;
    if (!spec) {
      refuse(key, value, `one of the keys ${Object.keys(ROUTE_KEYS).join(', ')}`);
      continue;
    }
    const result = spec.read(value);
    if (result.ok) values[key] = result.value;
    else refuse(key, value, result.expected);
  }
  for (const key of ['name', 'from', 'to']) {
    if (row[key] === undefined) refuse(key, '', `a value: every route has name, from and to`);
  }
  if (faults > 0) return undefined;
  const read = values as Row;
  const from = readEnd(read.from, (expected) => refuse('from', read.from, expected));
  const to = readEnd(read.to, (expected) => refuse('to', read.to, expected));
  if (!from || !to) return undefined;
  checkEnds(read, from, to, refuse);
  for (const key of ['allow', 'deny'] as const) {
    for (const pattern of read[key]) {
      const wrong = patternFault(pattern);
      if (wrong) refuse(key, pattern, `patterns such as "/camera/**"; this one ${wrong}`);
    }
  }
  if (faults > 0) return undefined;
  const { name, allow, deny, rate, rate_mode, keep_every, ...same } = read;
  return { ...same, name, from, to, allow, deny, rateHz: rate, rateMode: rate_mode, keepEvery: keep_every };
}

/** All rows. Names are unique: a ledger and a metric are named after them. */
export function readRoutes(
  value: unknown,
  fault: (index: number | undefined, fault: RowFault) => void,
): readonly RouteSpec[] {
  if (!Array.isArray(value)) {
    fault(undefined, { key: '', value, expected: 'a list of tables: [[routes]]' });
    return [];
  }
  if (value.length > LIMITS.ROUTES_MAX) {
    fault(undefined, { key: '', value: value.length, expected: `at most ${LIMITS.ROUTES_MAX} routes` });
    return [];
  }
  const routes: RouteSpec[] = [];
  for (const [index, row] of value.entries()) {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      fault(index, { key: '', value: row, expected: 'a table: [[routes]]' });
      continue;
    }
    const route = readRoute(row as Record<string, unknown>, (found) => fault(index, found));
    if (!route) continue;
    if (routes.some(({ name }) => name === route.name))
      fault(index, { key: 'name', value: route.name, expected: 'a name that no other route has' });
    else routes.push(route);
  }
  return routes;
}

/** The rows as a person would write them, for `config show`. */
export function showRoutes(): string[] {
  return [
    '# [[routes]]: ways of samples between ROS topics, Zenoh keys and the bus; any number of them',
    ...Object.entries(ROUTE_KEYS).flatMap(([key, spec]) => [`# ${spec.about}`, `# ${key} = ${spec.shown}`]),
    '',
  ];
}

function readEnd(value: string, refuse: (expected: string) => void): RouteEnd | undefined {
  const [, kind, pattern] = /^(ros|zenoh|bus):(.*)$/s.exec(value) ?? [];
  if (kind === undefined || pattern === undefined) {
    refuse('"ros:/topic", "zenoh:key" or "bus:/topic"');
    return undefined;
  }
  if (kind !== 'zenoh' && !pattern.startsWith('/') && !pattern.startsWith('{')) {
    refuse(`a topic with its leading slash: "${kind}:/${pattern}"`);
    return undefined;
  }
  if (kind === 'zenoh' && pattern.startsWith('/')) {
    refuse('a key without a leading slash');
    return undefined;
  }
  return { kind: kind as RouteEnd['kind'], pattern };
}

function checkEnds(
  row: Row,
  from: RouteEnd,
  to: RouteEnd,
  refuse: (key: string, value: unknown, expected: string) => void,
): void {
  const wrong = patternFault(from.pattern.replaceAll(/\{(robot|prefix)\}/g, 'x'));
  if (wrong) {
    refuse('from', row.from, `a pattern; this one ${wrong}`);
    return;
  }
  const pattern = compilePattern(from.pattern.replaceAll(/\{(robot|prefix)\}/g, 'x'));
  const badly = templateFault(to.pattern, pattern, ['topic', 'robot', 'prefix']);
  if (badly) refuse('to', row.to, `a name made from the other end; this one ${badly}`);
  if (from.kind === to.kind)
    refuse('to', row.to, `another kind of end than "${from.kind}:": a route goes from one side to another`);
  if (from.kind === 'ros' && to.kind === 'bus')
    refuse('to', row.to, '"zenoh:key": what the robot says is on the bus anyway');
}

function frequency(about: string): KeySpec<number> {
  return {
    kind: 'frequency',
    fallback: 0,
    shown: '"0 Hz"',
    about,
    fromText: (raw) => raw,
    read(value) {
      const result = parseQuantity('frequency', value);
      if (!result.ok) return result;
      if (result.value >= 0 && result.value <= 10_000) return result;
      return { ok: false, expected: 'a frequency from 0 Hz to 10 kHz' };
    },
  };
}
