import { type FrontMatter, splitFrontMatter } from './front-matter.ts';

/** Of the Agent Skills format, in Unicode code points. */
const NAME_MAX = 64;
const DESCRIPTION_MAX = 1_024;
const COMPATIBILITY_MAX = 500;
const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'description',
  'license',
  'allowed-tools',
  'metadata',
  'compatibility',
]);

export type ParsedSkill = {
  readonly name: string;
  readonly description: string;
  readonly license: string | undefined;
  readonly compatibility: string | undefined;
  readonly allowedTools: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Verdict =
  | { readonly ok: true; readonly skill: ParsedSkill }
  | { readonly ok: false; readonly problems: readonly string[] };

/** What Python's `str.strip` takes away; JavaScript's `trim` takes a little other. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const EDGES = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

/**
 * Judges the text of a SKILL.md in a folder of that name by the Agent Skills format, with the verdicts of its
 * reference validator (`skills-ref`): every problem, not only the first. An empty body is valid. Pure.
 */
export function parseSkill(text: string, folder: string): Verdict {
  const split = splitFrontMatter(text);
  if (!split.ok) return { ok: false, problems: [split.problem] };
  const { fields, body } = split;
  const problems = [
    ...Object.keys(fields)
      .filter((field) => !FIELDS.has(field))
      .map((field) => `${field}: unknown field; known are ${[...FIELDS].join(', ')}`),
    ...nameProblems(fields, folder),
    ...descriptionProblems(fields),
    ...compatibilityProblems(fields),
  ];
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    skill: {
      name: strip(fields['name'] as string).normalize('NFKC'),
      description: strip(fields['description'] as string),
      license: textOf(fields['license']),
      compatibility: textOf(fields['compatibility']),
      allowedTools: textOf(fields['allowed-tools']),
      metadata: metadataOf(fields['metadata']),
      body,
    },
  };
}

function nameProblems(fields: FrontMatter, folder: string): string[] {
  if (!('name' in fields)) return ['name: missing'];
  const told = fields['name'];
  if (typeof told !== 'string' || strip(told) === '') return ['name: must be text that is not empty'];
  const name = strip(told).normalize('NFKC');
  const problems: string[] = [];
  if (points(name) > NAME_MAX) problems.push(`name: ${points(name)} characters, at most ${NAME_MAX}`);
  if (name !== name.toLowerCase()) problems.push('name: must be lower case');
  if (name.startsWith('-') || name.endsWith('-')) problems.push('name: must not start or end with a hyphen');
  if (name.includes('--')) problems.push('name: must not have two hyphens in a row');
  if (!/^[\p{L}\p{N}-]*$/u.test(name)) problems.push('name: letters, digits and hyphens only');
  if (folder.normalize('NFKC') !== name)
    problems.push(`name: ${quoted(name)} is not the name of its folder, ${quoted(folder)}`);
  return problems;
}

function descriptionProblems(fields: FrontMatter): string[] {
  if (!('description' in fields)) return ['description: missing'];
  const told = fields['description'];
  if (typeof told !== 'string' || strip(told) === '') return ['description: must be text that is not empty'];
  if (points(told) <= DESCRIPTION_MAX) return [];
  return [`description: ${points(told)} characters, at most ${DESCRIPTION_MAX}`];
}

function compatibilityProblems(fields: FrontMatter): string[] {
  if (!('compatibility' in fields)) return [];
  const told = fields['compatibility'];
  if (typeof told !== 'string') return ['compatibility: must be text'];
  if (points(told) <= COMPATIBILITY_MAX) return [];
  return [`compatibility: ${points(told)} characters, at most ${COMPATIBILITY_MAX}`];
}

function metadataOf(told: FrontMatter[string] | undefined): Record<string, string> {
  if (typeof told !== 'object' || Array.isArray(told)) return {};
  const entries = Object.entries(told).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function textOf(told: FrontMatter[string] | undefined): string | undefined {
  return typeof told === 'string' ? told : undefined;
}

function strip(text: string): string {
  return text.replace(EDGES, '');
}

function points(text: string): number {
  return [...text].length;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
