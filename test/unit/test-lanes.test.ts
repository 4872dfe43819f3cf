import { expect, it } from 'vitest';
import { HEAVY, inTwo } from '../../scripts/testing/heavy.mjs';
import { peerFiles } from '../../scripts/testing/lanes.mjs';
import { secondsOfFiles } from '../../scripts/testing/seconds.mjs';

const seconds = secondsOfFiles();
const sum = (files: readonly string[]) => files.reduce((all, file) => all + (seconds[file] ?? 1), 0);

it('each file with peers runs once, the heavy ones one at a time, in lanes of the same length', () => {
  const files = peerFiles();
  const [first, second] = inTwo(files, seconds);
  expect([...first, ...second].toSorted()).toEqual(files.toSorted());
  expect(HEAVY.filter((file) => !first.includes(file))).toEqual([]);
  expect(Math.abs(sum(first) - sum(second) / 2)).toBeLessThan(0.05 * sum(files));
});
