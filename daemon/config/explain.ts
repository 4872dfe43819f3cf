import { canonicalJson } from '../../contract/core.ts';
import type {
  ConfigDifference,
  ConfigKeyView,
  ConfigRowView,
  ConfigView,
} from '../../contract/ports/config.ts';
import { type Config, tomlOf } from '../config.ts';
import { shownValue } from './hidden.ts';
import { CONFIG_SPEC } from './keys.ts';
import type { KeySpec } from './spec.ts';
import { lineOfKey, lineOfRowKey } from './toml-lines.ts';

type Env = Readonly<Record<string, string | undefined>>;
type Table = Readonly<Record<string, unknown>>;
const LISTS = ['routes', 'schedules', 'models', 'policies', 'controllers', 'sandboxes'] as const;

/** A text of a configuration, and what was made of it: its texts without faults. */
export type Read = { readonly source: string; readonly config: Config };

/** What is in force (`running`), by the file of now. Pure. */
export function explain(running: Config, now: Read, env: Env): Pick<ConfigView, 'sections' | 'lists'> {
  const raw = tomlOf(now.source) as Table;
  return {
    sections: Object.entries(CONFIG_SPEC as Readonly<Record<string, Record<string, KeySpec<unknown>>>>).map(
      ([name, keys]) => ({
        name,
        keys: Object.entries(keys).map(([key, spec]) =>
          keyView(
            { section: name, key, spec },
            { was: valueIn(running, name, key), is: valueIn(now.config, name, key) },
            { raw, env, source: now.source },
          ),
        ),
      }),
    ),
    lists: LISTS.map((name) => ({
      name,
      pending: !same(running[name], now.config[name]),
      rows: rowsOf(raw, name, now.source),
    })),
  };
}

type At = { readonly section: string; readonly key: string; readonly spec: KeySpec<unknown> };

function keyView(
  { section, key, spec }: At,
  { was, is }: { was: unknown; is: unknown },
  { raw, env, source }: { raw: Table; env: Env; source: string },
): ConfigKeyView {
  const from = originOf(section, key, raw, env);
  const written = writtenOf(section, key, spec, raw, env);
  const common = {
    key,
    source: from.source,
    ...(from.source === 'file' ? lineOf(lineOfKey(source, [section, key])) : {}),
    ...(from.variable === undefined ? {} : { variable: from.variable }),
    kind: spec.kind,
    about: spec.about,
  };
  return same(was, is)
    ? { ...common, value: written }
    : { ...common, value: unitOf(was, spec, key), pending: written };
}

/** What would be another value where `after` counts instead of `running`; `now`: the file of now, for texts. Pure. */
export function differences(running: Config, now: Read, after: Read, env: Env): readonly ConfigDifference[] {
  const [rawNow, rawAfter] = [tomlOf(now.source) as Table, tomlOf(after.source) as Table];
  const found: ConfigDifference[] = [];
  for (const [section, keys] of Object.entries(
    CONFIG_SPEC as Readonly<Record<string, Record<string, KeySpec<unknown>>>>,
  ))
    for (const [key, spec] of Object.entries(keys)) {
      const was = valueIn(running, section, key);
      if (same(was, valueIn(after.config, section, key))) continue;
      const isAsWritten = same(was, valueIn(now.config, section, key));
      found.push({
        key: `${section}.${key}`,
        before: isAsWritten ? writtenOf(section, key, spec, rawNow, env) : unitOf(was, spec, key),
        after: writtenOf(section, key, spec, rawAfter, env),
      });
    }
  for (const name of LISTS) {
    if (same(running[name], after.config[name])) continue;
    const before = same(running[name], now.config[name])
      ? rowsOf(rawNow, name, now.source)
      : running[name].map((row, index) => rowView(row as unknown as Table, name, index));
    found.push(...rowDifferences(name, before, rowsOf(rawAfter, name, after.source)));
  }
  return found;
}

function rowDifferences(
  list: string,
  before: readonly ConfigRowView[],
  after: readonly ConfigRowView[],
): readonly ConfigDifference[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  return names.flatMap((name): ConfigDifference[] => {
    const was = before.find((row) => row.name === name);
    const is = after.find((row) => row.name === name);
    const label = `${list}[${name}]`;
    if (!was || !is) {
      const text = (row: ConfigRowView) =>
        Object.entries(row.values)
          .map(([key, value]) => `${key} = ${value}`)
          .join(', ');
      return [{ key: label, ...(was ? { before: text(was) } : {}), ...(is ? { after: text(is) } : {}) }];
    }
    return [...new Set([...Object.keys(was.values), ...Object.keys(is.values)])]
      .filter((key) => was.values[key] !== is.values[key])
      .map((key) => ({
        key: `${label}.${key}`,
        ...(was.values[key] === undefined ? {} : { before: was.values[key] }),
        ...(is.values[key] === undefined ? {} : { after: is.values[key] }),
      }));
  });
}

/** Variables that win over keys of the text. */
export function overridden(source: string, env: Env): readonly string[] {
  const raw = tomlOf(source) as Table;
  return Object.entries(CONFIG_SPEC).flatMap(([section, keys]) =>
    Object.keys(keys).flatMap((key) => {
      const { variable } = originOf(section, key, raw, env);
      return variable !== undefined && isIn(raw, section, key)
        ? [`${section}.${key}: ${variable} of the environment wins over the file`]
        : [];
    }),
  );
}

function originOf(
  section: string,
  key: string,
  raw: Table,
  env: Env,
): { readonly source: ConfigKeyView['source']; readonly variable?: string } {
  const variable = `AURAISON_${section}_${key}`.toUpperCase();
  if (env[variable] !== undefined) return { source: 'environment', variable };
  return { source: isIn(raw, section, key) ? 'file' : 'default' };
}

/** The value as a person wrote it: with its unit. */
function writtenOf(section: string, key: string, spec: KeySpec<unknown>, raw: Table, env: Env): string {
  const { variable } = originOf(section, key, raw, env);
  if (variable !== undefined) return shownValue(spec.fromText(env[variable]!), key);
  return isIn(raw, section, key) ? shownValue((raw[section] as Table)[key], key) : spec.shown;
}

/** A value that no text has: quantities are numbers in their base unit. */
function unitOf(value: unknown, { kind, fallback }: KeySpec<unknown>, key: string): string {
  const isPlain = ['text', 'choice', 'integer', 'number', 'flag', 'texts', 'tables'].includes(kind);
  return isPlain || typeof fallback !== 'number'
    ? shownValue(value, key)
    : `${shownValue(value)} (${kind}, base unit)`;
}

function isIn(raw: Table, section: string, key: string): boolean {
  const table = Object.hasOwn(raw, section) ? raw[section] : undefined;
  return typeof table === 'object' && table !== null && Object.hasOwn(table, key);
}

function rowsOf(raw: Table, list: string, source: string): readonly ConfigRowView[] {
  const rows = Object.hasOwn(raw, list) ? raw[list] : [];
  return Array.isArray(rows)
    ? rows.map((row, index) => rowView(row as Table, list, index, lineOfRowKey(source, list, index, '')))
    : [];
}

function rowView(row: Table, list: string, index: number, line?: number): ConfigRowView {
  const name = typeof row['name'] === 'string' && row['name'] !== '' ? row['name'] : `${list} ${index + 1}`;
  return {
    name,
    ...lineOf(line),
    values: Object.fromEntries(Object.entries(row).map(([key, value]) => [key, shownValue(value, key)])),
  };
}

const lineOf = (line: number | undefined) => (line === undefined ? {} : { line });

function valueIn(config: Config, section: string, key: string): unknown {
  return (config as unknown as Readonly<Record<string, Table>>)[section]?.[key];
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}
