import { describe, expect, it } from 'vitest';
import { inspectFiles } from '../support/tidy/inspect-files.ts';
import { againstTheArrow } from '../support/tidy/rooms.ts';

/**
 * Each hole that a rule of the house once had: sources that would pass through it are refused, and sources that only look
 * like them are accepted. `PLACE: SOURCE`; the place says in which room the source pretends to lie.
 */
type Case = readonly [place: string, source: string];
type Rule = 'arrow' | keyof ReturnType<typeof inspectFiles>['found'];
type Cases = { readonly rule: Rule; readonly refused: readonly Case[]; readonly accepted: readonly Case[] };

const ROS = `import type { RosApi, RosServices } from '../../contract/ports/ros-graph.ts';\n`;
const KEYS = `import type { KeySpace } from '../../contract/ports/key-space.ts';\n`;
const VITEST = `import { describe, it } from 'vitest';\n`;

const HOLES: Readonly<Record<string, Cases>> = {
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
  'a clock under another name': {
    rule: 'clocks',
    refused: [
      ['daemon/http/a.ts', `globalThis.setTimeout(() => {}, 5);`],
      ['daemon/http/a.ts', `globalThis['set' + 'Interval'](() => {}, 5);`],
      ['daemon/http/a.ts', `const later = setTimeout;`],
      ['daemon/http/a.ts', `export const parts = { setTimeout };`],
      ['daemon/http/a.ts', `const all = globalThis;`],
      ['daemon/http/a.ts', `const { setTimeout: later } = globalThis;`],
      ['daemon/http/a.ts', `import { setTimeout as later } from 'node:timers/promises';`],
      ['daemon/http/a.ts', `import { scheduler } from 'timers/promises';`],
      ['daemon/http/a.ts', `import timers from 'node:timers';`],
      ['daemon/http/a.ts', `import * as timers from 'node:timers';`],
      ['daemon/http/a.ts', `export { setInterval } from 'node:timers';`],
      ['daemon/http/a.ts', `const timers = await import('node:timers');`],
      ['daemon/http/a.ts', `Date['now']();`],
      ['daemon/http/a.ts', `Date\n  .now();`],
      ['daemon/http/a.ts', `const { now } = Date;`],
      ['daemon/http/a.ts', `const D = Date;`],
      ['daemon/http/a.ts', `[1].map(Date.now);`],
      ['daemon/http/a.ts', `globalThis.Date.now();`],
      ['daemon/http/a.ts', `(Date as unknown as { now(): number }).now();`],
      ['daemon/http/a.ts', `new Date();`],
      ['daemon/http/a.ts', `new Date;`],
      ['daemon/http/a.ts', `new Date(...[]);`],
      ['daemon/http/a.ts', `Date();`],
      ['daemon/http/a.ts', `class Now extends Date {}`],
      ['daemon/http/a.ts', `performance.now();`],
      ['daemon/http/a.ts', `const { now } = performance;`],
      ['daemon/http/a.ts', `import { performance as p } from 'node:perf_hooks';`],
      ['daemon/http/a.ts', `const { hrtime } = process;`],
      ['daemon/http/a.ts', `AbortSignal.timeout(5);`],
      ['daemon/http/a.ts', `const { random } = Math;`],
      ['daemon/http/a.ts', `const address = 'http://a'; Math.random();`],
      ['daemon/http/a.mjs', `Date.now();`],
    ],
    accepted: [
      ['daemon/http/a.ts', `new Date(0).toISOString();`],
      ['daemon/http/a.ts', `export const is = (it: unknown): it is Date => it instanceof Date;`],
      ['daemon/http/a.ts', `Date.parse('2026-01-01');`],
      ['daemon/http/a.ts', `export let timer: ReturnType<typeof setTimeout> | undefined;`],
      [
        'daemon/http/a.ts',
        `export const wait = (clock: { setTimeout(ms: number): void }) => clock.setTimeout(5);`,
      ],
      ['daemon/http/a.ts', `import { setImmediate as turn } from 'node:timers/promises';`],
      ['daemon/http/a.ts', `// Date.now()`],
      ['daemon/http/a.ts', `export const help = 'Date.now() and setTimeout(1)';`],
      ['daemon/http/a.ts', `Math.max(1, 2);`],
      ['daemon/http/a.ts', `globalThis.structuredClone({});`],
      ['daemon/http/a.ts', `export const now = (clock: { now(): number }) => clock.now();`],
      ['daemon/http/a.ts', `process.once('exit', () => {});`],
      ['adapters/clock/a.ts', `Date.now();`],
      ['cli/a.ts', `setTimeout(() => {}, 5);`],
    ],
  },
  'words for a person': {
    rule: 'prints',
    refused: [
      ['daemon/http/a.ts', `const { log } = console;`],
      ['daemon/http/a.ts', `globalThis['console'].log('a');`],
    ],
    accepted: [
      ['daemon/http/a.ts', `export const console = 'console.log()';`],
      ['cli/a.ts', `console.log('a');`],
    ],
  },
  'a test that is left out or tried again': {
    rule: 'testMarks',
    refused: [
      ['test/unit/a.test.ts', `${VITEST}it.skip('a', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it['only']('a', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it\n  .concurrent\n  .skip('a', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}describe.skipIf(true)('a', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it.runIf(false).each([1])('a', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it.fails('a', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it.todo('a');`],
      ['test/unit/a.test.ts', `${VITEST}const { skip } = it;`],
      ['test/unit/a.test.ts', `${VITEST}const maybe = it;`],
      ['test/unit/a.test.ts', `${VITEST}export const maybe = it.concurrent;`],
      ['test/unit/a.test.ts', `${VITEST}const own = it.extend({ rig: 1 });`],
      ['test/unit/a.test.ts', `${VITEST}const both = it.each([1, 2]);`],
      ['test/unit/a.test.ts', `it('a', { retry: 3 }, () => {});\n${VITEST}`],
      ['test/unit/a.test.ts', `${VITEST}const word = process.argv[2] as 'skip';\nit[word]('a', () => {});`],
      ['test/unit/a.test.ts', `import { it as check } from 'vitest';\ncheck.skip('a', () => {});`],
      ['test/unit/a.test.ts', `import * as v from 'vitest';`],
      ['test/unit/a.test.ts', `${VITEST}it('a', { retry: 3 }, () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it('a', { ['retry']: 3 }, () => {});`],
      ['test/unit/a.test.ts', `${VITEST}describe('a', { skip: true }, () => {});`],
      ['test/unit/a.test.ts', `${VITEST}const options = { retry: 3 };\nit('a', options, () => {});`],
      ['test/unit/a.test.ts', `${VITEST}const options = { retry: 3 };\nit('a', { ...options }, () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it('a', (context) => context.skip());`],
      ['test/unit/a.test.ts', `${VITEST}it('a', ({ skip }) => skip('no'));`],
      ['test/unit/a.test.ts', `${VITEST}it('a', ({ skip: leave }) => leave('no'));`],
      [
        'test/support/a.ts',
        `import type { TestContext } from 'vitest';\nexport const a = (t: TestContext) => t.skip();`,
      ],
      ['test/unit/a.test.ts', `import { test } from 'node:test';`],
      ['apps/maze/a.test.ts', `${VITEST}it.skip('a', () => {});`],
      [
        'vitest.config.ts',
        `import { defineConfig } from 'vitest/config';\nexport default defineConfig({ test: { retry: 2 } });`,
      ],
    ],
    accepted: [
      ['test/unit/a.test.ts', `${VITEST}it('a', { timeout: 5 }, () => {});`],
      ['test/unit/a.test.ts', `${VITEST}it('a', () => {}, 60_000);`],
      ['test/unit/a.test.ts', `${VITEST}function body() {}\nit('a', body);`],
      ['test/unit/a.test.ts', `${VITEST}it.each([1])('skip %s', () => {});`],
      ['test/unit/a.test.ts', `${VITEST}describe.each([1])('a', (n) => it.concurrent(\`\${n}\`, () => {}));`],
      [
        'test/unit/a.test.ts',
        `${VITEST}it('a', () => new Fake().skip(5));\nclass Fake {\n  skip(_ms: number) {}\n}`,
      ],
      ['test/unit/a.test.ts', `${VITEST}// it.skip('a')\nexport const text = "it.only('a')";`],
      ['test/unit/a.test.ts', `export const step = { retry: { times: 3 }, skip: true };`],
      [
        'test/unit/a.test.ts',
        `${VITEST}it('a', () => {\n  const it = { events: [1] };\n  it.events.map(Number, it);\n});`,
      ],
    ],
  },
  'a call into the robot under another name': {
    rule: 'robotCalls',
    refused: [
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => ros.services['call'];`],
      ['daemon/execution/a.ts', `${ROS}export const a = ({ services: s }: RosApi) => s.call;`],
      ['daemon/execution/a.ts', `${ROS}export const a = ({ call }: RosServices) => call;`],
      [
        'daemon/execution/a.ts',
        `${ROS}export const a = (ros: RosApi) => {\n  const { call: b } = ros.services;\n};`,
      ],
      [
        'daemon/execution/a.ts',
        `${ROS}export const a = (ros: RosApi) => {\n  const others = ros.services;\n  return others\n    .call;\n};`,
      ],
      ['daemon/execution/a.ts', `${ROS}export const a = (one: Pick<RosServices, 'call'>) => one.call;`],
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi, key: 'call') => ros.services[key];`],
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => ({ ...ros.services }).call;`],
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => (ros.services as any).call;`],
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => ros.actions?.send;`],
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => ros.parameters.set;`],
      ['daemon/compose/a.ts', `${ROS}export const a = (ros: RosApi) => ros.lifecycle.change;`],
      [
        'daemon/execution/a.ts',
        `${KEYS}export const a = (session: KeySpace) => session.put('a', new Uint8Array());`,
      ],
      ['daemon/execution/a.ts', `${KEYS}export const a = ({ put }: KeySpace) => put;`],
      ['daemon/execution/a.ts', `${KEYS}export const a = (one: KeySpace) => one['p' + 'ut' as 'put'];`],
    ],
    accepted: [
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => ros.services.serve;`],
      ['daemon/execution/a.ts', `${ROS}export const a = (ros: RosApi) => ros.graph.snapshot();`],
      ['daemon/execution/a.ts', `export const a = (queue: { put(one: number): void }) => queue.put(1);`],
      ['daemon/execution/a.ts', `export const a = new Map<string, number>().set('a', 1);`],
      ['daemon/execution/a.ts', `export const a = (f: () => void) => f.call(undefined);`],
      ['daemon/execution/a.ts', `// ros.services.call()\nexport const a = 'ros.services.call()';`],
      [
        'daemon/execution/door/a.ts',
        `${ROS.replaceAll('../../', '../../../')}export const a = (ros: RosApi) => ros.services.call;`,
      ],
    ],
  },
  'a call of a service that the door was not asked for': {
    rule: 'unaskedCalls',
    refused: [
      [
        'daemon/execution/a.ts',
        `${ROS}import type { DoorCalls } from './door/index.ts';
export function a(ros: RosApi, door: DoorCalls) {
  const judge = () => door.call('a', 'b');
  return () => ros.services.call('a', 'b', {}, { timeoutMs: 1 });
}`,
      ],
      [
        'daemon/execution/a.ts',
        `${ROS}import type { DoorCalls } from './door/index.ts';
export async function a(ros: RosApi, door: DoorCalls) {
  await ros.services.call('a', 'b', {}, { timeoutMs: 1 });
  door.call('a', 'b');
}`,
      ],
    ],
    accepted: [
      [
        'daemon/execution/a.ts',
        `${ROS}import type { DoorCalls } from './door/index.ts';
export async function a(ros: RosApi, door: DoorCalls) {
  door.call('a', 'b');
  await ros.services.call('a', 'b', {}, { timeoutMs: 1 });
}`,
      ],
    ],
  },
  'a sink of a robot, or a permit, outside of the door': {
    rule: 'sinks',
    refused: [
      [
        'daemon/compose/a.ts',
        `import { RosSink } from '../../adapters/ros/ros-sink.ts';\nnew RosSink(host);`,
      ],
      ['daemon/compose/a.ts', `import { RosSink as S } from '../../adapters/ros/ros-sink.ts';`],
      [
        'daemon/compose/a.ts',
        `import { RosSink } from '../../adapters/ros/ros-sink.ts';\nconst S = RosSink;`,
      ],
      ['daemon/compose/a.ts', `const { RosSink: S } = await import('../../adapters/ros/ros-sink.ts');`],
      [
        'daemon/compose/a.ts',
        `import * as ros from '../../adapters/ros/ros-sink.ts';\nnew ros.RosSink(host);`,
      ],
      [
        'daemon/compose/a.ts',
        `import * as ros from '../../adapters/ros/ros-sink.ts';\nnew ros['RosSink'](host);`,
      ],
      ['daemon/compose/a.ts', `const address = 'http://a'; new KeySpaceSink(keys);`],
      ['daemon/execution/a.ts', `import type { SampleSink as S } from '../../contract/core.ts';`],
      ['daemon/execution/a.ts', `export const permit = new (Permit)(1, 2);`],
      ['daemon/execution/a.ts', `export class Own extends Door {}`],
    ],
    accepted: [
      [
        'daemon/compose/a.ts',
        `import { RosSink } from '../../adapters/ros/ros-sink.ts';\nnew RobotSink(new RosSink(host));`,
      ],
      [
        'daemon/compose/a.ts',
        `const { RosSink } = await import('../../adapters/ros/ros-sink.ts');\nnew RobotSink(new RosSink(host));`,
      ],
      ['daemon/execution/a.ts', `import type { Door, Permit } from './door/index.ts';`],
      ['daemon/execution/a.ts', `// new Permit() of a SampleSink`],
    ],
  },
};

/** Every case in a file of its own: `a.ts` is `a-cb.ts`. A configuration keeps its name. */
const letters = (count: number) => String(count).replaceAll(/\d/g, (digit) => 'abcdefghij'[Number(digit)]!);
const texts = new Map<string, string>();
const placed = Object.entries(HOLES).flatMap(([hole, { rule, refused, accepted }]) =>
  [...refused.map((one) => [true, ...one] as const), ...accepted.map((one) => [false, ...one] as const)].map(
    ([isRefused, place, source]) => {
      const name = place.replace(/\/([a-z-]+?)((?:-main)?\.[^/]*)$/, `/$1-${letters(texts.size)}$2`);
      texts.set(name, source);
      return { hole, rule, isRefused, place, source, name };
    },
  ),
);
const { imports, found } = inspectFiles([...texts.keys()], texts);
const broken = new Set(againstTheArrow(imports).map((one) => one.split(':')[0]));

function isFound(rule: Rule, name: string): boolean {
  return rule === 'arrow' ? broken.has(name) : found[rule].some(({ file }) => file === name);
}

describe.each(Object.keys(HOLES))('%s', (hole) => {
  const titled = (refused: boolean) =>
    placed
      .filter((one) => one.hole === hole && one.isRefused === refused)
      .map((one) => [`${one.place}: ${one.source.split('\n').slice(-2).join(' ')}`, one] as const);
  it.each(titled(true))('is seen in %s', (_title, { rule, name }) => {
    expect(isFound(rule, name)).toBe(true);
  });
  it.each(titled(false))('is not seen in %s', (_title, { rule, name }) => {
    expect(isFound(rule, name)).toBe(false);
  });
});
