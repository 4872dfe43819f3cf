import { readFileSync } from 'node:fs';
import { EdgeError, type PolicyContext, type PolicyVerdict } from '../../contract/core.ts';
import type { PolicyLaw } from '../../daemon/compose/policy-law.ts';
import { tomlOf } from '../../daemon/config.ts';
import { isWhen, oddValue, WHEN_TEXT } from './case-values.ts';

export type CaseResult = {
  readonly name: string;
  readonly ok: boolean;
  readonly expected: string;
  readonly found: PolicyVerdict;
};

type Decide = PolicyLaw['decide'];
type PolicyCase = Parameters<Decide>[0];

const POINTS = ['intent', 'tool', 'model', 'egress', 'approval'] as const;
const DECISIONS = ['allow', 'deny', 'needs_approval'] as const;
const ORIGINS: readonly PolicyContext['origin'][] = [
  ...(['api', 'schedule', 'ros', 'zenoh', 'central', 'run', 'mcp', 'webhook', 'a2a'] as const),
];

const isText = (value: unknown): value is string => typeof value === 'string';
const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const oneOf = (names: readonly string[]) => ({
  is: (value: unknown) => names.includes(value as string),
  what: `one of ${names.join(', ')}`,
});
const name = { is: (value: unknown) => isText(value) && value !== '', what: 'a name, as text' };

type Key = { readonly is: (value: unknown) => boolean; readonly what: string; readonly needed?: boolean };

/** The keys of a case, and what each may hold. */
const KEYS: Readonly<Record<string, Key>> = {
  name,
  point: { ...oneOf(POINTS), needed: true },
  subject: { ...name, needed: true },
  principal: name,
  tenant: name,
  roles: {
    is: (value) => Array.isArray(value) && value.every(isText),
    what: 'a list of names, for example ["operator"]',
  },
  origin: oneOf(ORIGINS),
  grant: name,
  app: name,
  facts: { is: isTable, what: 'a table' },
  about: { is: (value) => isTable(value) && Object.values(value).every(isText), what: 'a table of texts' },
  time: { is: isWhen, what: WHEN_TEXT },
  expect: { ...oneOf(DECISIONS), needed: true },
  by: name,
};

/** Judges the cases of a TOML or JSON file (`[[case]]`). Throws `schema.invalid` with the case and the key that is wrong. */
export function runCases(file: string, decide: Decide): readonly CaseResult[] {
  return readCases(file).map((row, index) => {
    const where = `${file}: case ${index + 1}`;
    const { name: title, time, expect, by, ...one } = caseOf(row, where);
    const found = decided(decide, one, time === undefined ? 0 : new Date(time).getTime(), where);
    return {
      name: title ?? `${one.point} ${one.subject}`,
      ok:
        found.decision === expect && (by === undefined || found.determining.some((id) => isOrEndsIn(id, by))),
      expected: by === undefined ? expect : `${expect} by ${by}`,
      found,
    };
  });
}

/** `by` is the id of a policy, whole or as it stands in its file: `light` of `crane/policies/own.cedar#light`. */
function isOrEndsIn(id: string, by: string): boolean {
  return id === by || id.endsWith(`#${by}`) || id.endsWith(`/${by}`);
}

function decided(decide: Decide, one: PolicyCase, tsMs: number, where: string): PolicyVerdict {
  try {
    return decide(one, tsMs);
  } catch (thrown) {
    throw wrong(where, EdgeError.from(thrown, 'schema.invalid', 'policy test', where).message);
  }
}

function readCases(file: string): readonly unknown[] {
  const value = parsed(file);
  // A table under another name would be passed over in silence.
  const stranger = isTable(value) ? Object.keys(value).find((key) => key !== 'case') : undefined;
  if (stranger !== undefined) throw wrong(file, `only [[case]], not "${stranger}"`);
  const rows = Array.isArray(value) ? value : isTable(value) ? value['case'] : undefined;
  if (Array.isArray(rows) && rows.length > 0) return rows;
  throw wrong(file, 'a list of [[case]] expected');
}

function parsed(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw wrong(file, `cannot be read: ${(thrown as Error).message}`);
  }
  try {
    return file.endsWith('.json') ? JSON.parse(text) : tomlOf(text);
  } catch (thrown) {
    throw wrong(file, (thrown as Error).message.split('\n')[0]!);
  }
}

type Row = PolicyCase & {
  readonly name?: string;
  readonly time?: string | Date;
  readonly expect: (typeof DECISIONS)[number];
  readonly by?: string;
};

function caseOf(row: unknown, where: string): Row {
  if (!isTable(row)) throw wrong(where, 'a table expected');
  const stranger = Object.keys(row).find((key) => !Object.hasOwn(KEYS, key));
  if (stranger !== undefined)
    throw wrong(where, `only the keys ${Object.keys(KEYS).join(', ')}, not "${stranger}"`);
  for (const [key, { is, what, needed = false }] of Object.entries(KEYS)) {
    const value = row[key];
    if (value === undefined ? needed : !is(value)) throw wrong(where, `${key} = ${what}`);
  }
  const odd = oddValue(row['facts']);
  if (odd !== undefined) throw wrong(where, odd);
  return { facts: {}, about: {}, ...row } as Row;
}

function wrong(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'policy test',
    subject,
    message: `${subject}: ${message}`,
  });
}
