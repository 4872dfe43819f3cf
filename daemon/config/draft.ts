import { CONFIG_LIMITS, canonicalJson, EdgeError } from '../../contract/core.ts';
import type { ConfigDraft, ConfigEdit } from '../../contract/ports/config.ts';
import { tomlOf } from '../config.ts';
import { CONFIG_SPEC } from './keys.ts';
import { removeKey, setTexts } from './toml-edit.ts';

type Tables = Record<string, Record<string, unknown> | undefined>;

/**
 * The text that a draft stands for, beside the file as it is. Throws `config.invalid` where keys of the file cannot be set
 * one by one: it is written in a way that needs a person, or the key is no single value. Pure.
 */
export function textOfDraft(source: string, draft: ConfigDraft): string {
  if ('text' in draft) return draft.text;
  return draft.set.reduce(edited, source);
}

function edited(source: string, edit: ConfigEdit): string {
  const expected = tablesOf(source, edit.key);
  const [table, key] = strayOf(edit, expected) ?? pathOf(edit.key);
  let text: string;
  if (edit.value === undefined) {
    text = removeKey(source, table, key);
    delete expected[table]?.[key];
  } else {
    text = setTexts(source, table, { [key]: edit.value.trim() });
    expected[table] = { ...expected[table], [key]: tomlValue(edit.key, edit.value) };
  }
  const written = parsed(text);
  if (written && same(written, expected)) return text;
  throw refused(edit.key, 'the file is written in a way in which this key cannot be set alone');
}

function parsed(text: string): Tables | undefined {
  try {
    return tomlOf(text) as Tables;
  } catch {
    return undefined;
  }
}

/** Only keys that the daemon knows, so a name is never more than a name in a pattern. */
function pathOf(path: string): readonly [string, string] {
  const [table = '', key = '', ...more] = path.split('.');
  const keys = Object.hasOwn(CONFIG_SPEC, table) ? CONFIG_SPEC[table as keyof typeof CONFIG_SPEC] : {};
  if (more.length === 0 && Object.hasOwn(keys, key)) return [table, key];
  throw refused(path, 'no single key has this name', 'auraison config show lists all keys');
}

/** A key of the file that the daemon does not know can be removed: a slip of the pen. */
function strayOf({ key: path, value }: ConfigEdit, tables: Tables): readonly [string, string] | undefined {
  const [, table = '', key = ''] = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/.exec(path) ?? [];
  const body = Object.hasOwn(tables, table) ? tables[table] : undefined;
  const isThere = typeof body === 'object' && !Array.isArray(body) && Object.hasOwn(body, key);
  return value === undefined && isThere ? [table, key] : undefined;
}

function tomlValue(path: string, text: string): unknown {
  if (text.length > CONFIG_LIMITS.VALUE_CHARS_MAX || /[\r\n]/.test(text))
    throw refused(
      path,
      `a value is one line of at most ${CONFIG_LIMITS.VALUE_CHARS_MAX} characters`,
      'edit the file',
    );
  try {
    const { value, ...others } = tomlOf(`value = ${text.trim()}`) as Record<string, unknown>;
    if (Object.keys(others).length === 0) return value;
  } catch {
    // Said below.
  }
  throw refused(
    path,
    `${text.slice(0, 64)} is no value of TOML`,
    'a text stands in quotes: "300 ms"; a number or true and false do not',
  );
}

/** Without tables that have no keys: an emptied table says nothing. */
function tablesOf(source: string, path: string): Tables {
  try {
    return tomlOf(source) as Tables;
  } catch (cause) {
    throw refused(path, `the file is no TOML: ${(cause as Error).message.split('\n')[0]}`);
  }
}

function same(a: Tables, b: Tables): boolean {
  return canonical(a) === canonical(b);
}

function canonical(tables: Tables): string {
  const full = Object.entries(tables).filter(([, keys]) => Object.keys(keys ?? {}).length > 0);
  const plain = JSON.stringify(Object.fromEntries(full), (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return canonicalJson(JSON.parse(plain));
}

function refused(
  subject: string,
  message: string,
  hint = 'check a whole text instead, or edit the file on the robot',
) {
  return new EdgeError('config.invalid', { operation: 'edit configuration', subject, message, hint });
}
