import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EStopState } from '../../contract/core.ts';
import { StopStore } from '../../daemon/execution/safety/stop-store.ts';

/** What the disk does when it is asked to make something durable. */
let sync: () => Promise<void> = async () => {};

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const open = async (...args: Parameters<typeof real.open>): Promise<FileHandle> => {
    const handle = await real.open(...args);
    handle.sync = () => sync();
    return handle;
  };
  return { ...real, open };
});

const ENGAGED: EStopState = {
  engaged: true,
  since_ns: '7',
  source: 'api',
  by: 'max',
  reason: '',
  press: '7',
};
const RELEASED: EStopState = { engaged: false, since_ns: '', source: '', by: '', reason: '' };
let dir: string;
let store: StopStore;

/** Lets the calls of the file system end that can end. */
async function until(found: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(found()).toBe(true), { timeout: 20_000, interval: 5 });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stop-store-'));
  store = new StopStore(dir);
  sync = async () => {};
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the state of the emergency stop on disk', () => {
  it('has the stop before the disk has made it durable: a process that is killed meanwhile comes back with it', async () => {
    let done = () => {};
    sync = () => new Promise((resolve) => (done = resolve));
    let isDurable = false;
    const written = store.write(ENGAGED).then(() => {
      isDurable = true;
    });
    await until(() => new StopStore(dir).read('9').engaged);
    expect(new StopStore(dir).read('9')).toEqual(ENGAGED);
    expect(isDurable).toBe(false);
    sync = async () => {};
    done();
    await written;
  });

  it('loses a stop only when the release is durable', async () => {
    await store.write(ENGAGED);
    let asked = 0;
    let done = () => {};
    sync = () => {
      asked += 1;
      return new Promise((resolve) => (done = resolve));
    };
    const written = store.write(RELEASED);
    await until(() => asked === 1);
    expect(new StopStore(dir).read('9')).toEqual(ENGAGED);
    sync = async () => {};
    done();
    await written;
    expect(new StopStore(dir).read('9')).toEqual(RELEASED);
  });

  it('keeps a stop without its reason where the disk makes nothing durable', async () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    sync = async () => {
      sync = async () => {};
      throw full;
    };
    await store.write(ENGAGED);
    expect(readFileSync(join(dir, 'safety', 'estop.json'), 'utf8')).toBe('');
    expect(new StopStore(dir).read('9')).toMatchObject({ engaged: true, source: 'internal' });
  });

  it('rejects a release that the disk does not take, and the stop stays', async () => {
    await store.write(ENGAGED);
    sync = async () => {
      throw new Error('EIO');
    };
    await expect(store.write(RELEASED)).rejects.toThrow('EIO');
    expect(new StopStore(dir).read('9')).toEqual(ENGAGED);
  });
});
