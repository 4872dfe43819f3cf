import {
  type Expression,
  type Identifier,
  isAsExpression,
  isBinaryExpression,
  isBindingElement,
  isElementAccessExpression,
  isExportSpecifier,
  isImportSpecifier,
  isNonNullExpression,
  isNoSubstitutionTemplateLiteral,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isSatisfiesExpression,
  isShorthandPropertyAssignment,
  isStringLiteral,
  isTemplateExpression,
  isTypeNode,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast';

/** The line that a node starts in, from 1. */
export function lineOf(tree: SourceFile, node: Node): number {
  return node === tree ? 1 : tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** Every node below one, parents first. */
export function visit(node: Node, look: (node: Node) => void): void {
  node.forEachChild((child) => {
    look(child);
    visit(child, look);
  });
}

/** Whether a node is gone when the program runs. `A` of `extends A` is a type for the compiler, and stays. */
export function isGone(node: Node): boolean {
  if (node.kind === SyntaxKind.ExpressionWithTypeArguments)
    return node.parent.kind === SyntaxKind.HeritageClause && isImplements(node.parent);
  return (
    isTypeNode(node) ||
    node.kind === SyntaxKind.InterfaceDeclaration ||
    node.kind === SyntaxKind.TypeAliasDeclaration ||
    node.kind === SyntaxKind.TypeParameter
  );
}

function isImplements(clause: Node): boolean {
  return (
    (clause as Node & { readonly token?: SyntaxKind }).token === SyntaxKind.ImplementsKeyword ||
    clause.parent.kind === SyntaxKind.InterfaceDeclaration
  );
}

/** The expression without brackets, assertions of types and `!`. */
export function bare(node: Node): Node {
  let inner = node;
  while (
    isParenthesizedExpression(inner) ||
    isAsExpression(inner) ||
    isSatisfiesExpression(inner) ||
    isNonNullExpression(inner) ||
    inner.kind === SyntaxKind.TypeAssertionExpression
  )
    inner = (inner as Node & { readonly expression: Expression }).expression;
  return inner;
}

/** The text that an expression surely is: a literal in whatever quotes, or a sum of such. */
export function textOf(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  const inner = bare(node);
  if (isStringLiteral(inner) || isNoSubstitutionTemplateLiteral(inner)) return inner.text;
  if (isBinaryExpression(inner) && inner.operatorToken.kind === SyntaxKind.PlusToken)
    return joined([textOf(inner.left), textOf(inner.right)]);
  if (isTemplateExpression(inner))
    return joined([
      inner.head.text,
      ...inner.templateSpans.flatMap((span) => [textOf(span.expression), span.literal.text]),
    ]);
  return undefined;
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : parts.join('');
}

/** An access to a property, in either notation. */
export type Access = { readonly object: Node; readonly key: Node; readonly name: string | undefined };

/** `a.b`, `a['b']`, `a[x]` (without a name); undefined for every other node. */
export function accessOf(node: Node): Access | undefined {
  if (isPropertyAccessExpression(node))
    return { object: bare(node.expression), key: node.name, name: node.name.text };
  if (!isElementAccessExpression(node)) return undefined;
  const key = node.argumentExpression;
  const name = key.kind === SyntaxKind.NumericLiteral ? key.getText() : textOf(key);
  return { object: bare(node.expression), key, name };
}

/** The node around an expression, brackets and assertions of types left out. */
export function around(node: Node): Node {
  let outer = node.parent;
  while (outer !== undefined && bare(outer) !== outer) outer = outer.parent;
  return outer;
}

/** Whether an identifier stands for a value here: it is no key, no name of a declaration, no part of an import. */
export function isUse(node: Identifier): boolean {
  const parent = node.parent as Node & {
    readonly name?: Node;
    readonly label?: Node;
    readonly propertyName?: Node;
    readonly tagName?: Node;
  };
  if (isShorthandPropertyAssignment(parent)) return true;
  if (isImportSpecifier(parent)) return false;
  if (isExportSpecifier(parent))
    return (parent.propertyName ?? parent.name) === node && isExportedHere(parent);
  if (isBindingElement(parent)) return parent.initializer === node;
  return parent.name !== node && parent.label !== node && parent.tagName !== node;
}

/** `export { a }` uses `a`; `export { a } from` and imports do not. */
function isExportedHere(specifier: Node): boolean {
  const declaration = specifier.parent.parent as Node & { readonly moduleSpecifier?: Node };
  return declaration.moduleSpecifier === undefined;
}
