import { expect, it } from 'vitest';
import { treeOf, treeRun } from '../support/tree-lab.ts';

/** What ends a node from above, and what the node remembers then. */
it.each<[string, string, Record<string, unknown>, [string, string]]>([
  [
    'RoundRobin: a halt begins its turns at the first child, as in Nav2',
    '<RetryUntilSuccessful num_attempts="2"><ReactiveSequence><lab.is it="free"/><Repeat num_cycles="2"><RoundRobin><lab.do it="a"/><lab.move it="m"/></RoundRobin></Repeat></ReactiveSequence></RetryUntilSuccessful>',
    { free: (n: number) => n !== 4 },
    ['succeeded', 'a, m starts, m is stopped, a, m starts, m ends'],
  ],
  [
    'Timeout: it does not wait for a condition that takes long',
    '<Fallback><Timeout msec="1500"><ReactiveSequence><lab.is it="free"/><lab.move it="m"/></ReactiveSequence></Timeout><lab.do it="late"/></Fallback>',
    {
      free: (n: number, signal: AbortSignal) =>
        n === 1 || new Promise((resolve) => signal.addEventListener('abort', () => resolve(true))),
    },
    ['succeeded', 'm starts, m is stopped, late'],
  ],
])('%s', async (_name, body, world, expected) => {
  const { end, done } = await treeRun(treeOf(body), world);
  expect([end.status, done.join(', ')]).toEqual(expected);
});
