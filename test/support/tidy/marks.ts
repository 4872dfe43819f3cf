import {
  type CallExpression,
  type ImportDeclaration,
  isArrowFunction,
  isCallExpression,
  isComputedPropertyName,
  isFunctionExpression,
  isIdentifier,
  isImportDeclaration,
  isNamedImports,
  isNamespaceImport,
  isNumericLiteral,
  isObjectLiteralExpression,
  isPropertyAssignment,
  isShorthandPropertyAssignment,
  isSpreadAssignment,
  isTaggedTemplateExpression,
  isTypeOfExpression,
  type Node,
  type ObjectLiteralExpression,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { SignatureKind } from 'typescript/unstable/sync';
import { filesOf, Readings } from './declared.ts';
import { roomOf } from './rooms.ts';
import type { Rule } from './rule.ts';
import { accessOf, around, bare, isUse, textOf } from './syntax.ts';

/** What leaves a test out, repeats it or turns its verdict round. */
const MARKS = ['only', 'skip', 'todo', 'skipIf', 'runIf', 'fails', 'retry', 'repeats'];
const TESTS = ['it', 'test', 'describe', 'suite'];
const VITEST = /(?:^|\/)node_modules\/(?:@?vitest)\//;

/** Marks of Vitest: on tests, on suites, in their options, in what a test is given. */
export const TEST_MARKS: Rule = {
  holdsFor: (name) =>
    roomOf(name) === 'test' || /\.test\.[cm]?[jt]sx?$/.test(name) || name.startsWith('vitest.config'),
  hint: /\b(?:only|skip|todo|skipIf|runIf|fails|retry|repeats)\b|vitest|node:test/,
  look: ({ tree, checker, note }) => {
    const readings = new Readings(MARKS, checker);
    const objects: ObjectLiteralExpression[] = [];
    /** Uses of what is imported from Vitest, and arguments of a test that are written elsewhere. */
    const whole: Node[] = [];
    const options: Node[] = [];
    const names = new Set(tree.statements.flatMap(testNames));
    return {
      node: (node) => {
        readings.look(node);
        if (isImportDeclaration(node)) {
          if (textOf(node.moduleSpecifier) === 'node:test') note(node, 'node:test');
        } else if (isNamespaceImport(node)) {
          if (textOf((node.parent.parent as ImportDeclaration).moduleSpecifier) === 'vitest')
            note(node, 'vitest');
        } else if (isObjectLiteralExpression(node)) {
          if (markOf(node) !== undefined) objects.push(node);
        } else if (isCallExpression(node)) options.push(...optionsOf(node, names));
        else if (isIdentifier(node) && names.has(node.text) && isUse(node) && !isCalled(node))
          whole.push(node);
      },
      end: () => {
        const isVitest = (files: readonly string[]) => files.some((file) => VITEST.test(file));
        const isTest = (node: Node) => rootOf(node, names) !== undefined;
        for (const { node, word, files } of readings.all())
          if (isVitest(files) || (files.length === 0 && isTest(node))) note(node, word);
        for (const node of objects) {
          const word = markOf(node)!;
          const type = checker.getContextualType(node);
          if (type && isVitest(filesOf(checker.getPropertyOfType(type, word)))) note(node, word);
        }
        // A variable of a test may have the same name.
        const isImported = (node: Node) =>
          checker
            .getSymbolAtLocation(rootOf(node, names) ?? node)
            ?.declarations.some(({ kind }) => kind === SyntaxKind.ImportSpecifier);
        for (const node of whole) if (isImported(node)) note(node, 'alias');
        for (const node of options) {
          const type = checker.getTypeAtLocation(node);
          const isBody = type && checker.getSignaturesOfType(type, SignatureKind.Call).length > 0;
          if (isBody || !isImported(callAround(node).expression)) continue;
          note(node, (isObjectLiteralExpression(node) && markOf(node)) || 'options');
        }
      },
    };
  },
};

/** The names under which a file has the tests and suites of Vitest. */
function testNames(statement: Node): string[] {
  if (!isImportDeclaration(statement) || textOf(statement.moduleSpecifier) !== 'vitest') return [];
  const bindings = statement.importClause?.namedBindings;
  if (bindings === undefined || !isNamedImports(bindings)) return [];
  return bindings.elements
    .filter(({ propertyName, name }) => TESTS.includes((propertyName ?? name).text))
    .map(({ name }) => name.text);
}

/** A mark that an object literal has as a key. */
function markOf(node: ObjectLiteralExpression): string | undefined {
  const keys = node.properties.flatMap((property) => {
    if (!isPropertyAssignment(property) && !isShorthandPropertyAssignment(property)) return [];
    const { name } = property;
    return isIdentifier(name)
      ? [name.text]
      : (textOf(isComputedPropertyName(name) ? name.expression : name) ?? []);
  });
  return keys.find((key) => MARKS.includes(key));
}

/** Arguments of a test behind its name that are no body, and have a mark or are not written out where they stand. */
function optionsOf(node: CallExpression, names: ReadonlySet<string>): Node[] {
  if (rootOf(node.expression, names) === undefined) return [];
  return node.arguments.slice(1).flatMap((argument) => {
    const it = bare(argument);
    if (isArrowFunction(it) || isFunctionExpression(it) || isNumericLiteral(it)) return [];
    if (!isObjectLiteralExpression(it) || markOf(it) !== undefined) return [it];
    return it.properties.filter((property) => isSpreadAssignment(property) || isComputed(property));
  });
}

function isComputed(property: Node & { readonly name?: Node }): boolean {
  const { name } = property;
  return name !== undefined && isComputedPropertyName(name) && textOf(name.expression) === undefined;
}

/** The call that an argument, or a property of it, belongs to. */
function callAround(node: Node): CallExpression {
  let outer = node.parent;
  while (!isCallExpression(outer)) outer = outer.parent;
  return outer;
}

/** The `it`, `test`, `describe` or `suite` at the start of an expression, whatever was asked of it since. */
function rootOf(node: Node, names: ReadonlySet<string>): Node | undefined {
  const it = bare(node);
  if (isIdentifier(it)) return names.has(it.text) ? it : undefined;
  if (isCallExpression(it)) return rootOf(it.expression, names);
  if (isTaggedTemplateExpression(it)) return rootOf(it.tag, names);
  const access = accessOf(it);
  return access && rootOf(access.object, names);
}

/** What of a test gives another function to make tests with. */
const MAKERS = ['each', 'for', 'skipIf', 'runIf', 'extend'];
/** Where a test that was made may stand: it is kept nowhere. */
const PLACES: readonly SyntaxKind[] = [
  SyntaxKind.ExpressionStatement,
  SyntaxKind.ArrowFunction,
  SyntaxKind.ReturnStatement,
  SyntaxKind.AwaitExpression,
  SyntaxKind.VoidExpression,
];

/** Called where it stands, whatever was asked of it before. Everything else is a second name for it. */
function isCalled(node: Node): boolean {
  let top = node;
  for (let outer = around(top); isOf(outer, top); outer = around(top)) top = outer;
  if (!isCallExpression(top)) return isTypeOfExpression(around(top));
  const last = accessOf(bare(top.expression))?.name;
  return !MAKERS.includes(last ?? '') && PLACES.includes(around(top).kind);
}

/** Whether `outer` is a call, or a property, of `node`. */
function isOf(outer: Node, node: Node): boolean {
  if (isCallExpression(outer)) return bare(outer.expression) === node;
  if (isTaggedTemplateExpression(outer)) return bare(outer.tag) === node;
  return accessOf(outer)?.object === node;
}
