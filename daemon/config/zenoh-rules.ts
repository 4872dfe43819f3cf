import { choice, flag, type KeySpec, quantity, type RowOf, texts } from './spec.ts';

const FLOW = choice(['in', 'out', 'both'], 'both', 'from the other side of a link, to it, or both');
const INTERFACES = texts([], 'network interfaces, for example ["wlan0"]; empty: all');
const MESSAGES = [
  'put',
  'delete',
  'declare_subscriber',
  'query',
  'reply',
  'declare_queryable',
  'liveliness_token',
  'liveliness_query',
  'declare_liveliness_subscriber',
] as const;

/** A list of key expressions; an entry that is not one is reported before a session is opened with it. */
function keys(fallback: readonly string[], about: string): KeySpec<readonly string[]> {
  const spec = texts(fallback, about);
  return {
    ...spec,
    read(value) {
      const result = spec.read(value);
      if (!result.ok) return result;
      const wrong = result.value.find((key) => !isKeyExpression(key));
      if (result.value.length > 0 && wrong === undefined) return result;
      const what = wrong === undefined ? '' : `, not "${wrong}"`;
      return { ok: false, expected: `key expressions, for example ["robot/**"]${what}` };
    },
  };
}

function isKeyExpression(text: string): boolean {
  return (
    text !== '' &&
    text.split('/').every((chunk) => chunk === '*' || chunk === '**' || /^(?:[^*$#?]|\$\*)+$/.test(chunk)) &&
    !/\*\*\/\*\*?(?:\/|$)/.test(text)
  );
}

/** The kinds of messages of Zenoh's access control; `all` is every one. */
const messages: KeySpec<readonly (typeof MESSAGES)[number][]> = {
  ...texts([], ''),
  kind: 'texts',
  fallback: MESSAGES,
  shown: '["all"]',
  about: `what is done: all, ${MESSAGES.join(', ')}`,
  read(value) {
    if (Array.isArray(value) && value.length === 1 && value[0] === 'all')
      return { ok: true, value: MESSAGES };
    const known: readonly unknown[] = MESSAGES;
    if (Array.isArray(value) && value.length > 0 && value.every((one) => known.includes(one))) {
      return { ok: true, value: value as (typeof MESSAGES)[number][] };
    }
    return { ok: false, expected: `a list of ${MESSAGES.join(', ')}, or ["all"]` };
  },
};

/** Keys of one row of `[[zenoh.access]]`. */
export const ACCESS_KEYS = {
  permission: choice(['allow', 'deny'], 'allow', 'deny wins over allow'),
  keys: keys(['**'], 'key expressions the rule is about'),
  messages,
  flow: FLOW,
  names: texts([], 'common names of certificates, with zenoh.tls_mutual; empty: anybody'),
  interfaces: INTERFACES,
  protocols: texts([], 'link protocols, for example ["tls"]; empty: all'),
} as const;

/** Keys of one row of `[[zenoh.downsampling]]`. */
export const DOWNSAMPLING_KEYS = {
  keys: keys(['**'], 'key expressions the rule is about'),
  rate: quantity('frequency', '10 Hz', 'at most so many values per second of each key', { min: 1e-6 }),
  flow: FLOW,
  interfaces: INTERFACES,
} as const;

/** Keys of one row of `[[zenoh.size_limits]]`. */
export const SIZE_LIMIT_KEYS = {
  keys: keys(['**'], 'key expressions the rule is about'),
  size: quantity('size', '64 KiB', 'values above it, attachment included, are dropped', { min: 1 }),
  flow: FLOW,
  interfaces: INTERFACES,
} as const;

/** Keys of one row of `[[zenoh.delivery]]`; what a row leaves out stays as the sender asked. */
export const DELIVERY_KEYS = {
  keys: keys(['**'], 'key expressions the rule is about; the first rule that matches counts'),
  priority: choice(
    [
      'as_sent',
      'real_time',
      'interactive_high',
      'interactive_low',
      'data_high',
      'data',
      'data_low',
      'background',
    ],
    'as_sent',
    'of Zenoh; a full link sends the higher first',
  ),
  congestion: choice(['as_sent', 'block', 'drop'], 'as_sent', 'what happens when a link is full'),
  express: flag(false, 'no batching: sooner by microseconds, more packets'),
} as const;

type RowSpec = Readonly<Record<string, KeySpec<unknown>>>;

/** Reads a row by its keys; unknown ones are refused, absent ones have their default. */
export function rowReader<const S extends RowSpec>(spec: S) {
  return (row: Record<string, unknown>): { ok: true; value: RowOf<S> } | { ok: false; expected: string } => {
    const values: Record<string, unknown> = {};
    for (const [key, one] of Object.entries(spec)) values[key] = one.fallback;
    for (const [key, value] of Object.entries(row)) {
      const one = Object.hasOwn(spec, key) ? spec[key] : undefined;
      if (one === undefined)
        return { ok: false, expected: `only the keys ${Object.keys(spec).join(', ')}, not "${key}"` };
      const result = one.read(value);
      if (!result.ok) return { ok: false, expected: `${key} = ${result.expected}` };
      values[key] = result.value;
    }
    return { ok: true, value: values as RowOf<S> };
  };
}
