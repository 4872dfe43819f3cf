import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reload } from '../../cli/commands/reload.ts';
import { daemonOf, lockDataDir } from '../../daemon/supervisor/data-lock.ts';

let dataDir: string;
let stranger: ChildProcess;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'cli-reload-'));
  stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
});
afterEach(() => {
  stranger.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
});

/** The signal that ended it: one that was sent before this one shows here. */
async function endedBy(): Promise<NodeJS.Signals | null> {
  const exited = once(stranger, 'exit');
  stranger.kill('SIGTERM');
  await exited;
  return stranger.signalCode;
}

describe('auraison reload', () => {
  it('leaves the process alone that has the number of a daemon which was killed', async () => {
    lockDataDir(dataDir, process.pid).release();
    writeFileSync(join(dataDir, 'daemon.pid'), `${stranger.pid}\n`);
    await expect(reload(dataDir)).rejects.toMatchObject({
      code: 'cell.unavailable',
      message: expect.stringContaining(`no daemon runs with ${dataDir}`),
    });
    expect(await endedBy()).toBe('SIGTERM');
  });

  it('leaves a program alone that has the data directory for a while', async () => {
    const lock = lockDataDir(dataDir, stranger.pid!, 'bag import');
    await expect(reload(dataDir)).rejects.toMatchObject({ code: 'cell.unavailable' });
    expect(await endedBy()).toBe('SIGTERM');
    lock.release();
  });
});

describe('the owner of a data directory', () => {
  it('is the daemon that has the lock, and nobody before and after', () => {
    expect(daemonOf(dataDir)).toBeUndefined();
    const lock = lockDataDir(dataDir, 4711);
    expect(daemonOf(dataDir)).toEqual({ pid: 4711 });
    expect(() => lockDataDir(dataDir, 4712)).toThrow('another daemon (process 4711) uses');
    expect(daemonOf(dataDir)).toEqual({ pid: 4711 });
    lock.release();
    expect(daemonOf(dataDir)).toBeUndefined();
    expect(existsSync(join(dataDir, 'daemon.pid'))).toBe(false);
  });

  it('is not said to be nobody where that cannot be seen', () => {
    const path = join(dataDir, 'loop');
    symlinkSync(path, path);
    expect(() => daemonOf(path)).toThrow(
      expect.objectContaining({ code: 'host.missing', hint: expect.stringContaining('sudo') }),
    );
  });
});
