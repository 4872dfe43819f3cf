import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/zenoh.ts';

const MAIN = join(import.meta.dirname, '..', 'support', 'zenoh-threads-main.ts');
const STILL_MS = 2_500;

let endpoint = '';
const running: ChildProcess[] = [];
beforeEach(async () => {
  endpoint = `tcp/127.0.0.1:${await freePort()}`;
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A process of that role, and the first that it says. */
async function start(role: string, env: NodeJS.ProcessEnv = process.env) {
  const child = fork(MAIN, [role, endpoint], { env });
  running.push(child);
  const [said] = (await once(child, 'message')) as [{ tasks: string[]; inherited: string }];
  return { child, said };
}

/** Longest that the asker was without an answer, milliseconds. */
async function waited(asker: ChildProcess): Promise<number> {
  asker.send('?');
  const [ms] = (await once(asker, 'message')) as [number];
  return ms;
}

describe('the threads of Zenoh', () => {
  it('are one pool beside the one that sends, unless the environment says otherwise', async () => {
    const { said: ours } = await start('names');
    expect(ours.tasks).toEqual(expect.arrayContaining(['rx-0', 'rx-7', 'zenoh-listen']));
    expect(ours.tasks.filter((name) => /^(app|acc|net)-/.test(name))).toEqual([]);
    expect(ours.inherited).toBe('');
    endpoint = `tcp/127.0.0.1:${await freePort()}`;
    const env = { ...process.env, ZENOH_RUNTIME: '(rx:(worker_threads:3))' };
    const { said: theirs } = await start('names', env);
    expect(theirs.tasks).toContain('acc-0');
    expect(theirs.tasks).not.toContain('zenoh-listen');
    expect(theirs.inherited).toBe(env.ZENOH_RUNTIME);
  });

  it('a reader of kept values that stands still holds nobody up, and has all of them when it goes on', async () => {
    await start('hub');
    const { child: reader } = await start('reader');
    const { child: asker } = await start('asker');
    await sleep(500);
    let seen = 0;
    reader.on('message', (count: number) => {
      seen = count;
    });
    reader.send('go');
    await sleep(30);
    reader.kill('SIGSTOP');
    await sleep(STILL_MS);
    reader.kill('SIGCONT');
    for (let tries = 0; tries < 200 && seen < 400; tries++) await sleep(50);
    expect(seen).toBe(400);
    expect(await waited(asker)).toBeLessThan(4_000);
  });
});
