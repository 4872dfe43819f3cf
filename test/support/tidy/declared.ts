import {
  isBindingElement,
  isComputedPropertyName,
  isIdentifier,
  isObjectBindingPattern,
  type Node,
} from 'typescript/unstable/ast';
import { type Checker, type Type, TypeFlags, type Symbol as TypeSymbol } from 'typescript/unstable/sync';
import { ROOT } from './files.ts';
import { accessOf, textOf } from './syntax.ts';

/** A property that the program gets at: the files that declare it, from the root, or that its object is of any type. */
export type Reading = {
  readonly node: Node;
  readonly word: string;
  readonly files: readonly string[];
  readonly untyped: boolean;
};

/**
 * Collects where a file gets at properties of these names: `a.b`, `a['b']`, `const { b } = a`, and `a[x]` where `a` has
 * such a property. Where they are declared is asked once, at the end.
 */
export class Readings {
  readonly #words: readonly string[];
  readonly #checker: Checker;
  readonly #named: { readonly node: Node; readonly object: Node; readonly word: string }[] = [];
  readonly #known = new Map<string, readonly string[]>();
  readonly #computed: { readonly node: Node; readonly object: Node }[] = [];

  constructor(words: readonly string[], checker: Checker) {
    this.#words = words;
    this.#checker = checker;
  }

  look(node: Node): void {
    const access = accessOf(node);
    if (access) this.#take(node, access.object, access.name);
    else if (isBindingElement(node) && !node.dotDotDotToken) {
      const key = node.propertyName ?? node.name;
      if (key === undefined || !isObjectBindingPattern(node.parent)) return;
      const name = isIdentifier(key) ? key.text : textOf(isComputedPropertyName(key) ? key.expression : key);
      this.#take(node, node.parent, name);
    }
  }

  #take(node: Node, object: Node, word: string | undefined): void {
    if (word === undefined) this.#computed.push({ node, object });
    else if (this.#words.includes(word)) this.#named.push({ node, object, word });
  }

  /** What was found, with the files of its declarations. `a[x]` reads each of the words that `a` has. */
  all(): Reading[] {
    const wanted = [
      ...this.#named.map((one) => ({ ...one, words: [one.word] })),
      ...this.#computed.map((one) => ({ ...one, words: this.#words })),
    ];
    if (wanted.length === 0) return [];
    const types = this.#checker.getTypeAtLocation(wanted.map(({ object }) => object));
    return wanted.flatMap(({ node, words }, i) => {
      const type = types[i];
      if (type === undefined) return [];
      const untyped = (type.flags & TypeFlags.Any) !== 0;
      return words.flatMap((word) => {
        const files = this.#filesOf(type, word);
        return words.length > 1 && files.length === 0 ? [] : [{ node, word, files, untyped }];
      });
    });
  }

  #filesOf(type: Type, word: string): readonly string[] {
    const key = `${type.id} ${word}`;
    let files = this.#known.get(key);
    if (files === undefined) {
      files = filesOf(this.#checker.getPropertyOfType(type, word));
      this.#known.set(key, files);
    }
    return files;
  }
}

/** The files that declare it, from the root. */
export function filesOf(symbol: TypeSymbol | undefined): readonly string[] {
  return (symbol?.declarations ?? []).map(({ path }) =>
    path.startsWith(ROOT) ? path.slice(ROOT.length + 1) : path,
  );
}
