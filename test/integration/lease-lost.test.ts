import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeaseView } from '../../contract/index.ts';
import { AURAISON, freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/**
 * A person steers by `auraison teleop`, and the program dies in the middle of it, as by a lost connection: nobody gives
 * the lease back. What is measured is what the robot itself reports.
 */
let dir: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
beforeEach(() => {
  dir = freshDir('lease-lost');
});
afterEach(async () => {
  await daemon?.stop();
  dir.remove();
});

type Joints = { readonly joints: Readonly<Record<string, { readonly position: number }>> };
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Where it is, as one number that changes while it moves. */
const places = {
  arm: async ({ api }: TestDaemon) => (await api.get<Joints>('/v1/arm')).joints['joint_1']?.position,
  base: async ({ status }: TestDaemon) => {
    const { robot } = await status();
    return robot.available ? robot.pose?.yaw : undefined;
  },
};

describe('a person whose connection is lost while they steer', () => {
  it.each([
    ['base', ['--linear', '0', '--angular', '0.6'], {}],
    ['arm', ['--joint', 'joint_1=0.2'], { AURAISON_CONFIG: join(ROOT, 'docs', 'examples', 'ar4.toml') }],
  ] as const)('leaves a standing %s behind, before and after the lease ends', async (which, how, env) => {
    const running = await testDaemon(dir.path, env);
    daemon = running;
    const place = async () => (await places[which](running)) ?? Number.NaN;
    const first = await until(async () => {
      const found = await place();
      return Number.isFinite(found) && { at: found };
    }, 'the robot is there');
    const person = spawn(AURAISON, ['teleop', ...how, '--seconds', '60', '--data-dir', dir.path], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const gone = once(person, 'exit');
    try {
      await until(async () => Math.abs((await place()) - first.at) > 0.05, 'it moves');
    } finally {
      person.kill('SIGKILL');
    }
    await gone;
    // The last command counts for 300 ms, and then it brakes.
    await wait(1_500);
    const rested = await place();
    const { state } = await running.api.get<LeaseView>('/v1/lease');
    expect(['held', 'free']).toContain(state);
    await until(
      async () => (await running.api.get<LeaseView>('/v1/lease')).state === 'free',
      'the lease ends',
    );
    await wait(1_000);
    expect(Math.abs((await place()) - rested)).toBeLessThan(0.01);
    // A stop has nothing left to wait for, and says so.
    await running.api.post('/v1/robot/stop', { reason: 'to be sure' });
  });
});
