import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { TREE_LIMITS, type TreeElement, type TreeFile } from '../../contract/apps/index.ts';

export type TreeRead =
  | { readonly ok: true; readonly tree: TreeFile }
  | { readonly ok: false; readonly line?: number; readonly key?: string; readonly problem: string };

type Raw = Readonly<Record<string | symbol, unknown>>;
type Refused = { readonly line?: number; readonly key?: string; readonly problem: string };

const ATTRIBUTES = ':@';
const META = XMLParser.getMetaDataSymbol() as unknown as symbol;
/** The five entities of XML itself; others need a document type, which is refused. */
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

class Refusal extends Error {
  readonly refused: Refused;

  constructor(refused: Refused) {
    super(refused.problem);
    this.refused = refused;
  }
}

/** Reads a behavior tree file, or says in words what is wrong and where. Bounded in all directions; never throws. */
export function readTree(text: string): TreeRead {
  try {
    return { ok: true, tree: { root: rootOf(text) } };
  } catch (thrown) {
    if (thrown instanceof Refusal) return { ok: false, ...thrown.refused };
    return { ok: false, problem: `is not XML: ${(thrown as Error).message.slice(0, 200)}` };
  }
}

function rootOf(text: string): TreeElement {
  const lineAt = linesOf(text);
  boundsBefore(text, lineAt);
  const valid = XMLValidator.validate(text);
  if (valid !== true)
    throw new Refusal({ line: valid.err.line, problem: `is not XML: ${valid.err.msg.slice(0, 200)}` });
  const parser = new XMLParser({
    ...{ preserveOrder: true, ignoreAttributes: false, attributeNamePrefix: '', captureMetaData: true },
    ...{ parseAttributeValue: false, parseTagValue: false, processEntities: false, trimValues: true },
    ...{ ignoreDeclaration: true, maxNestedTags: TREE_LIMITS.DEPTH_MAX + 2 },
  });
  const parsed = parser.parse(text) as readonly Raw[];
  const roots = parsed.flatMap((raw) => elementOf(raw, lineAt, 1) ?? []);
  const root = roots.find(({ tag }) => tag === 'root');
  if (!root || roots.length !== 1)
    throw new Refusal({ line: 1, problem: 'expected one element <root BTCPP_format="4">' });
  return root;
}

/** What is refused before a parser sees it: one pass over the text, so that its own work is bounded too. */
function boundsBefore(text: string, lineAt: (index: number) => number): void {
  const { BYTES_MAX, ELEMENTS_MAX, DEPTH_MAX, ATTRIBUTES_MAX } = TREE_LIMITS;
  if (text.length > BYTES_MAX)
    throw new Refusal({
      problem: `has more than ${BYTES_MAX / 1024} KiB; split it into several applications`,
    });
  let elements = 0;
  let depth = 0;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    const refuse = (problem: string) => new Refusal({ line: lineAt(at), problem });
    if (text.startsWith('<!--', at)) {
      const end = text.indexOf('-->', at + 4);
      if (end < 0) throw refuse('is not XML: a comment starts here and does not end');
      at = end + 3;
      continue;
    }
    if (text.startsWith('<!', at) || (text.startsWith('<?', at) && !/^<\?xml\s/.test(text.slice(at, at + 6))))
      throw refuse('document types, entities, CDATA and processing instructions are not read; take them out');
    const { end, attributes } = tagAt(text, at + 1);
    if (end < 0) throw refuse('is not XML: an element starts here and does not end');
    if (attributes > ATTRIBUTES_MAX) throw refuse(`an element has more than ${ATTRIBUTES_MAX} attributes`);
    const first = text[at + 1];
    if (first === '/') depth--;
    else if (first !== '?') {
      elements++;
      if (text[end - 1] !== '/') depth++;
    }
    if (elements > ELEMENTS_MAX) throw refuse(`has more than ${ELEMENTS_MAX} elements`);
    if (depth > DEPTH_MAX)
      throw refuse(`elements are nested more than ${DEPTH_MAX} deep; move some into a tree of their own`);
    at = end + 1;
  }
}

/** Where a tag ends, -1 where it does not, and how many attributes it seems to have. */
function tagAt(text: string, start: number): { readonly end: number; readonly attributes: number } {
  let quote = '';
  let attributes = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === '<') break;
    if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'") {
      quote = char;
      attributes++;
    } else if (char === '>') return { end: at, attributes };
  }
  return { end: -1, attributes };
}

function elementOf(raw: Raw, lineAt: (index: number) => number, depth: number): TreeElement | undefined {
  const tag = Object.keys(raw).find((key) => key !== ATTRIBUTES);
  if (tag === undefined) return undefined;
  const meta = raw[META] as { readonly startIndex?: number } | undefined;
  const line = lineAt(meta?.startIndex ?? 0);
  if (depth > TREE_LIMITS.DEPTH_MAX) throw new Refusal({ line, problem: 'elements are nested too deep' });
  if (tag === '#text') throw new Refusal({ problem: 'text stands between elements; take it out' });
  const inner = raw[tag] as readonly Raw[];
  return {
    ...{ tag, line },
    attributes: attributesOf(raw[ATTRIBUTES] as Readonly<Record<string, unknown>> | undefined, tag, line),
    children: inner.flatMap((one) => elementOf(one, lineAt, depth + 1) ?? []),
  };
}

function attributesOf(
  raw: Readonly<Record<string, unknown>> | undefined,
  tag: string,
  line: number,
): Readonly<Record<string, string>> {
  const { ATTRIBUTES_MAX, ATTRIBUTE_CHARS_MAX } = TREE_LIMITS;
  const entries = Object.entries(raw ?? {});
  const refuse = (problem: string) => new Refusal({ line, key: `<${tag}>`, problem });
  if (entries.length > ATTRIBUTES_MAX) throw refuse(`has more than ${ATTRIBUTES_MAX} attributes`);
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (typeof value !== 'string') throw refuse(`${name} has no value; write ${name}="…"`);
      if (value.length > ATTRIBUTE_CHARS_MAX)
        throw refuse(`${name} has more than ${ATTRIBUTE_CHARS_MAX} characters`);
      if (name === '__proto__') throw refuse('an attribute may not be called __proto__');
      return [name, unescaped(value, (entity) => refuse(`${name}: the entity ${entity} is not known`))];
    }),
  );
}

function unescaped(value: string, refuse: (entity: string) => Error): string {
  return value.replaceAll(/&([^;\s]{0,16});?/g, (entity, name: string) => {
    const known = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
    if (known === undefined) throw refuse(entity.slice(0, 20));
    return known;
  });
}

/** The line of an index, from 1. */
function linesOf(text: string): (index: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (index) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
