import type { Cases } from './holes-of-loads.ts';

const ROS = `import type { RosApi, RosServices } from '../../contract/ports/ros-graph.ts';\n`;
const KEYS = `import type { KeySpace } from '../../contract/ports/key-space.ts';\n`;
const VITEST = `import { describe, it } from 'vitest';\n`;

/** Holes in the rules of calls and tests. */
export const HOLES_OF_CALLS: Readonly<Record<string, Cases>> = {
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
      [
        'daemon/execution/a.ts',
        `${ROS}export const a = (ros: RosApi) => {\n  const { serve, ...others } = ros.services;\n  return others.call;\n};`,
      ],
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
