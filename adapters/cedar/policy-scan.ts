import { LIMITS } from '../../contract/core.ts';

/** Part of an expression between two brackets, or between two commas of it. */
type Level = {
  /** Operators of one chain, such as `||`: Cedar nests its operands. */
  chain: number;
  /** Attributes, calls and comparisons of the current operand, and the most of any operand. */
  tail: number;
  tailMax: number;
  /** Height of what stands in brackets, and of the parts before the last comma. */
  inner: number;
  before: number;
};

export type Scan = {
  /** Statements that end in a semicolon. */
  readonly policies: number;
  /** Height of the highest expression: a bracket counts two, operators of a chain, attributes and comparisons one. */
  readonly depth: number;
  /** Where in the text the first expression passes `CEDAR_DEPTH_MAX`; undefined where none does. */
  readonly tooDeepAt: number | undefined;
};

const BRACKET = 2;
const TOKEN =
  /"(?:[^"\\]|\\[\s\S])*"?|\/\/[^\n]*|\|\||&&|[=!<>]=|[()[\]{},;.+*<>-]|@|[A-Za-z_][A-Za-z0-9_]*/g;

/**
 * Measures a text before Cedar parses it. Cedar walks the tree of an expression by recursion, and an expression that
 * is too high overflows the stack of WebAssembly. Never throws; the text need not be valid.
 */
export function scanPolicies(text: string): Scan {
  let levels: Level[] = [level()];
  let [policies, depth] = [0, 0];
  let tooDeepAt: number | undefined;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const top = levels.at(-1)!;
    switch (token) {
      case '(':
      case '[':
      case '{':
        levels.push(level());
        break;
      case ')':
      case ']':
      case '}':
        if (levels.length > 1) {
          levels.pop();
          const outer = levels.at(-1)!;
          outer.inner = Math.max(outer.inner, BRACKET + heightOf(top));
          follow(outer);
        }
        break;
      case ',':
        top.before = heightOf(top);
        Object.assign(top, { chain: 0, tail: 0, tailMax: 0, inner: 0 });
        break;
      case ';':
        policies++;
        levels = [level()];
        break;
      case '||':
      case '&&':
      case '+':
      case '-':
      case '*':
      case 'if':
        top.chain++;
        top.tail = 0;
        break;
      case '@':
      case 'when':
      case 'unless':
        if (levels.length === 1) levels = [level()];
        break;
      case '.':
      case '==':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=':
      case 'in':
      case 'has':
      case 'like':
      case 'is':
        follow(top);
    }
    const height = Math.max(heightOf(levels.at(-1)!), BRACKET * (levels.length - 1));
    depth = Math.max(depth, height);
    if (height > LIMITS.CEDAR_DEPTH_MAX) tooDeepAt ??= index;
  }
  return { policies, depth, tooDeepAt };
}

function level(): Level {
  return { chain: 0, tail: 0, tailMax: 0, inner: 0, before: 0 };
}

function follow(level: Level): void {
  level.tailMax = Math.max(level.tailMax, ++level.tail);
}

function heightOf({ chain, tailMax, inner, before }: Level): number {
  return Math.max(before, chain + tailMax + inner);
}
