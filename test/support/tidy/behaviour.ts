import {
  isForInStatement,
  isForOfStatement,
  isIdentifier,
  isStringLiteral,
  isVariableDeclarationList,
  type Node,
  NodeFlags,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { roomOf } from './rooms.ts';
import type { Rule } from './rule.ts';

/** What does something where things are only made of each other. */
const WORDS: Readonly<Partial<Record<SyntaxKind, string>>> = {
  [SyntaxKind.ClassDeclaration]: 'class',
  [SyntaxKind.ClassExpression]: 'class',
  [SyntaxKind.WhileStatement]: 'loop',
  [SyntaxKind.DoStatement]: 'loop',
  [SyntaxKind.ForStatement]: 'loop',
  [SyntaxKind.YieldExpression]: 'generator',
};
const TIMERS = ['setTimeout', 'setInterval', 'setImmediate', 'scheduler'];

/** Classes, timers, generators, and every loop but one over things that are there, in the composition. */
export const BEHAVIOUR: Rule = {
  holdsFor: (name) => roomOf(name) === 'daemon/compose',
  hint: /class|while|do|for|yield|\*|set(?:Timeout|Interval|Immediate)|scheduler/,
  look: ({ note }) => ({
    node: (node) => {
      const word = WORDS[node.kind] ?? wordOf(node);
      if (word !== undefined) note(node, word);
    },
  }),
};

function wordOf(node: Node): string | undefined {
  if (isForOfStatement(node) || isForInStatement(node))
    return isOverThings(node.initializer) ? undefined : 'loop';
  if ((isIdentifier(node) || isStringLiteral(node)) && TIMERS.includes(node.text)) return 'timer';
  const { asteriskToken } = node as Node & { readonly asteriskToken?: Node };
  return asteriskToken === undefined ? undefined : 'generator';
}

function isOverThings(initializer: Node): boolean {
  return isVariableDeclarationList(initializer) && (initializer.flags & NodeFlags.Const) !== 0;
}
