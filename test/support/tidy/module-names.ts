import {
  type Expression,
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isNamedExports,
  isNamedImports,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast';

/** The module that an import, a re-export or an `import()` names. Undefined: the node is none of these, or of types. */
export function specifierOf(node: Node): Expression | undefined {
  if (isImportDeclaration(node))
    return node.importClause?.phaseModifier === SyntaxKind.TypeKeyword ? undefined : node.moduleSpecifier;
  if (isExportDeclaration(node)) return node.isTypeOnly ? undefined : node.moduleSpecifier;
  if (!isCallExpression(node) || node.expression.kind !== SyntaxKind.ImportKeyword) return undefined;
  return node.arguments[0];
}

/** The names that it takes, as the module calls them. Undefined: the whole module. */
export function namesTaken(node: Node): readonly string[] | undefined {
  if (isImportDeclaration(node)) {
    const { importClause } = node;
    if (importClause === undefined) return [];
    const { name, namedBindings } = importClause;
    if (name !== undefined || namedBindings === undefined || !isNamedImports(namedBindings)) return undefined;
    return namedBindings.elements
      .filter(({ isTypeOnly }) => !isTypeOnly)
      .map((element) => (element.propertyName ?? element.name).text);
  }
  if (!isExportDeclaration(node) || !node.exportClause || !isNamedExports(node.exportClause))
    return undefined;
  return node.exportClause.elements.map((element) => (element.propertyName ?? element.name).text);
}
