import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A package: the name of its folder, its SKILL.md (undefined: none), and what makes it worth a try. */
export type Package = {
  readonly about: string;
  readonly folder: string;
  readonly text: string | Uint8Array | undefined;
  readonly file?: string;
};

const head = (fields: string, body = '\nDo it.\n') => `---\n${fields}\n---\n${body}`;
const named = (name: string, folder = name) => ({
  folder,
  text: head(`name: ${name}\ndescription: Does things.`),
});
const described = (description: string) => ({
  folder: 'a-skill',
  text: head(`name: a-skill\ndescription: ${description}`),
});
const more = (fields: string) => ({
  folder: 'a-skill',
  text: head(`name: a-skill\ndescription: Does things.\n${fields}`),
});
const raw = (text: string | Uint8Array | undefined, file?: string) => ({
  folder: 'a-skill',
  text,
  ...(file === undefined ? {} : { file }),
});

const NAMES: readonly (readonly [string, { folder: string; text: string }])[] = [
  ['a plain name', named('pdf-tools')],
  ['one letter', named('a')],
  ['digits', named('3d')],
  ['a number', named('7')],
  ['64 characters', named('a'.repeat(64))],
  ['65 characters', named('a'.repeat(65))],
  ['capitals', named('Pdf')],
  ['an underscore', named('pdf_tools')],
  ['a dot', named('pdf.tools')],
  ['a space', named('pdf tools')],
  ['a hyphen first', named('-pdf')],
  ['a hyphen last', named('pdf-')],
  ['two hyphens', named('pdf--tools')],
  ['only a hyphen', named('"-"', '-')],
  ['another folder', named('pdf', 'doc')],
  ['another case of the folder', named('pdf', 'PDF')],
  ['an umlaut', named('prüfung')],
  ['an umlaut of two characters', { folder: 'pru\u0308fung', text: head('name: prüfung\ndescription: x') }],
  ['Cyrillic look-alikes', named('рdf')],
  ['Chinese', named('技能')],
  ['Arabic digits', named('٣d')],
  ['a full-width letter', { folder: 'pdf', text: head('name: ｐdf\ndescription: x') }],
  ['a ligature', { folder: 'file', text: head('name: ﬁle\ndescription: x') }],
  ['a combining mark alone', named('a\u0301\u0323x')],
  ['a superscript', { folder: 'a2', text: head('name: a²\ndescription: x') }],
  ['a fraction', { folder: 'a½', text: head('name: a½\ndescription: x') }],
  ['an emoji', named('😀')],
  ['a zero width joiner', named('a\u200db')],
  ['a right to left mark', named('a\u200fb')],
  ['a soft hyphen', named('a\u00adb')],
  ['a title case letter', named('ǅ')],
  ['a capital that has no lower case of one letter', named('İ')],
  ['sharp s', named('straße')],
  ['63 letters beyond the plane', named('𐐨'.repeat(63))],
  ['64 letters of two bytes', named('ü'.repeat(64))],
  ['65 letters of two bytes', named('ü'.repeat(65))],
  ['a roman numeral', named('ⅷ')],
  ['quotes', { folder: 'pdf', text: head("name: 'pdf'\ndescription: x") }],
  ['spaces round it', { folder: 'pdf', text: head('name: "  pdf "\ndescription: x') }],
  ['a no-break space round it', { folder: 'pdf', text: head('name: "\u00a0pdf"\ndescription: x') }],
  ['true', named('true')],
  ['null', named('null')],
  ['a tilde', named('~')],
  ['nothing', { folder: 'pdf', text: head('name:\ndescription: x') }],
  ['an empty string', { folder: 'pdf', text: head('name: ""\ndescription: x') }],
  ['a list', { folder: 'pdf', text: head('name:\n  - pdf\ndescription: x') }],
  ['a map', { folder: 'pdf', text: head('name:\n  pdf: x\ndescription: x') }],
  ['a slash', { folder: 'pdf', text: head('name: ../pdf\ndescription: x') }],
];

const DESCRIPTIONS: readonly (readonly [string, { folder: string; text: string }])[] = [
  ['1024 characters', described('d'.repeat(1024))],
  ['1025 characters', described('d'.repeat(1025))],
  ['1024 emoji', described('😀'.repeat(1024))],
  ['1024 and spaces round them', described(`"  ${'d'.repeat(1023)}  "`)],
  ['a colon inside', described('Use: when asked')],
  ['a colon inside quotes', described('"Use: when asked"')],
  ['a colon without space', described('a:b')],
  ['a hash', described('number #1')],
  ['three hyphens inside', described('first --- second')],
  ['folded lines', described('>\n  first\n  second')],
  ['literal lines', described('|\n  first\n  second')],
  ['literal lines with an indent of its own', described('|2\n   first')],
  ['stripped lines', described('>-\n  first')],
  ['a plain text over two lines', described('first\n  second')],
  ['a text that is not indented', described('first\nsecond')],
  ['double quotes with escapes', described('"a\\tb \\u00e9 \\U0001F600"')],
  ['a wrong escape', described('"a\\qb"')],
  ['an open quote', described('"abc')],
  ['text after a quote', described('"abc" def')],
  ['a quote doubled', described("'it''s'")],
  ['an at sign first', described('@x')],
  ['a backtick first', described('`x`')],
  ['a percent sign first', described('%x')],
  ['a question mark first', described('?x')],
  ['a brace first', described('{x')],
  ['a bracket last', described('x]')],
  ['a comma first', described(',x')],
  ['a star first', described('*x')],
  ['an ampersand first', described('&x y')],
  ['an exclamation mark first', described('!x y')],
  ['a tag', described('!!str x')],
  ['a list in brackets', described('[x, y]')],
  ['an empty map', described('{}')],
  ['a list', described('\n  - x')],
  ['a number', described('12')],
  ['a date', described('2026-11-21')],
  ['only a comment', described('# x')],
  ['only spaces', described('"   "')],
  ['nothing', described('')],
  ['a hyphen', described('-')],
  ['a hyphen and text', described('- x')],
  ['HTML', described('<b>bold</b> & more')],
  ['a tab after the colon', { folder: 'a-skill', text: head('name: a-skill\ndescription:\tx') }],
  ['a tab that indents', { folder: 'a-skill', text: head('name: a-skill\n\tdescription: x') }],
  ['a tab after more spaces', described(' \tx')],
  ['a tab at the end', described('x\t')],
  ['a tab inside', described('x\ty')],
  ['a tab in quotes', described('"x\ty"')],
  ['a tab before a comment', described('x \t# y')],
  ['a tab in a comment', described('x # y\tz')],
  ['a tab in literal lines', described('|\n  a:\tb')],
  ['a tab after the bar', described('|\t\n  x')],
  ['a tab on a line of its own', described('x\n\t\nlicense: MIT')],
  ['an equals sign', described('=')],
  ['two equals signs', described('==')],
  ['an equals sign in quotes', described('"="')],
  ['a next line character in quotes', described('"x\x85y"')],
  ['a next line character in literal lines', described('|\n  x\x85y')],
  ['a line separator in literal lines', described('|\n  x\u2028y')],
  ['a delete character', described('x\x7fy')],
  ['a private character', described('x\ue000y')],
  ['a bell as an escape', described('"\\x07"')],
  ['none', { folder: 'a-skill', text: head('name: a-skill') }],
];

const FIELDS: readonly (readonly [string, { folder: string; text: string }])[] = [
  ['a licence', more('license: Apache-2.0')],
  [
    'all known fields',
    more('license: MIT\ncompatibility: Node 24\nallowed-tools: robot.look\nmetadata:\n  version: "1.0.0"'),
  ],
  ['an unknown field', more('author: me')],
  ['a known field with a capital', more('License: MIT')],
  ['a known field with an underscore', more('allowed_tools: x')],
  ['a field of JavaScript', more('__proto__: x')],
  ['the constructor', more('constructor: x')],
  ['a merge key', more('<<:\n  license: MIT')],
  ['a merge of text', more('<<: x')],
  ['a merge of nothing', more('<<:')],
  ['a merge of maps', more('<<:\n  - license: MIT')],
  ['a merge in quotes', more('"<<": x')],
  ['a merge in metadata', more('metadata:\n  <<:\n    a: b')],
  ['a field twice', more('license: MIT\nlicense: BSD')],
  ['the name twice', more('name: a-skill')],
  ['a list as metadata', more('metadata:\n  - x')],
  ['text as metadata', more('metadata: x')],
  ['nested metadata', more('metadata:\n  a:\n    b: c')],
  ['metadata twice the same', more('metadata:\n  a: 1\n  a: 2')],
  ['metadata in braces', more('metadata: {a: b}')],
  ['a list of tools', more('allowed-tools:\n  - robot.look')],
  ['a list as licence', more('license:\n  - MIT')],
  ['500 characters of compatibility', more(`compatibility: ${'c'.repeat(500)}`)],
  ['501 characters of compatibility', more(`compatibility: ${'c'.repeat(501)}`)],
  ['a list as compatibility', more('compatibility:\n  - x')],
  ['empty compatibility', more('compatibility:')],
  ['an anchor', more('license: &a MIT')],
  ['an alias', more('license: &a MIT\ncompatibility: *a')],
  ['a comment', more('# a comment')],
  ['a key in quotes', more('"license": MIT')],
  ['a complex key', more('? license\n: MIT')],
  ['a list as key', more('? - a\n: MIT')],
  ['an indented field', more('  license: MIT')],
  ['a directive', { folder: 'a-skill', text: '---\n%YAML 1.2\nname: a-skill\ndescription: x\n---\n' }],
];

const FILES: readonly (readonly [string, Omit<Package, 'about'>])[] = [
  ['no SKILL.md', raw(undefined)],
  ['a lower-case file name', raw(head('name: a-skill\ndescription: x'), 'skill.md')],
  ['another case of the file name', raw(head('name: a-skill\ndescription: x'), 'Skill.md')],
  ['an empty file', raw('')],
  ['only hyphens', raw('---')],
  ['hyphens twice', raw('---\n---\n')],
  ['hyphens twice without a line between', raw('------')],
  ['no front matter', raw('# A skill\n')],
  ['front matter that is not closed', raw('---\nname: a-skill\ndescription: x\n')],
  ['a blank line before it', raw(`\n${head('name: a-skill\ndescription: x')}`)],
  ['a byte order mark', raw(`\ufeff${head('name: a-skill\ndescription: x')}`)],
  ['no body', raw('---\nname: a-skill\ndescription: x\n---')],
  ['a body of spaces', raw('---\nname: a-skill\ndescription: x\n---\n   \n')],
  ['lines of Windows', raw(head('name: a-skill\r\ndescription: x').replaceAll('\n', '\r\n'))],
  ['lines of old Macs', raw(head('name: a-skill\ndescription: x').replaceAll('\n', '\r'))],
  ['four hyphens', raw('----\nname: a-skill\ndescription: x\n---\n')],
  ['text after the hyphens', raw('--- yaml\nname: a-skill\ndescription: x\n---\n')],
  ['spaces after the hyphens', raw('---  \nname: a-skill\ndescription: x\n---  \nbody')],
  ['a list', raw(head('- name: a-skill'))],
  ['text', raw(head('a-skill'))],
  ['only a comment', raw(head('# name: a-skill'))],
  ['the end of a document', raw('---\nname: a-skill\ndescription: x\n...\n---\n')],
  ['no text at all', raw(new Uint8Array([0x2d, 0x2d, 0x2d, 0x0a, 0xff, 0xfe]))],
  [
    'a wrong byte in the body',
    raw(new Uint8Array([...Buffer.from(head('name: a-skill\ndescription: x')), 0xff])),
  ],
  ['a control character', raw(head('name: a-skill\ndescription: a\x07b'))],
  ['a NUL', raw(head('name: a-skill\ndescription: a\0b'))],
  ['a NUL in the body', raw(head('name: a-skill\ndescription: x', 'a\0b'))],
  ['a next line character', raw(head('name: a-skill\ndescription: a\u0085b'))],
  ['a line separator', raw(head('name: a-skill\ndescription: a\u2028b'))],
  ['a second front matter', raw(`${head('name: a-skill\ndescription: x')}---\nname: other\n---\n`)],
  ['YAML of another document in the body', raw(head('name: a-skill\ndescription: x', '\n---\n{{{\n'))],
];

export const PACKAGES: readonly Package[] = (
  [
    ['name', NAMES],
    ['description', DESCRIPTIONS],
    ['field', FIELDS],
    ['file', FILES],
  ] as const
).flatMap(([group, list]) =>
  list.map(([about, parts]): Package => ({ about: `${group}: ${about}`, ...parts })),
);

/** Writes one package into a folder of its own; returns the folder of the package. */
export function writePackage({ folder, text, file = 'SKILL.md' }: Package, within?: string): string {
  const root = mkdtempSync(join(within ?? tmpdir(), 'skill-'));
  const path = join(root, folder);
  mkdirSync(path, { recursive: true });
  if (text !== undefined) writeFileSync(join(path, file), text);
  return path;
}
