import type { Node, SourceFile } from 'typescript/unstable/ast';
import type { Checker } from 'typescript/unstable/sync';
import type { Parsed } from './parsed.ts';
import { isGone, lineOf } from './syntax.ts';

/** One file under a rule. */
export type Look = {
  /** Called with each node of the program, parents first; types are gone by then. */
  readonly node?: (node: Node) => void;
  /** Called with each node of a type, and with what is in it. */
  readonly type?: (node: Node) => void;
  /** Called at the end. */
  readonly end?: () => void;
};

export type Subject = {
  readonly name: string;
  readonly tree: SourceFile;
  readonly checker: Checker;
  /** `what`: one word, so that an exception is `file: word`. */
  readonly note: (node: Node, what: string) => void;
};

/** A rule over one file at a time. */
export type Rule = {
  readonly holdsFor: (name: string) => boolean;
  /** A file whose text has nothing of this breaks the rule nowhere. Escapes in names always count. */
  readonly hint: RegExp;
  readonly look: (subject: Subject) => Look;
};

/** A place where a rule is broken. */
export type Finding = { readonly file: string; readonly line: number; readonly what: string };

const ESCAPE = /\\u/;

/** What breaks the rules, by rule, in `names`. Each file is read and walked once. */
export function inspect<const R extends Readonly<Record<string, Rule>>>(
  parsed: Parsed,
  names: readonly string[],
  rules: R,
): { readonly [K in keyof R]: readonly Finding[] } {
  const found = Object.fromEntries(Object.keys(rules).map((key) => [key, [] as Finding[]]));
  for (const [index, file] of names.entries()) {
    const tree = parsed.tree(file);
    const { text } = tree;
    const looks = Object.entries(rules)
      .filter(([, { holdsFor, hint }]) => holdsFor(file) && (hint.test(text) || ESCAPE.test(text)))
      .map(([key, rule]) =>
        rule.look({
          ...{ name: file, tree, checker: parsed.checker },
          note: (node, what) => found[key]!.push({ file, line: lineOf(tree, node), what }),
        }),
      );
    walk(
      tree,
      looks.flatMap(({ node }) => node ?? []),
      looks.flatMap(({ type }) => type ?? []),
    );
    for (const { end } of looks) end?.();
    if (index % FORGET_EVERY === 0) parsed.forget();
  }
  return found as { [K in keyof R]: Finding[] };
}

const FORGET_EVERY = 50;

type Visitors = readonly ((node: Node) => void)[];

function walk(node: Node, inProgram: Visitors, inTypes: Visitors): void {
  if (inProgram.length === 0 && inTypes.length === 0) return;
  node.forEachChild((child) => {
    const visitors = isGone(child) ? inTypes : inProgram;
    for (const visitor of visitors) visitor(child);
    walk(child, visitors, inTypes);
  });
}

/** `file: word` of each finding, once: how lists of exceptions name them. */
export function wordsOf(findings: readonly Finding[]): readonly string[] {
  return [...new Set(findings.map(({ file, what }) => `${file}: ${what}`))].sort();
}

/** The same where a list says how many there are: `file: word`, or `file: word (2)`. */
export function countsOf(findings: readonly Finding[]): readonly string[] {
  const groups = Map.groupBy(findings, ({ file, what }) => `${file}: ${what}`);
  return [...groups].map(([word, { length }]) => (length === 1 ? word : `${word} (${length})`)).sort();
}
