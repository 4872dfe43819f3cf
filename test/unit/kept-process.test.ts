import { expect, it } from 'vitest';
import { KeptProcess, type Startable } from '../../io/kept-process.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { until } from '../support/daemon.ts';
import { processesWith } from '../support/sandbox-rig.ts';

const shell = (script: string, release?: () => Promise<void>): Startable => ({
  ...{ file: '/bin/sh', args: ['-c', script], env: { PATH: '/usr/bin:/bin' }, folder: '/' },
  ...(release ? { release } : {}),
});

it('starts a program again with a growing pause, also when it could not be prepared, and says why', async () => {
  const clock = new ManualClock();
  const said: { message: string; facts: Readonly<Record<string, unknown>> }[] = [];
  let [starts, releases] = [0, 0];
  const kept = new KeptProcess({
    ...{ clock, name: 'runtime workshop' },
    prepare: async () => {
      starts += 1;
      if (starts === 2) throw new Error('no such sandbox');
      return shell('echo hello; exit 3', async () => {
        releases += 1;
      });
    },
    report: (_level, message, facts) => void said.push({ message, facts }),
  });
  kept.start();
  const waits: unknown[] = [];
  for (const count of [1, 2, 3]) {
    const again = () => said.filter(({ message }) => message.endsWith('it is started again'));
    await until(() => again().length === count, `life ${count} is over`);
    waits.push(again().at(-1)!.facts['wait_ms']);
    await clock.advance(Number(waits.at(-1)));
  }
  expect(waits).toEqual([1_000, 2_000, 4_000]);
  expect(said.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      'runtime workshop: hello',
      'runtime workshop ended: exit code 3; it is started again',
      'runtime workshop cannot be started: no such sandbox; it is started again',
    ]),
  );
  await kept.stop();
  expect(releases).toBe(starts - 1);
});

it('ends everything that the program started when it is stopped, also what ignores the signal', async () => {
  const clock = new ManualClock();
  const word = `47${process.pid}.5`;
  const kept = new KeptProcess({
    ...{ clock, name: 'stays', report: () => {} },
    prepare: async () => shell(`trap "" TERM; sleep ${word} & wait; wait`),
  });
  kept.start();
  await until(() => processesWith(`sleep\0${word}`).length === 1, 'it has started another');
  const stopped = kept.stop();
  await clock.advance(2_000);
  await stopped;
  await until(() => processesWith(`sleep\0${word}`).length === 0, 'nothing is left');
});
