import {
  type Expression,
  isArrayLiteralExpression,
  isArrowFunction,
  isAwaitExpression,
  isBinaryExpression,
  isBlock,
  isCallExpression,
  isConditionalExpression,
  isExportAssignment,
  isExportDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isImportDeclaration,
  isNamedExports,
  isNamedImports,
  isObjectLiteralExpression,
  isPropertyAssignment,
  isReturnStatement,
  isShorthandPropertyAssignment,
  isSpreadAssignment,
  isSpreadElement,
  isTypeAliasDeclaration,
  isTypeReferenceNode,
  isVariableStatement,
  type Node,
  NodeFlags,
  type SourceFile,
  type Statement,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { isInner, roomOf, targetOf } from './rooms.ts';
import type { Rule } from './rule.ts';
import { accessOf, bare, textOf, visit } from './syntax.ts';

/**
 * Names of inner rooms that a module of the composition hands on as they are: an import from there passes the arrow
 * by. A part that is made of them is a composition; the function or class itself is none.
 */
export const HANDED_ON: Rule = {
  holdsFor: (name) => roomOf(name) === 'daemon/compose',
  hint: /import|export/,
  look: ({ name, tree, note }) => ({
    end: () => {
      for (const statement of handedOn(name, tree)) note(statement, 'export');
    },
  }),
};

function handedOn(name: string, tree: SourceFile): Statement[] {
  const fromInner = (specifier: Node | undefined): boolean => {
    const text = textOf(specifier);
    const target = text === undefined ? undefined : targetOf(name, text);
    return target !== undefined && isInner(roomOf(target));
  };
  const inner = new Set(tree.statements.flatMap((it) => (isImport(it, fromInner) ? localNames(it) : [])));
  const hands = handsOf(inner, fromInner);
  const found: Statement[] = [];
  const note = (statement: Statement) => found.push(statement);
  for (const statement of tree.statements) {
    if (isExportDeclaration(statement)) {
      const { moduleSpecifier, exportClause } = statement;
      if (fromInner(moduleSpecifier)) note(statement);
      else if (!moduleSpecifier && exportClause && isNamedExports(exportClause)) {
        const names = exportClause.elements.map((it) => (it.propertyName ?? it.name).text);
        const handed = new Set([...inner, ...constants(tree, hands)]);
        if (names.some((word) => handed.has(word))) note(statement);
      }
    } else if (isExportAssignment(statement)) {
      if (hands(statement.expression)) note(statement);
    } else if (isExported(statement) && declares(statement, inner, hands)) note(statement);
  }
  return found;
}

/** Operators whose result is one of both sides. */
const CHOICES: readonly SyntaxKind[] = [
  SyntaxKind.QuestionQuestionToken,
  SyntaxKind.BarBarToken,
  SyntaxKind.AmpersandAmpersandToken,
  SyntaxKind.CommaToken,
];

type Hands = (node: Node | undefined) => boolean;

/** Whether an expression is, or holds as it is, what was imported from an inner room. */
function handsOf(inner: ReadonlySet<string>, fromInner: Hands): Hands {
  const hands: Hands = (node) => {
    if (node === undefined) return false;
    const it = bare(node);
    if (isIdentifier(it)) return inner.has(it.text);
    const access = accessOf(it);
    if (access) return hands(access.object);
    if (isAwaitExpression(it)) return hands(it.expression);
    if (isCallExpression(it)) {
      if (it.expression.kind === SyntaxKind.ImportKeyword) return fromInner(it.arguments[0]);
      // What `then` makes of the module cannot be followed: it may be the module.
      const of = accessOf(bare(it.expression));
      return of?.name === 'then' && hands(of.object) && !calls(it.arguments[0]);
    }
    if (isConditionalExpression(it)) return hands(it.whenTrue) || hands(it.whenFalse);
    if (isBinaryExpression(it))
      return CHOICES.includes(it.operatorToken.kind) && [it.left, it.right].some(hands);
    if (isArrayLiteralExpression(it))
      return it.elements.some((one) => hands(isSpreadElement(one) ? one.expression : one));
    if (isObjectLiteralExpression(it)) return it.properties.some(handsIn);
    return gives(it, hands);
  };
  const handsIn = (property: Node): boolean => {
    if (isPropertyAssignment(property)) return hands(property.initializer);
    if (isShorthandPropertyAssignment(property)) return hands(property.name);
    if (isSpreadAssignment(property)) return hands(property.expression);
    return gives(property, hands);
  };
  return hands;
}

/** A function that gives back such a thing. */
function gives(it: Node, hands: Hands): boolean {
  const { body } = it as Node & { readonly body?: Node };
  if (body === undefined) return false;
  if (!isBlock(body)) return hands(body);
  let does = false;
  visit(body, (node) => {
    if (isReturnStatement(node)) does ||= hands(node.expression);
  });
  return does;
}

/** `({ run }) => run(options)`: what comes out was made. */
function calls(callback: Expression | undefined): boolean {
  const it = callback && bare(callback);
  if (it === undefined || !isArrowFunction(it)) return false;
  const body = bare(it.body);
  return isCallExpression(body) || body.kind === SyntaxKind.NewExpression;
}

function declares(statement: Statement, inner: ReadonlySet<string>, hands: Hands): boolean {
  if (isVariableStatement(statement) && (statement.declarationList.flags & NodeFlags.Const) === 0)
    return true;
  if (isVariableStatement(statement))
    return statement.declarationList.declarations.some(({ initializer }) => hands(initializer));
  if (isFunctionDeclaration(statement)) return gives(statement, hands);
  if (!isTypeAliasDeclaration(statement) || !isTypeReferenceNode(statement.type)) return false;
  const { typeName } = statement.type;
  return isIdentifier(typeName) && inner.has(typeName.text);
}

/** Constants of the module that are such a thing, exported elsewhere in it. */
function constants(tree: SourceFile, hands: Hands): string[] {
  return tree.statements.flatMap((statement) =>
    isVariableStatement(statement)
      ? statement.declarationList.declarations.flatMap(({ name, initializer }) =>
          isIdentifier(name) && hands(initializer) ? [name.text] : [],
        )
      : [],
  );
}

function isExported(statement: Node): boolean {
  const { modifiers } = statement as Node & { readonly modifiers?: readonly Node[] };
  return modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword) ?? false;
}

function isImport(statement: Statement, fromInner: Hands): boolean {
  return isImportDeclaration(statement) && fromInner(statement.moduleSpecifier);
}

function localNames(statement: Statement): string[] {
  if (!isImportDeclaration(statement) || statement.importClause === undefined) return [];
  const { name, namedBindings } = statement.importClause;
  const bound =
    namedBindings === undefined
      ? []
      : isNamedImports(namedBindings)
        ? namedBindings.elements.map((it) => it.name.text)
        : [namedBindings.name.text];
  return name === undefined ? bound : [name.text, ...bound];
}
