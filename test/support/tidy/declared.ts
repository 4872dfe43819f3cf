import {
  isBindingElement,
  isComputedPropertyName,
  isElementAccessExpression,
  isIdentifier,
  type Node,
} from 'typescript/unstable/ast';
import type { Checker, Symbol as TypeSymbol } from 'typescript/unstable/sync';
import { ROOT } from './files.ts';
import { accessOf, textOf } from './syntax.ts';

/** A property that the program gets at, and the files that declare it, from the root; undefined where it has no type. */
export type Reading = { readonly node: Node; readonly word: string; readonly files: readonly string[] | undefined };

/**
 * Collects where a file gets at properties of these names: `a.b`, `a['b']`, `const { b } = a`, and `a[x]` where `a` has
 * such a property. Where they are declared is asked once, at the end.
 */
export class Readings {
  readonly #words: readonly string[];
  readonly #checker: Checker;
  readonly #named: { readonly node: Node; readonly key: Node; readonly word: string }[] = [];
  readonly #computed: { readonly node: Node; readonly object: Node }[] = [];
  readonly #taken: { readonly node: Node; readonly pattern: Node; readonly word: string }[] = [];

  constructor(words: readonly string[], checker: Checker) {
    this.#words = words;
    this.#checker = checker;
  }

  look(node: Node): void {
    const access = accessOf(node);
    if (access) {
      const { name, key, object } = access;
      if (name === undefined) this.#computed.push({ node, object });
      else if (!this.#words.includes(name)) return;
      else if (isElementAccessExpression(node)) this.#taken.push({ node, pattern: object, word: name });
      else this.#named.push({ node, key, word: name });
    } else if (isBindingElement(node) && !node.dotDotDotToken) {
      const key = node.propertyName ?? node.name;
      if (key === undefined) return;
      const word = isIdentifier(key) ? key.text : textOf(isComputedPropertyName(key) ? key.expression : key);
      if (word === undefined) this.#computed.push({ node, object: node.parent });
      else if (this.#words.includes(word)) this.#taken.push({ node, pattern: node.parent, word });
    }
  }

  /** What was found, with the files of its declarations. */
  all(): Reading[] {
    const checker = this.#checker;
    const symbols = this.#named.length === 0 ? [] : checker.getSymbolAtLocation(this.#named.map(({ key }) => key));
    const named = this.#named.map(({ node, word }, i) => ({ node, word, files: filesOf(symbols[i]) }));
    const taken = this.#taken.map(({ node, pattern, word }) => ({ node, word, files: this.#ofType(pattern, word) }));
    return [...named, ...taken, ...this.#computedOnes()];
  }

  #ofType(node: Node, word: string): readonly string[] | undefined {
    const type = this.#checker.getTypeAtLocation(node);
    return type && filesOf(this.#checker.getPropertyOfType(type, word));
  }

  /** `a[x]` reads each of the words that `a` has; where it has none, nothing. */
  #computedOnes(): Reading[] {
    if (this.#computed.length === 0) return [];
    const types = this.#checker.getTypeAtLocation(this.#computed.map(({ object }) => object));
    const known = new Map<number, { readonly word: string; readonly files: readonly string[] }[]>();
    return this.#computed.flatMap(({ node }, i) => {
      const type = types[i];
      if (type === undefined) return [];
      let found = known.get(type.id);
      if (found === undefined) {
        found = this.#words.flatMap((word) => {
          const files = filesOf(this.#checker.getPropertyOfType(type, word));
          return files === undefined ? [] : [{ word, files }];
        });
        known.set(type.id, found);
      }
      return found.map((one) => ({ node, ...one }));
    });
  }
}

/** From the root, in lower case where the file system of the compiler has no case. Undefined: not declared anywhere. */
export function filesOf(symbol: TypeSymbol | undefined): readonly string[] | undefined {
  if (symbol === undefined || symbol.declarations.length === 0) return undefined;
  return symbol.declarations.map(({ path }) => (path.startsWith(ROOT) ? path.slice(ROOT.length + 1) : path));
}
