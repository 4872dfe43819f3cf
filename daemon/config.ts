import { parse, TomlError } from 'smol-toml';
import { EdgeError, type RouteSpec, type ScheduleSpec } from '../contract/core.ts';
import { disagreements } from './config/agree.ts';
import { type ControllerRow, readControllers, showControllers } from './config/controllers.ts';
import { CONFIG_SPEC, type Config as Tables } from './config/keys.ts';
import { type ModelRow, readModels, showModels } from './config/models.ts';
import { type PolicyRow, readPolicies, showPolicies } from './config/policies.ts';
import { readRoutes, showRoutes } from './config/routes.ts';
import { readSandboxes, type SandboxRow, showSandboxes } from './config/sandboxes.ts';
import { readSchedules, showSchedules } from './config/schedules.ts';
import type { KeySpec } from './config/spec.ts';
import { lineOfKey, lineOfRowKey } from './config/toml-lines.ts';

export { parse as tomlOf, stringify as tomlText } from 'smol-toml';
export type { RosTopic } from './config/keys.ts';

/** The tables of `CONFIG_SPEC`, and the lists of routes, schedules, models, policies, controllers and sandboxes. */
export type Config = Tables & {
  readonly routes: readonly RouteSpec[];
  readonly schedules: readonly ScheduleSpec[];
  readonly models: readonly ModelRow[];
  readonly policies: readonly PolicyRow[];
  readonly controllers: readonly ControllerRow[];
  readonly sandboxes: readonly SandboxRow[];
};

/** Every section; the last are lists of tables. */
const TABLES = [
  ...Object.keys(CONFIG_SPEC),
  ...['routes', 'schedules', 'models', 'policies', 'controllers', 'sandboxes'],
];

/** One problem of a configuration, with everything needed to fix it. */
export type ConfigFault = {
  readonly file: string;
  readonly line: number | undefined;
  readonly key: string;
  readonly value: string;
  readonly expected: string;
};

export type ConfigResult = { readonly config: Config; readonly faults: readonly ConfigFault[] };

/** Variables with this prefix that are not configuration keys. */
const OTHER_VARIABLES = new Set([
  'AURAISON_CONFIG',
  'AURAISON_CACHE',
  'AURAISON_PACKED',
  'AURAISON_RCLNODEJS',
  'AURAISON_ZENOH_NATIVE',
  'AURAISON_URL',
  'AURAISON_TOKEN',
  'AURAISON_RUNTIME_TOKEN',
  'AURAISON_TOKEN_FILE',
]);
const SECRET_WORDS = /^(token|password|passwd|secret|api_key|apikey|private_key)$/;

/**
 * Makes the configuration from TOML text and environment variables (`AURAISON_<SECTION>_<KEY>`), over
 * defaults. All faults are collected, so that one look fixes them all; at most about `faultsMax`. Pure: reads no file.
 */
export function readConfig(
  source: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  faultsMax = Number.POSITIVE_INFINITY,
): ConfigResult {
  const faults: ConfigFault[] = [];
  const values = defaults();
  const fault = (path: readonly string[], value: unknown, expected: string, where = file) => {
    // Each costs a look through the source.
    if (faults.length >= faultsMax) return;
    faults.push({
      file: where,
      line: where === file ? lineOfKey(source, path) : undefined,
      key: path.join('.'),
      value: show(path, value),
      expected,
    });
  };

  let routes: readonly RouteSpec[] = [];
  let schedules: readonly ScheduleSpec[] = [];
  let models: readonly ModelRow[] = [];
  let policies: readonly PolicyRow[] = [];
  let controllers: readonly ControllerRow[] = [];
  let sandboxes: readonly SandboxRow[] = [];
  const rowFault =
    (section: string) => (row: number | undefined, key: string, value: unknown, expected: string) => {
      if (faults.length >= faultsMax) return;
      faults.push({
        file,
        line: lineOfRowKey(source, section, row ?? 0, key),
        key: `${section}${row === undefined ? '' : `[${row + 1}]`}${key === '' ? '' : `.${key}`}`,
        value: show([key], value),
        expected,
      });
    };
  for (const [section, body] of Object.entries(parseToml(source, file, faults))) {
    if (faults.length >= faultsMax) break;
    if (section === 'routes') {
      routes = readRoutes(body, (row, { key, value, expected }) =>
        rowFault(section)(row, key, value, expected),
      );
      continue;
    }
    if (section === 'schedules') {
      schedules = readSchedules(body, rowFault(section));
      continue;
    }
    if (section === 'models') {
      models = readModels(body, rowFault(section));
      continue;
    }
    if (section === 'policies') {
      policies = readPolicies(body, rowFault(section));
      continue;
    }
    if (section === 'controllers') {
      controllers = readControllers(body, rowFault(section));
      continue;
    }
    if (section === 'sandboxes') {
      sandboxes = readSandboxes(body, rowFault(section));
      continue;
    }
    const keys = keysOf(section);
    if (!keys) {
      fault([section], body, `one of the tables ${TABLES.join(', ')}${near(section, TABLES)}`);
    } else if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      fault([section], body, `a table: [${section}]`);
    } else {
      for (const [key, value] of Object.entries(body)) {
        if (faults.length >= faultsMax) break;
        const spec = Object.hasOwn(keys, key) ? keys[key] : undefined;
        if (!spec) fault([section, key], value, unknownKey(section, key, Object.keys(keys)));
        else set(values, section, key, spec, value, (expected) => fault([section, key], value, expected));
      }
    }
  }
  applyEnvironment(values, env, (name, value, expected) =>
    faults.push({
      file: 'environment',
      line: undefined,
      key: name,
      value: show([name.toLowerCase()], value),
      expected,
    }),
  );
  const lists = { routes, schedules, models, policies, controllers, sandboxes };
  const config = { ...values, ...lists } as unknown as Config;
  if (faults.length === 0)
    for (const { path, value, expected } of disagreements(config)) fault(path, value, expected);
  return { config, faults };
}

/** The configuration, or one error that lists every fault. */
export function requireConfig(
  source: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const { config, faults } = readConfig(source, file, env);
  if (faults.length === 0) return config;
  throw new EdgeError(faults[0]!.key === '' ? 'config.syntax' : 'config.invalid', {
    operation: 'read configuration',
    subject: file,
    message: faults.map(describeFault).join('\n'),
    hint: 'auraison config show prints every key with its default and meaning',
  });
}

export function describeFault(fault: ConfigFault): string {
  const place = fault.line === undefined ? fault.file : `${fault.file}:${fault.line}`;
  return fault.key === ''
    ? `${place}: ${fault.expected}`
    : `${place}: ${fault.key} = ${fault.value}: expected ${fault.expected}`;
}

/** The whole configuration as a documented TOML file. */
export function showDefaults(): string {
  const lines: string[] = [];
  for (const [section, keys] of Object.entries(CONFIG_SPEC)) {
    lines.push(`[${section}]`);
    for (const [key, spec] of Object.entries(keys as Record<string, KeySpec<unknown>>)) {
      lines.push(`# ${spec.about}`, `${spec.kind === 'tables' ? '# ' : ''}${key} = ${spec.shown}`);
    }
    lines.push('');
  }
  return [
    ...lines,
    ...showRoutes(),
    ...showSchedules(),
    ...showModels(),
    ...showPolicies(),
    ...showControllers(),
    ...showSandboxes(),
  ].join('\n');
}

function defaults(): Record<string, Record<string, unknown>> {
  const values: Record<string, Record<string, unknown>> = {};
  for (const [section, keys] of Object.entries(CONFIG_SPEC)) {
    values[section] = Object.fromEntries(
      Object.entries(keys).map(([key, spec]) => [key, (spec as KeySpec<unknown>).fallback]),
    );
  }
  return values;
}

function parseToml(source: string, file: string, faults: ConfigFault[]): Record<string, unknown> {
  try {
    return parse(source) as Record<string, unknown>;
  } catch (error) {
    const line = error instanceof TomlError ? error.line : undefined;
    const message = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    faults.push({ file, line, key: '', value: '', expected: message });
    return {};
  }
}

function set(
  values: Record<string, Record<string, unknown>>,
  section: string,
  key: string,
  spec: KeySpec<unknown>,
  value: unknown,
  refuse: (expected: string) => void,
): void {
  const result = spec.read(value);
  if (result.ok) values[section]![key] = result.value;
  else refuse(result.expected);
}

function applyEnvironment(
  values: Record<string, Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
  refuse: (name: string, value: string, expected: string) => void,
): void {
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('AURAISON_') || OTHER_VARIABLES.has(name) || raw === undefined) continue;
    const [section, ...rest] = name.slice('AURAISON_'.length).toLowerCase().split('_');
    const keys = keysOf(section!);
    const key = rest.join('_');
    const spec = keys && Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (!spec || spec.kind === 'tables')
      refuse(name, raw, 'a variable AURAISON_<TABLE>_<KEY> of a known key');
    else set(values, section!, key, spec, spec.fromText(raw), (expected) => refuse(name, raw, expected));
  }
}

/** Names such as `constructor` are no sections. */
function keysOf(section: string): Readonly<Record<string, KeySpec<unknown>>> | undefined {
  return Object.hasOwn(CONFIG_SPEC, section)
    ? (CONFIG_SPEC as Record<string, Record<string, KeySpec<unknown>>>)[section]
    : undefined;
}

function unknownKey(section: string, key: string, known: readonly string[]): string {
  if (SECRET_WORDS.test(key))
    return `no secret in this file: put it into a file of mode 0600 and name it in ${section}.token_file`;
  return `one of the keys ${known.join(', ')}${near(key, known)}`;
}

function near(word: string, known: readonly string[]): string {
  const squash = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const closeness = (k: string) => {
    if (squash(k) === squash(word)) return 0;
    if (word.length <= 3 || Math.abs(word.length - k.length) > 32) return Infinity;
    return k.startsWith(word) || word.startsWith(k) ? 1 : distance(k, word);
  };
  const guess = known
    .map((k) => ({ k, off: closeness(k) }))
    .filter(({ off }) => off <= 2)
    .sort((a, b) => a.off - b.off)[0]?.k;
  return guess === undefined ? '' : ` (did you mean ${guess}?)`;
}

/** Edits between short words; two neighbours that changed places are one (Damerau and Levenshtein). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j]!, before[j - 2]! + 1);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}

/** What a fault prints; a value that may be a secret is not printed. */
function show(path: readonly string[], value: unknown): string {
  if (path.some((part) => SECRET_WORDS.test(part))) return '(hidden)';
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'bigint'
        ? value.toString()
        : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
