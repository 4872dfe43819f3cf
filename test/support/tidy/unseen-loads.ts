import { isIdentifier, type Node, SyntaxKind } from 'typescript/unstable/ast';
import { namesTaken, specifierOf } from './module-names.ts';
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
/** Runs text as code. */
const VM = /^(?:node:)?vm$/;

/** Ways to load code past the imports, in rooms that the arrow of dependency binds. */
export const UNSEEN_LOADS: Rule = {
  holdsFor: (name) => !isBeside(name),
  hint: /getBuiltinModule|createRequire|mainModule|registerHooks|dlopen|require|eval|Function|module|process\b|\bvm\b/,
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
      } else if (node.kind === SyntaxKind.ExternalModuleReference) note(node, 'require');
      else judgeModule(node, note);
    },
  }),
};

/** Imports of the modules of Node that load modules, or run text. */
function judgeModule(node: Node, note: (node: Node, what: string) => void): void {
  const from = textOf(specifierOf(node));
  if (from === undefined) return;
  if (VM.test(from)) note(node, 'node:vm');
  if (!MODULE.test(from)) return;
  const names = namesTaken(node);
  if (names === undefined) note(node, 'node:module');
  // Those of the list above are seen where they stand.
  for (const name of names ?? []) if (!HARMLESS.includes(name) && !NAMES.includes(name)) note(node, name);
}
