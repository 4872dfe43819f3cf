import {
  isIdentifier,
  isImportDeclaration,
  isImportSpecifier,
  isNamedImports,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast';
import { isBeside } from './rooms.ts';
import type { Rule } from './rule.ts';
import { accessOf, isUse, textOf } from './syntax.ts';

/** Names by which a program gets at modules, or at code, that no import names. A string with such a name counts. */
const NAMES = ['getBuiltinModule', 'createRequire', 'mainModule', 'registerHooks', 'dlopen'];
/** Globals that are such a way where they are used. */
const GLOBALS = ['require', 'eval', 'Function'];
/** What of `node:module` loads nothing. */
const HARMLESS = [
  'flushCompileCache',
  'enableCompileCache',
  'getCompileCacheDir',
  'isBuiltin',
  'stripTypeScriptTypes',
];
const MODULE = /^(?:node:)?module$/;

/** Ways to load code past the imports, in rooms that the arrow of dependency binds. */
export const UNSEEN_LOADS: Rule = {
  holdsFor: (name) => !isBeside(name),
  hint: /getBuiltinModule|createRequire|mainModule|registerHooks|dlopen|require|eval|Function|module|process\b/,
  look: ({ note }) => ({
    node: (node) => {
      if (isIdentifier(node)) {
        if (NAMES.includes(node.text)) note(node, node.text);
        else if (GLOBALS.includes(node.text) && isUse(node)) note(node, node.text);
      } else if (node.kind === SyntaxKind.StringLiteral) {
        const text = textOf(node)!;
        if (NAMES.includes(text)) note(node, text);
      } else if (node.kind === SyntaxKind.ElementAccessExpression) {
        const { object, key, name } = accessOf(node)!;
        const ofProcess = isIdentifier(object) && object.text === 'process';
        if (name === undefined ? ofProcess : key.kind !== SyntaxKind.StringLiteral && NAMES.includes(name))
          note(node, name ?? 'process');
      } else if (isImportDeclaration(node)) {
        const bindings = node.importClause?.namedBindings;
        const whole = node.importClause?.name !== undefined || !bindings || !isNamedImports(bindings);
        if (isOfModule(node) && whole) note(node, 'node:module');
      } else if (isImportSpecifier(node) && !node.isTypeOnly && isOfModule(node.parent.parent.parent)) {
        const word = (node.propertyName ?? node.name).text;
        if (!HARMLESS.includes(word) && !NAMES.includes(word)) note(node, word);
      }
    },
  }),
};

function isOfModule(declaration: Node): boolean {
  if (!isImportDeclaration(declaration)) return false;
  const isType = declaration.importClause?.phaseModifier === SyntaxKind.TypeKeyword;
  return !isType && MODULE.test(textOf(declaration.moduleSpecifier) ?? '');
}
