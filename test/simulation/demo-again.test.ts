import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type { Summary } from '../../cli/demo/summary.ts';
import { AURAISON, auraisonAsync, freshDir, until } from '../support/daemon.ts';
import { isAlive } from '../support/processes.ts';

/** `npm start` a second time: after Ctrl-C, after a power cut, and beside one that runs. */
let directory = freshDir('demo-again');
let first: ChildProcess | undefined;
afterEach(async () => {
  if (first && first.exitCode === null && first.signalCode === null) {
    first.kill('SIGTERM');
    await once(first, 'exit');
  }
  first = undefined;
  directory.remove();
  directory = freshDir('demo-again');
});

const SMALL = ['--width', '6', '--height', '6'];
const PORT = { AURAISON_API_PORT: '0' };

/** A run that takes minutes: it is under way when this resolves. */
async function startSlowly(): Promise<ChildProcess> {
  const args = ['demo', ...SMALL, '--seed', '7', '--pace', 'realtime', '--speed', '1'];
  first = spawn(AURAISON, [...args, '--data-dir', directory.path], {
    env: { ...process.env, ...PORT },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = createInterface({ input: first.stderr! });
  for await (const line of lines) if (line.includes(' navigate ')) return first;
  throw new Error('it ended before its run was under way');
}

async function runOnce(): Promise<Summary> {
  const args = ['demo', '--once', '--json', '--seed', '3', ...SMALL, '--data-dir', directory.path];
  const { status, stdout, stderr } = await auraisonAsync(args, PORT);
  expect(status, `${stdout}${stderr}`).toBe(0);
  return JSON.parse(stdout) as Summary;
}

/** How the runs ended, in the order in which they did. */
function endings(): string[] {
  const reader = openEventReader(directory.path, 'runtime');
  const events = reader.read(0, 100_000);
  reader.close();
  return events.flatMap((event) => (event.kind === 'run.finished' ? [event.payload.status] : []));
}

describe('a new start after one that was cut off', () => {
  it('by Ctrl-C drives its own run, from its own start', { timeout: 180_000 }, async () => {
    const child = await startSlowly();
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(130);
    const summary = await runOnce();
    expect(summary.reached).toBe(true);
    expect(summary.distance_m).toBeGreaterThan(3);
    expect(summary.duration_s).toBeGreaterThan(5);
    expect(endings()).toEqual(['cancelled', 'succeeded']);
  });

  it('by a power cut does too', { timeout: 180_000 }, async () => {
    const child = await startSlowly();
    const pid = Number(readFileSync(join(directory.path, 'daemon.pid'), 'utf8'));
    child.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid), 'the daemon is gone');
    const summary = await runOnce();
    expect(summary.reached).toBe(true);
    expect(summary.distance_m).toBeGreaterThan(3);
    expect(endings()).toEqual(['cancelled', 'succeeded']);
  });
});

describe('a second start beside one that runs', () => {
  it('is refused and leaves the log of the first alone', { timeout: 180_000 }, async () => {
    const child = await startSlowly();
    const log = join(directory.path, 'logs', 'daemon.log');
    const before = readFileSync(log, 'utf8');
    expect(before).not.toBe('');
    const { status, stderr } = await auraisonAsync(['demo', '--data-dir', directory.path], PORT);
    expect(status).toBe(1);
    expect(stderr).toContain('another daemon');
    expect(readFileSync(log, 'utf8').startsWith(before)).toBe(true);
    expect(child.exitCode).toBeNull();
  });
});
