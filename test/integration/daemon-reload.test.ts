import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { RunDetails } from '../../contract/index.ts';
import { daemonOf } from '../../daemon/supervisor/data-lock.ts';
import { AURAISON, auraison, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';

/** A configuration that changes under a real daemon: its file is edited, and it is told by SIGHUP. */
const folder = freshDir('auraison-reload');
const file = join(folder.path, 'robot.toml');
let port: number;
let daemon: TestDaemon;

function write(more: string, zenoh = ''): void {
  const base = `[zenoh]\nmode = "router"\nlisten = ["tcp/127.0.0.1:${port}"]\nshared_memory = "0 B"\n${zenoh}`;
  writeFileSync(file, `${base}\n${more}`);
}

const reload = () => {
  const { status, stdout } = auraison(['reload', '--json', '--data-dir', join(folder.path, 'data')]);
  return { status, told: JSON.parse(stdout) };
};

beforeAll(async () => {
  port = await freePort();
  write('');
  daemon = await testDaemon(join(folder.path, 'data'), {
    AURAISON_CONFIG: file,
    AURAISON_ZENOH_ENABLED: 'true',
  });
});
afterAll(async () => {
  await daemon.stop();
  folder.remove();
});

describe('auraison reload', () => {
  it('lets a rule of access count in a new session, and no cell is disturbed', async () => {
    const execution = await daemon.pidOf('execution');
    // A guest that comes back by itself, as every peer does.
    const clock = new SystemClock();
    const guest = await NativeKeySpace.open(
      { mode: 'client', listen: [], connect: [`tcp/127.0.0.1:${port}`], sharedMemoryBytes: 0 },
      { clock },
    );
    const answers = async () => {
      const replies = await guest.query('ai/inference/vla', { timeoutMs: 1_000 });
      return replies.some(({ ok }) => ok);
    };
    try {
      await until(answers, 'the queryable tells what it takes');
      write('', '[[zenoh.access]]\npermission = "allow"\nkeys = ["other/**"]\nmessages = ["query"]\n');
      expect(reload()).toMatchObject({ status: 0, told: { ok: true, live: ['zenoh'], restart: [] } });
      await until(async () => !(await answers()), 'the rule keeps the guest out');
      write('');
      expect(reload().told).toMatchObject({ ok: true, live: ['zenoh'] });
      await until(answers, 'and without the rule it is back');
      expect(await daemon.pidOf('execution')).toBe(execution);
    } finally {
      await guest.close();
    }
  });

  it('starts only the cell anew that reads what changed, and a run goes on', async () => {
    const before = await daemon.pidOf('execution');
    const runtime = await daemon.pidOf('runtime');
    const { run } = await daemon.api.post<{ run: { run_id: string } }>('/v1/intents', {
      type: 'maze/find_exit',
    });
    write('[runs]\nauto_start = "maze/find_exit"');
    expect(reload()).toMatchObject({ status: 0, told: { ok: true, restart: ['runtime'], failed: [] } });
    expect(await daemon.pidOf('runtime')).not.toBe(runtime);
    expect(await daemon.pidOf('execution')).toBe(before);
    const goesOn = async () => {
      const { run: now } = await daemon.api.get<RunDetails>(`/v1/runs/${run.run_id}`);
      return now.status === 'running' && now.attempt === 2;
    };
    await until(goesOn, 'the run goes on in the new runtime');
    // A reload is no start: nothing was begun by itself.
    const runs = await daemon.api.get<{ runs: unknown[] }>('/v1/runs');
    expect(runs.runs).toHaveLength(1);
    await daemon.api.post(`/v1/runs/${run.run_id}/cancel`, {});
  });

  it('keeps the former configuration where the new one has faults, and says where', async () => {
    const pids = await Promise.all([daemon.pidOf('execution'), daemon.pidOf('runtime')]);
    write('[control]\nrate = "fast"');
    const { status, told } = reload();
    expect(status).toBe(1);
    expect(told).toMatchObject({ ok: false, error: { code: 'config.invalid' } });
    expect(told.error.message).toContain('control.rate');
    expect(await Promise.all([daemon.pidOf('execution'), daemon.pidOf('runtime')])).toEqual(pids);
  });

  it('says that nobody is there to be told', () => {
    const { status, stderr } = auraison(['reload', '--data-dir', join(folder.path, 'nobody')]);
    expect(status).toBe(1);
    expect(stderr).toContain('no daemon');
  });
});

it('a daemon that is told while it still starts lives, and reads its configuration again once it is up', async () => {
  const data = join(folder.path, 'early');
  // Signs of a daemon that was killed and has not let go of the port yet: the next one waits for that.
  const former = createServer();
  await new Promise<void>((resolve) => former.listen(0, '127.0.0.1', resolve));
  const { port: taken } = former.address() as { port: number };
  mkdirSync(join(data, 'run'), { recursive: true });
  writeFileSync(join(data, 'run', 'api.json'), JSON.stringify({ url: `http://127.0.0.1:${taken}`, pid: 0 }));
  const child = spawn(AURAISON, ['up', '--data-dir', data], {
    stdio: 'ignore',
    env: { ...process.env, AURAISON_API_PORT: String(taken), AURAISON_ZENOH_ENABLED: 'false' },
  });
  const exited = once(child, 'exit');
  try {
    const locked = await until(() => daemonOf(data)?.pid, 'it has its data directory');
    expect(locked).toBe(child.pid);
    child.kill('SIGHUP');
    former.close();
    const ended = () => child.exitCode ?? child.signalCode;
    const told = () => existsSync(join(data, 'run', 'reload.json'));
    await until(() => ended() !== null || told(), 'it read its configuration again, or ended');
    expect(ended()).toBeNull();
    expect(JSON.parse(readFileSync(join(data, 'run', 'reload.json'), 'utf8'))).toMatchObject({ ok: true });
  } finally {
    child.kill('SIGTERM');
  }
  expect(await exited).toEqual([0, null]);
});
