import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FromCell } from '../../daemon/cell/wire.ts';
import { type CellProcess, forkCell } from '../../daemon/supervisor/cell-process.ts';

/** A cell that reports its name, its process and the limit of its memory, and ends. */
const ENTRY = `
import { readFileSync } from 'node:fs';
const limit = /^Max data size +([^ ]+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1];
process.send({ name: process.argv[2], rest: process.argv[3], pid: process.pid, limit, big: 1n }, () => process.exit(3));
`;
const OURS = /^Max data size +([^ ]+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cell-process-'));
  writeFileSync(join(folder, 'entry.mjs'), ENTRY);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(made: CellProcess) {
  const heard: FromCell[] = [];
  let pid: number | undefined;
  const reason = await new Promise<string>((resolve) => {
    const spawn = forkCell(
      join(folder, 'entry.mjs'),
      () => ['{"a":1}'],
      () => made,
    );
    pid = spawn('memory', { onMessage: (message) => heard.push(message), onExit: resolve }).pid;
  });
  return { heard, pid, reason };
}

it('runs a cell in a process of its own, with the limits of this one', async () => {
  const { heard, pid, reason } = await run({ flags: [] });
  expect(heard).toEqual([{ name: 'memory', rest: '{"a":1}', pid, limit: OURS, big: 1n }]);
  expect(reason).toBe('exit code 3');
});

it('limits the writable memory of a cell, and stays the parent of that very process', async () => {
  const { heard, pid, reason } = await run({ flags: ['--no-warnings'], dataBytesMax: 1_200_000_000 });
  const limit = String(Math.floor(1_200_000_000 / 1024) * 1024);
  expect(heard).toEqual([{ name: 'memory', rest: '{"a":1}', pid, limit, big: 1n }]);
  expect(reason).toBe('exit code 3');
});
