import {
  isArrowFunction,
  isCallExpression,
  isFunctionExpression,
  isIdentifier,
  isImportDeclaration,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPropertyAssignment,
  isShorthandPropertyAssignment,
  isSpreadAssignment,
  isStringLiteral,
  isTaggedTemplateExpression,
  type Node,
} from 'typescript/unstable/ast';
import { SignatureKind } from 'typescript/unstable/sync';
import { filesOf, Readings } from './declared.ts';
import { roomOf } from './rooms.ts';
import type { Rule } from './rule.ts';
import { accessOf, bare, textOf } from './syntax.ts';

/** What leaves a test out, repeats it or turns its verdict round. */
const MARKS = ['only', 'skip', 'todo', 'skipIf', 'runIf', 'fails', 'retry', 'repeats'];
const VITEST = /(?:^|\/)node_modules\/(?:@?vitest)\//;

/** Marks of Vitest: on tests, on suites, in their options, in what a test is given. */
export const TEST_MARKS: Rule = {
  holdsFor: (name) => roomOf(name) === 'test' || /\.test\.[cm]?[jt]sx?$/.test(name) || name.startsWith('vitest.config'),
  hint: /\b(?:only|skip|todo|skipIf|runIf|fails|retry|repeats)\b|vitest|node:test/,
  look: ({ checker, note }) => {
    const readings = new Readings(MARKS, checker);
    const objects: Node[] = [];
    const options: Node[] = [];
    return {
      node: (node) => {
        readings.look(node);
        if (isObjectLiteralExpression(node) && markOf(node) !== undefined) objects.push(node);
        else if (isCallExpression(node)) options.push(...optionsOf(node));
        else if (isImportDeclaration(node) && textOf(node.moduleSpecifier) === 'node:test')
          note(node, 'node:test');
      },
      end: () => {
        for (const { node, word, files } of readings.all())
          if (files === undefined ? isOfTest(node) : files.some((file) => VITEST.test(file))) note(node, word);
        for (const node of objects) {
          const word = markOf(node)!;
          const type = checker.getContextualType(node as Parameters<typeof checker.getContextualType>[0]);
          const files = type && filesOf(checker.getPropertyOfType(type, word));
          if (files?.some((file) => VITEST.test(file))) note(node, word);
        }
        for (const node of options) {
          const type = checker.getTypeAtLocation(node);
          if (!type || checker.getSignaturesOfType(type, SignatureKind.Call).length === 0) note(node, 'options');
        }
      },
    };
  },
};

/** A mark that an object literal has as a key. */
function markOf(node: Node): string | undefined {
  if (!isObjectLiteralExpression(node)) return undefined;
  const keys = node.properties.flatMap((property) => {
    if (!isPropertyAssignment(property) && !isShorthandPropertyAssignment(property)) return [];
    const { name } = property;
    return isIdentifier(name) || isStringLiteral(name) ? [name.text] : [];
  });
  return keys.find((key) => MARKS.includes(key));
}

/** Arguments of a test behind its name that are no body and not written out where they stand. */
function optionsOf(node: Node): Node[] {
  if (!isCallExpression(node) || !isOfTest(node.expression)) return [];
  return node.arguments.slice(1).flatMap((argument) => {
    const it = bare(argument);
    if (isArrowFunction(it) || isFunctionExpression(it) || isNumericLiteral(it)) return [];
    if (isObjectLiteralExpression(it)) return it.properties.filter(isSpreadAssignment);
    return [it];
  });
}

/** Whether an expression is `it`, `test`, `describe` or `suite`, with whatever was asked of it. */
function isOfTest(node: Node): boolean {
  const it = bare(node);
  if (isIdentifier(it)) return ['it', 'test', 'describe', 'suite'].includes(it.text);
  if (isCallExpression(it)) return isOfTest(it.expression);
  if (isTaggedTemplateExpression(it)) return isOfTest(it.tag);
  const access = accessOf(it);
  return access !== undefined && isOfTest(access.object);
}
