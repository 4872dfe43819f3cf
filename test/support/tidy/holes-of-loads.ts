import type { inspectFiles } from './inspect-files.ts';

export type Case = readonly [place: string, source: string];
export type RuleName = 'arrow' | keyof ReturnType<typeof inspectFiles>['found'];
/**
 * A hole that a rule of the house once had: sources that would pass through it are refused, and sources that only look
 * like them are accepted. The place says in which room the source pretends to lie.
 */
export type Cases = {
  readonly rule: RuleName;
  readonly refused: readonly Case[];
  readonly accepted: readonly Case[];
};

/** Holes in the arrow of dependency. */
export const HOLES_OF_LOADS: Readonly<Record<string, Cases>> = {
  'an import that is no plain statement': {
    rule: 'arrow',
    refused: [
      ['daemon/http/a.ts', 'await import(`../runtime/runtime-cell.ts`);'],
      ['daemon/http/a.ts', `await import('../run' + 'time/runtime-cell.ts');`],
      ['daemon/http/a.ts', `await import(/* late */ ('../runtime/runtime-cell.ts' as string));`],
      ['daemon/http/a.ts', `export * from '../runtime/runtime-cell.ts';`],
      ['daemon/http/a.ts', `export type A = import('../runtime/runtime-cell.ts').RuntimeCell;`],
      ['daemon/http/a.ts', `import a = require('../runtime/runtime-cell.ts');`],
      ['daemon/http/a.ts', `/// <reference path="../runtime/runtime-cell.ts" />`],
      ['daemon/http/a.ts', `const a = 1; import { b } from '../runtime/runtime-cell.ts';`],
      ['daemon/http/a.ts', `import.meta.resolve('../runtime/runtime-cell.ts');`],
      ['daemon/http/a.ts', `new Worker(new URL('../runtime/a-main.ts', import.meta.url));`],
      ['daemon/http/a.ts', `import { a } from 'auraison-edge/sdk';`],
      ['daemon/http/a.ts', `import { a } from '../%2e%2e/adapters/ros/a.ts';`],
      ['daemon/http/a.ts', `import { a } from './b/../../runtime/a.ts';`],
      ['daemon/http/a.ts', `import { a } from 'ws/../../adapters/ros/a.ts';`],
      ['daemon/http/a.ts', `import { a } from '/somewhere/a.ts';`],
      ['daemon/http/a.ts', `import { a } from 'data:text/javascript,export const a = 1';`],
      ['apps/maze/a.ts', `import { a } from '../../contract/index.ts';`],
      ['cli/a.ts', `import { a } from '../vitest.config.ts';`],
    ],
    accepted: [
      ['daemon/http/a.ts', 'await import(`./b.ts`);'],
      ['daemon/http/a.ts', `// await import('../runtime/runtime-cell.ts')`],
      ['daemon/http/a.ts', `export const help = "import('../runtime/runtime-cell.ts')";`],
      ['daemon/http/a.ts', `export const help = \`import { a } from '../runtime/a.ts';\`;`],
      ['daemon/http/a.ts', `new URL('../../console/built/', import.meta.url);`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/runtime-cell.ts';`],
      ['apps/maze/a.ts', `import { a } from 'auraison-edge';`],
      ['daemon/a-main.ts', `import { a } from '../adapters/clock/system-clock.ts';`],
    ],
  },
  'a file that was not walked': {
    rule: 'arrow',
    refused: ['mjs', 'mts', 'cjs', 'cts', 'js', 'jsx', 'tsx'].map(
      (ending) => [`daemon/http/a.${ending}`, `import '../runtime/runtime-cell.ts';`] as const,
    ),
    accepted: [['daemon/http/a.mjs', `import './b.ts';`]],
  },
  'a load of what is computed': {
    rule: 'computed',
    refused: [
      ['daemon/http/a.ts', `export const load = (name: string) => import(\`../\${name}/index.ts\`);`],
      ['daemon/http/a.ts', `const name = '../runtime/a.ts';\nawait import(name);`],
      ['daemon/http/a.ts', `import.meta.resolve(process.argv[2]!);`],
      ['daemon/http/a.cjs', `require(process.argv[2]);`],
    ],
    accepted: [
      ['daemon/http/a.ts', 'await import(`./b.ts`);'],
      ['daemon/http/a.ts', 'export const load = (key: string) => ({ import: key }).import;'],
      ['daemon/http/a.ts', `guard.require(process.argv[2]);`],
    ],
  },
  'a load past the imports': {
    rule: 'unseenLoads',
    refused: [
      ['daemon/http/a.ts', `import { createRequire } from 'node:module';`],
      ['daemon/http/a.ts', `import { createRequire as of } from 'module';`],
      ['daemon/http/a.ts', `import * as modules from 'node:module';`],
      ['daemon/http/a.ts', `import Module from 'node:module';`],
      ['daemon/http/a.ts', `export * from 'node:module';`],
      ['daemon/http/a.ts', `const { register } = await import('node:module');`],
      ['daemon/http/a.ts', `import { register } from 'node:module';`],
      ['daemon/http/a.ts', `import modules = require('node:module');`],
      ['daemon/http/a.ts', `import { runInThisContext } from 'node:vm';`],
      ['daemon/http/a.ts', `process.getBuiltinModule('node:fs');`],
      ['daemon/http/a.ts', `process['getBuiltinModule']('node:fs');`],
      ['daemon/http/a.ts', `process['getBuiltin' + 'Module']('node:fs');`],
      ['daemon/http/a.ts', `process[process.argv[2]!]('node:fs');`],
      ['daemon/http/a.ts', `const { getBuiltinModule: load } = process;`],
      ['daemon/http/a.ts', `Reflect.get(process, 'getBuiltinModule');`],
      ['daemon/http/a.ts', `process.get\\u0042uiltinModule('node:fs');`],
      ['daemon/http/a.ts', `export const a = require;`],
      ['daemon/http/a.cjs', `const fs = require('node:fs');`],
      ['daemon/http/a.ts', `eval("import('node:fs')");`],
      ['daemon/http/a.ts', `new Function("return import('node:fs')");`],
    ],
    accepted: [
      ['daemon/http/a.ts', `import { flushCompileCache } from 'node:module';`],
      ['daemon/http/a.ts', `import type { ResolveHook } from 'node:module';`],
      ['daemon/http/a.ts', `export const a = (rcl: { require(type: string): string }) => rcl.require('b');`],
      ['daemon/http/a.ts', `process.env[process.argv[2]!];`],
      ['daemon/http/a.ts', `// process.getBuiltinModule('node:fs')`],
      ['daemon/http/a.ts', `export type A = Function;`],
      ['test/unit/a.test.ts', `import { createRequire } from 'node:module';`],
    ],
  },
  'a name that the composition hands on': {
    rule: 'handedOn',
    refused: [
      ['daemon/compose/a.ts', `export { RuntimeCell } from '../runtime/runtime-cell.ts';`],
      ['daemon/compose/a.ts', `export * from '../runtime/runtime-cell.ts';`],
      ['daemon/compose/a.ts', `export * as cells from '../runtime/runtime-cell.ts';`],
      ['daemon/compose/a.ts', `export type { Task } from '../../apps/maze/index.ts';`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nexport { b as c };`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nexport default b;`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nexport const c = b;`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nconst c = b;\nexport { c };`],
      ['daemon/compose/a.ts', `import * as b from '../runtime/b.ts';\nexport const c = b.run;`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nexport const all = { b, two: 2 };`],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nexport const of = () => b;`],
      ['daemon/compose/a.ts', `import type { B } from '../runtime/b.ts';\nexport type C = B;`],
      [
        'daemon/compose/a.ts',
        `import { b } from '../runtime/b.ts';\nexport const all = { get b() { return b; } };`,
      ],
      ['daemon/compose/a.ts', `import { b } from '../runtime/b.ts';\nexport let c: typeof b;\nc = b;`],
      ['daemon/compose/a.ts', `export const load = () => import('../runtime/b.ts');`],
      [
        'daemon/compose/a.ts',
        `export async function load() {\n  return (await import('../runtime/b.ts')).run;\n}`,
      ],
      ['daemon/compose/a.ts', `export const run = import('../runtime/b.ts').then((it) => it.run);`],
    ],
    accepted: [
      ['daemon/compose/a.ts', `import { B } from '../runtime/b.ts';\nexport const make = () => new B();`],
      ['daemon/compose/a.ts', `import { SIZE } from '../runtime/b.ts';\nexport const MOST = SIZE - 1;`],
      ['daemon/compose/a.ts', `import { run } from '../runtime/b.ts';\nexport const go = () => run({});`],
      ['daemon/compose/a.ts', `export { B } from '../../contract/index.ts';`],
      [
        'daemon/compose/a.ts',
        `import { b } from '../runtime/b.ts';\nexport function go() {\n  const c = b;\n  c();\n}`,
      ],
      [
        'daemon/compose/a.ts',
        `export const go = () => import('../runtime/b.ts').then(({ run }) => run({}));`,
      ],
      ['daemon/runtime/a.ts', `export { b } from './runs/b.ts';`],
    ],
  },
};
