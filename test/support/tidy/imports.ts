import {
  type CallExpression,
  isCallExpression,
  isExportDeclaration,
  isExternalModuleReference,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isMetaProperty,
  isNewExpression,
  type NewExpression,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast';
import type { Rule } from './rule.ts';
import { accessOf, textOf } from './syntax.ts';

/** `typeOnly`: nothing of it is left when the program runs. */
export type Import = { readonly from: string; readonly specifier: string; readonly typeOnly: boolean };

/** A file of a program, by its ending: `new URL('./a.ts', import.meta.url)` starts a thread or a process with it. */
const PROGRAM = /^\.{1,2}\/.*\.[cm]?[jt]sx?$/;

/** Collects what every file loads in `imports`; its findings are loads of what no reader can see. */
export function importRule(imports: Import[]): Rule {
  return {
    holdsFor: () => true,
    hint: /import|export|require|URL|<reference/,
    look: ({ name, tree, note }) => {
      const take = (node: Node, specifier: Node | undefined, typeOnly = false) => {
        const text = textOf(specifier);
        if (text === undefined) note(node, 'computed');
        else imports.push({ from: name, specifier: text, typeOnly });
      };
      for (const { fileName } of tree.referencedFiles)
        imports.push({ from: name, specifier: near(fileName), typeOnly: true });
      return {
        node: (node) => {
          if (isImportDeclaration(node))
            take(node, node.moduleSpecifier, node.importClause?.phaseModifier === SyntaxKind.TypeKeyword);
          else if (isExportDeclaration(node)) {
            if (node.moduleSpecifier) take(node, node.moduleSpecifier, node.isTypeOnly);
          } else if (isExternalModuleReference(node)) take(node, node.expression);
          else if (isCallExpression(node) && loads(node)) take(node, node.arguments[0]);
          else if (isNewExpression(node) && startsWith(node)) take(node, node.arguments?.[0]);
        },
        type: (node) => {
          if (isImportTypeNode(node))
            take(node, isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
        },
      };
    },
  };
}

/** A reference names a file beside it without `./`. */
function near(fileName: string): string {
  return fileName.startsWith('.') ? fileName : `./${fileName}`;
}

/** `import(a)`, `require(a)`, `require.resolve(a)`, `import.meta.resolve(a)`. */
function loads({ expression }: CallExpression): boolean {
  if (expression.kind === SyntaxKind.ImportKeyword) return true;
  if (isIdentifier(expression)) return expression.text === 'require';
  const access = accessOf(expression);
  if (access?.name !== 'resolve') return false;
  return isMetaProperty(access.object) || (isIdentifier(access.object) && access.object.text === 'require');
}

/** `new URL` of a program beside this one. */
function startsWith({ expression, arguments: given }: NewExpression): boolean {
  return isIdentifier(expression) && expression.text === 'URL' && PROGRAM.test(textOf(given?.[0]) ?? '');
}
