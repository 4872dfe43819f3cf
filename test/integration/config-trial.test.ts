import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { daemonOf } from '../../daemon/supervisor/data-lock.ts';
import { eachEvent } from '../../history/each-event.ts';
import { auraison, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** A configuration that is taken over the API of a real daemon. */
const folder = freshDir('auraison-config-trial');
const file = join(folder.path, 'robot.toml');
const dataDir = join(folder.path, 'data');
const SOURCE = '# of this robot\n[api]\ntake_config = true\n\n[lease]\nttl = "1 s" # short\n';
const start = () => testDaemon(dataDir, { AURAISON_CONFIG: file });
let daemon: TestDaemon;

type View = {
  readonly taking: {
    readonly allowed: boolean;
    readonly trial?: { readonly ends_in_ms: number };
    readonly last?: { readonly outcome: string; readonly reason: string };
  };
  readonly sections: readonly {
    readonly name: string;
    readonly keys: readonly { key: string; value: string }[];
  }[];
};
const view = () => daemon.api.get<View>('/v1/config');
const text = () => readFileSync(file, 'utf8');
async function inForce(section: string, key: string) {
  const { sections } = await view();
  return sections.find(({ name }) => name === section)?.keys.find((one) => one.key === key)?.value;
}
async function take(key: string, value: string, confirm_ms = 10_000) {
  const set = [{ key, value }];
  const { seen, ok } = await daemon.api.post<{ seen: string; ok: boolean }>('/v1/config/check', { set });
  expect(ok).toBe(true);
  return await daemon.api.post('/v1/config/take', { set, seen, confirm_ms });
}
const settled = async () => {
  try {
    const { taking } = await view();
    return taking.trial === undefined && taking;
  } catch {
    // The cell of the API starts again.
    return false;
  }
};

beforeAll(async () => {
  writeFileSync(file, SOURCE);
  daemon = await start();
});
afterAll(async () => {
  await daemon.stop();
  folder.remove();
});

describe('a configuration taken over the API', () => {
  it('restarts what reads it, and stays where it is kept', async () => {
    const execution = await daemon.pidOf('execution');
    await take('lease.ttl', '"3 s"');
    await until(async () => (await inForce('lease', 'ttl')) === '"3 s"', 'the value is in force');
    await until(
      async () => (await daemon.pidOf('execution')) !== execution,
      'the cell that reads it is a new one',
    );
    expect(await daemon.api.post('/v1/config/keep', {})).toMatchObject({ outcome: 'kept' });
    expect(text()).toBe(SOURCE.replace('1 s', '3 s'));
    const log = openEventReader(dataDir, 'runtime');
    const states = [...eachEvent(log, { kinds: ['config.trial'] })].map(({ payload }) => payload.state);
    log.close();
    expect(states).toEqual(['taken', 'kept']);
  });

  it('that shuts the door behind the person comes to its end: the API is back where it was', async () => {
    const before = text();
    // No interface of this host has it (RFC 5737): the API cannot listen there.
    await take('api.host', '"203.0.113.1"');
    const taking = await until(settled, 'the former configuration is back', 90_000);
    expect(taking).toMatchObject({ last: { outcome: 'put_back' } });
    expect(text()).toBe(before);
  });

  it('is set and ended at a terminal of the robot too', async () => {
    const at = (...args: string[]) => auraison([...args, '--data-dir', dataDir], { AURAISON_CONFIG: file });
    const before = text();
    expect(at('config', 'set', 'lease.ttl', '4s', '--reload')).toMatchObject({
      ...{ status: 0, stdout: expect.stringContaining('lease.ttl is set; the daemon takes it') },
    });
    // In quotes, with the comment that was there.
    expect(text()).toBe(before.replace('3 s', '4s'));
    expect(await inForce('lease', 'ttl')).toBe('"4s"');
    const wrong = at('config', 'set', 'lease.ttl', 'long');
    expect([wrong.status, wrong.stderr]).toEqual([78, expect.stringContaining('expected a duration')]);
    expect(at('config', 'set', 'lease.tll', '1s').stderr).toContain('no single key has this name');
    expect(at('config', 'set', 'lease.ttl', '3 s', '--reload').status).toBe(0);
    expect(text()).toBe(before);
    await take('lease.ttl', '"6 s"', 600_000);
    await until(async () => (await inForce('lease', 'ttl')) === '"6 s"', 'the value is in force');
    expect(at('config', 'put-back').stdout).toContain('put back: lease.ttl');
    await until(async () => (await inForce('lease', 'ttl')) === '"3 s"', 'the former value is in force');
    expect(text()).toBe(before);
    expect(at('config', 'keep').stderr).toContain('no configuration is on trial');
  });

  it('is gone after a kill -9 of the daemon in its trial', async () => {
    const before = text();
    await take('lease.ttl', '"5 s"', 600_000);
    await until(async () => (await inForce('lease', 'ttl')) === '"5 s"', 'the value is in force');
    process.kill(daemonOf(dataDir)!.pid!, 'SIGKILL');
    await daemon.stop().catch(() => {});
    expect(text()).not.toBe(before);
    daemon = await start();
    expect(text()).toBe(before);
    expect(await inForce('lease', 'ttl')).toBe('"3 s"');
    const { taking } = await view();
    expect(taking).toMatchObject({ allowed: true, last: { reason: 'the daemon ended during the trial' } });
    expect(existsSync(join(dataDir, 'run/config-trial.json'))).toBe(false);
  });
});
