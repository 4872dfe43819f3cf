import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml';

/** Values of front matter: text, and nothing that YAML would convert text to. */
export type FrontValue = string | readonly FrontValue[] | { readonly [key: string]: FrontValue };
export type FrontMatter = Readonly<Record<string, FrontValue>>;

export type Split =
  | { readonly ok: true; readonly fields: FrontMatter; readonly body: string }
  | { readonly ok: false; readonly problem: string };

/** Deeper nesting is no metadata. */
const DEPTH_MAX = 16;
/** What the lexer of `yaml` gives before a plain or a block scalar. */
const SCALAR = '\x1f';

/**
 * The head and body of a SKILL.md. The head is the small YAML of the reference validator (strictyaml): block style,
 * every scalar is text, no tags, anchors, aliases, flow collections or duplicate keys. Never throws.
 */
export function splitFrontMatter(source: string): Split {
  const text = source.replace(/\r\n?/g, '\n');
  if (!text.startsWith('---')) return bad('SKILL.md does not start with front matter (---)');
  const end = text.indexOf('---', 3);
  if (end < 0) return bad('the front matter is not closed with ---');
  const written = text.slice(3, end);
  const odd = oddCharacter(written);
  if (odd !== undefined) return bad(`the front matter has ${odd}`);
  // A next line character (YAML 1.1) is a fold like any other.
  const head = written.replaceAll('\x85', ' ');
  let document: Document.Parsed;
  try {
    document = parseDocument(head, {
      schema: 'failsafe',
      version: '1.2',
      uniqueKeys: true,
      strict: true,
      merge: false,
      prettyErrors: false,
    });
  } catch (error) {
    return bad(`the front matter is not YAML: ${(error as Error).message}`);
  }
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) return bad(`the front matter is not YAML: ${fault.message}`);
  const foreign = strange(document);
  if (foreign !== undefined)
    return bad(`the front matter has ${foreign}, which this format does not support`);
  if (!isMap(document.contents)) return bad('the front matter is not a list of fields');
  const fields = plain(document.contents, 0);
  if (fields === undefined) return bad('the front matter is nested too deeply');
  return { ok: true, fields: fields as FrontMatter, body: text.slice(end + 3).trim() };
}

/** What YAML does not let stand in a text; tabs may stand in quotes, blocks and comments, and nowhere else. */
function oddCharacter(head: string): string | undefined {
  if (/[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(head))
    return 'a character that is not printable';
  let header = false;
  let before = '';
  for (const lexeme of new Lexer().lex(head)) {
    const block = header && before === SCALAR;
    if (block && /[\x85\u2028\u2029]/.test(lexeme)) return 'a line break of another kind in a block of text';
    if (lexeme.includes('\t') && !block && !/^["'#]/.test(lexeme)) return 'a tab between words';
    if (block) header = false;
    else if (before !== SCALAR && /^[|>]/.test(lexeme)) header = true;
    before = lexeme;
  }
  return undefined;
}

function strange(document: Document.Parsed): string | undefined {
  let found: string | undefined;
  visit(document, (_key, node) => {
    if (found !== undefined) return visit.BREAK;
    if (isPair(node) && isMerge(node) && !mergeable(node.value))
      found = 'a merge of values that are not maps';
    if (isAlias(node)) found = 'an alias';
    else if ((isMap(node) || isSeq(node)) && node.flow) found = 'a list or map in brackets';
    else if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) found = 'an anchor';
    else if ((isMap(node) || isSeq(node) || isScalar(node)) && tagged(node)) found = 'a tag';
    return undefined;
  });
  return found;
}

function mergeable(value: unknown): boolean {
  return isMap(value) || (isSeq(value) && value.items.every((item) => isMap(item)));
}

/** `<<` without quotes merges a map, or maps, into the one it stands in. */
function isMerge({ key }: Pair): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.value === '<<';
}

/** With the failsafe schema only a tag that was written is kept on a node. */
function tagged(node: Node & { tag?: string }): boolean {
  return node.tag !== undefined;
}

function plain(node: unknown, depth: number): FrontValue | undefined {
  if (depth > DEPTH_MAX) return undefined;
  // YAML 1.1 knows a bare `=` as a value of its own kind: it is no text.
  if (isScalar(node) && node.type === 'PLAIN' && node.value === '=') return [];
  if (isScalar(node)) return node.value === null ? '' : String(node.value);
  if (isSeq(node)) {
    const items = node.items.map((item) => plain(item, depth + 1));
    return items.some((item) => item === undefined) ? undefined : (items as FrontValue[]);
  }
  if (!isMap(node)) return '';
  const fields: [string, FrontValue][] = [];
  for (const pair of node.items) {
    const { key, value } = pair;
    const told = plain(value, depth + 1);
    if (told === undefined) return undefined;
    if (!isMerge(pair)) fields.push([String(isScalar(key) ? key.value : key), told]);
    // The reference forgets what is merged into the head itself.
    else if (depth > 0) fields.push(...Object.entries(Object.assign({}, ...[told].flat()) as FrontMatter));
  }
  // Whatever a key is called, it is only a name here.
  return Object.assign(Object.create(null) as Record<string, FrontValue>, Object.fromEntries(fields));
}

function bad(problem: string): Split {
  return { ok: false, problem: problem.slice(0, 512) };
}
