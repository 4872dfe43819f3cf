import {
  isBinaryExpression,
  isBindingElement,
  isIdentifier,
  isNewExpression,
  isObjectBindingPattern,
  isSpreadElement,
  isTypeOfExpression,
  isVariableDeclaration,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { namesTaken, specifierOf } from './module-names.ts';
import { roomOf } from './rooms.ts';
import type { Rule } from './rule.ts';
import { accessOf, around, bare, isUse, textOf } from './syntax.ts';

/** Rooms that may touch real time: code that is not the daemon. */
const FREE = [
  'test',
  'bench',
  'scripts',
  'cli',
  'bin',
  'clients',
  'console',
  'daemon/client',
  'vitest.config.ts',
];
/** Timers: no use of the name is anything else. */
const TIMERS = ['setTimeout', 'setInterval'];
/** Objects with a clock, chance or a timer in them: they are read by a property that is written out, and not by these. */
const WITHOUT: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  performance: ['now', 'timeOrigin', 'mark', 'measure'],
  Math: ['random'],
  AbortSignal: ['timeout'],
  process: ['hrtime', 'uptime'],
  Temporal: ['Now'],
};
/** Every global, as a property. */
const ALL = ['globalThis', 'global'];
const SOURCES = /^(?:node:)?(?:timers|timers\/promises|perf_hooks|process)$/;
/** What the modules above have that starts no timer and reads no clock. */
const HARMLESS = [
  'setImmediate',
  'clearImmediate',
  'clearTimeout',
  'clearInterval',
  'monitorEventLoopDelay',
  'PerformanceObserver',
];

/** Clocks, timers and chance outside of the adapter of the clock. */
export const CLOCKS: Rule = {
  holdsFor: (name) => !FREE.includes(roomOf(name)) && !name.startsWith('adapters/clock/'),
  hint: /\bset(?:Timeout|Interval)\b|\b(?:Date|performance|Math|AbortSignal|process|Temporal|global|globalThis)\b|timers|perf_hooks/,
  look: ({ note }) => {
    /** `node` is the global `word`, or stands for it. */
    const judge = (node: Node, word: string): void => {
      if (ALL.includes(word)) {
        const access = readBy(node);
        if (access?.name === undefined) note(node, word);
        else judge(around(node), access.name);
      } else if (TIMERS.includes(word)) note(node, word);
      else if (Object.hasOwn(WITHOUT, word)) judgeObject(node, word, WITHOUT[word]!);
    };
    const judgeObject = (node: Node, word: string, without: readonly string[]): void => {
      const access = readBy(node);
      if (access?.name !== undefined) {
        if (without.includes(access.name)) note(node, `${word}.${access.name}`);
      } else if (!isHarmless(node, word, without)) note(node, word);
    };
    return {
      node: (node) => {
        if (isIdentifier(node)) {
          if (isUse(node) && !isTypeOfExpression(around(node))) judge(node, node.text);
        } else if (SOURCES.test(textOf(specifierOf(node)) ?? '')) {
          for (const word of namesTaken(node) ?? ['*']) if (!HARMLESS.includes(word)) note(node, word);
        }
      },
    };
  },
};

/** Words for a person, outside of the command line. */
export const PRINTS: Rule = {
  holdsFor: (name) => !['test', 'bench', 'scripts', 'cli', 'bin', 'clients'].includes(roomOf(name)),
  hint: /console|globalThis|global\b/,
  look: ({ note }) => ({
    node: (node) => {
      if (isIdentifier(node) && node.text === 'console' && isUse(node)) note(node, 'console');
      const access = accessOf(node);
      if (access?.name === 'console' && isIdentifier(access.object) && ALL.includes(access.object.text))
        note(node, 'console');
    },
  }),
};

/** The property of it that is read, where `node` is the object of an access. */
function readBy(node: Node): ReturnType<typeof accessOf> {
  const outer = around(node);
  const access = outer && accessOf(outer);
  return access && access.object === bare(node) ? access : undefined;
}

/** Uses of the whole object that get at nothing of it that is refused. */
function isHarmless(node: Node, word: string, without: readonly string[]): boolean {
  const outer = around(node);
  if (word === 'process') return !isTakenApart(outer, without);
  if (isBinaryExpression(outer)) return outer.operatorToken.kind === SyntaxKind.InstanceOfKeyword;
  if (word !== 'Date' || !isNewExpression(outer)) return false;
  // A date of something that is given.
  const [first] = outer.arguments ?? [];
  return bare(outer.expression) === node && first !== undefined && !isSpreadElement(first);
}

/** `const { hrtime } = process`. The process itself is an emitter that may be given to others. */
function isTakenApart(outer: Node, without: readonly string[]): boolean {
  if (!isVariableDeclaration(outer) || !isObjectBindingPattern(outer.name)) return false;
  return outer.name.elements.some((element) => {
    if (!isBindingElement(element)) return false;
    const key = element.propertyName ?? element.name;
    return key !== undefined && isIdentifier(key) && without.includes(key.text);
  });
}
