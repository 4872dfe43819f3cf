import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { hostProbe } from '../../adapters/host-load/process-probe.ts';

const stat = (state: string, user = 12, system = 3, name = 'node') =>
  `7 (${name}) ${state} 1 7 7 0 -1 4194304 101 0 0 0 ${user} ${system} 0 0 20 0 1 0 77206 3133440 394\n`;

/** A /proc with these files. */
function proc(files: Record<string, string>) {
  return hostProbe({
    readText: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
    list: (path) =>
      Object.keys(files).flatMap((name) =>
        name.startsWith(path) && name.endsWith('/stat') ? [name.split('/').at(-2)!] : [],
      ),
  });
}

const FILES = {
  '/proc/7/task/7/stat': stat('S'),
  '/proc/7/task/7/schedstat': '60993145 52370467 188\n',
  '/proc/7/task/8/stat': stat('R'),
  '/proc/7/task/9/stat': stat('S'),
  '/proc/7/io': 'rchar: 4292\nwchar: 0\nsyscr: 13\n',
  '/proc/pressure/cpu':
    'some avg10=57.49 avg60=65.94 avg300=59.70 total=405095488\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
};

describe('what the kernel says of a process', () => {
  it('is state, processor time, waits, pressure, and whether another thread wants to run', () => {
    expect(proc(FILES).look(7)).toEqual({
      ...{ state: 'sleeping', helpersRunnable: true, helpersOnDisk: false },
      ...{ cpuMs: 60.993145, waitedMs: 52.370467, pressureMs: 405_095.488, readBytes: 4_292 },
    });
    const quiet = proc({ ...FILES, '/proc/7/task/8/stat': stat('S') });
    expect(quiet.look(7)).toMatchObject({ helpersRunnable: false, helpersOnDisk: false });
    const onDisk = proc({ ...FILES, '/proc/7/task/8/stat': stat('D') });
    expect(onDisk.look(7)).toMatchObject({ helpersRunnable: false, helpersOnDisk: true });
  });

  it('is its times alone from one file, for a process that is not under suspicion', () => {
    const { '/proc/7/task/7/schedstat': schedstat } = FILES;
    const times = { cpuMs: 60.993145, waitedMs: 52.370467, pressureMs: undefined, readBytes: undefined };
    expect(proc({ '/proc/7/task/7/schedstat': schedstat }).times(7)).toEqual(times);
    expect(proc({ '/proc/7/task/7/stat': stat('S') }).times(7)).toBeUndefined();
  });

  it('tells the states apart, whatever the process is called', () => {
    const states = { R: 'runnable', S: 'sleeping', D: 'disk', T: 'stopped', t: 'stopped', Z: 'dead' };
    for (const [letter, state] of Object.entries(states))
      expect(proc({ '/proc/7/task/7/stat': stat(letter, 1, 1, 'a) R (b') }).look(7)?.state).toBe(state);
  });

  it('does without the figures of the scheduler, and says nothing of what is not there', () => {
    const { '/proc/7/task/7/stat': text } = FILES;
    expect(proc({ '/proc/7/task/7/stat': text }).look(7)).toEqual({
      ...{ state: 'sleeping', helpersRunnable: false, helpersOnDisk: false, cpuMs: 150 },
      ...{ waitedMs: undefined, pressureMs: undefined, readBytes: undefined },
    });
    expect(proc({}).look(7)).toBeUndefined();
    expect(proc({ ...FILES, '/proc/7/task/7/stat': 'what is this' }).look(7)).toBeUndefined();
  });

  it('holds for real processes: one that sleeps, one that is stopped, and one that is gone', async () => {
    const child = spawn(process.execPath, [
      '-e',
      'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
    ]);
    const gone = once(child, 'exit');
    const state = () => hostProbe().look(child.pid!)?.state;
    await expect.poll(state, { timeout: 20_000 }).toBe('sleeping');
    child.kill('SIGSTOP');
    await expect.poll(state, { timeout: 20_000 }).toBe('stopped');
    child.kill('SIGKILL');
    await gone;
    await expect.poll(state, { timeout: 20_000 }).toBeUndefined();
    expect(hostProbe().look(process.pid)).toMatchObject({ cpuMs: expect.any(Number) });
  });
});
