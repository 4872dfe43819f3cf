import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EdgeError, EStopState, MotionResult, Submitted } from '../../contract/index.ts';
import {
  allEvents,
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** The whole daemon and its simulated robot, stopped by each of the ways that need no ROS. */
let dir: ReturnType<typeof freshDir>;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  dir = freshDir('emergency-stop');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  dir.remove();
});

const start = async (endpoint: string): Promise<TestDaemon> => {
  const daemon = await testDaemon(dir.path, {
    // In lockstep the robot waits for a host that is busy: it stands because it was stopped, not for want of a scan.
    ...{ AURAISON_SIM_PACE: 'lockstep', AURAISON_SIM_SPEED: '1', AURAISON_DAEMON_NAME: 'robot7' },
    ...{ AURAISON_ZENOH_ENABLED: 'true', AURAISON_ZENOH_MODE: 'router', AURAISON_ZENOH_LISTEN: endpoint },
  });
  closing.push(() => daemon.stop());
  return daemon;
};
const cli = (...args: string[]) => auraisonAsync([...args, '--data-dir', dir.path]);
const turning = async ({ status }: TestDaemon) => {
  const { robot } = await status();
  return robot.available ? Math.abs(robot.twist.angular) : 0;
};
const spin = ({ api }: TestDaemon) =>
  api.post<MotionResult>('/v1/robot/maneuver', { kind: 'spin', angle_rad: 20 });
const refusedBy = (source: string) => ({
  code: 'estop.engaged',
  message: expect.stringContaining(`(${source})`),
});
/** Engaged by the API. A host that has no time for the simulated robot may not confirm in time that it stands. */
const press = ({ api }: TestDaemon, reason: string) =>
  api.post('/v1/estop', { reason }).catch((error: EdgeError) => {
    if (error.code !== 'robot.unreachable') throw error;
  });

/** A robot that turns, until `engage` stops it; then it stands, refuses to move, and is released by a person. */
async function stopsBy(
  daemon: TestDaemon,
  sources: string | readonly string[],
  engage: () => unknown,
): Promise<string> {
  const source = String(sources);
  const motion = spin(daemon).catch((error: EdgeError) => error);
  const early = motion.then((outcome) => {
    throw new Error(`it did not turn, before ${source}: ${JSON.stringify(outcome)}`);
  });
  await Promise.race([early, until(async () => (await turning(daemon)) > 0.3, `it turns, before ${source}`)]);
  early.catch(() => {});
  await engage();
  const state = await until(async () => {
    const now = await daemon.api.get<EStopState>('/v1/estop');
    return now.engaged && now;
  }, `engaged by ${source}`);
  expect(sources).toContain(state.source);
  expect(await motion).toMatchObject({ outcome: 'stopped' });
  await until(async () => (await turning(daemon)) < 0.02, `it stands after ${source}`);
  await expect(spin(daemon)).rejects.toMatchObject(refusedBy(state.source));
  return state.source;
}

describe('the emergency stop of a running daemon', () => {
  it('works by every way, holds over kills and restarts, and only a person ends it', {
    timeout: 240_000,
  }, async () => {
    const endpoint = `tcp/127.0.0.1:${await freePort()}`;
    const daemon = await start(endpoint);
    const { api } = daemon;
    const peer = new ZenohPeer('zenoh_puppet.py', endpoint, '{}');
    closing.push(() => peer.kill());
    const release = async () => {
      const { status, stdout, stderr } = await cli('estop', 'release', '--reason', 'looked at it');
      expect([status, stdout.trim(), stderr]).toEqual([0, expect.stringContaining('not engaged'), '']);
    };

    // A run drives. It ends with the stop, an agent gets nowhere, and nothing goes on by a release.
    const { run } = await api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
    await until(
      async () => {
        const { robot } = await daemon.status();
        return robot.available && robot.twist.linear > 0.1;
      },
      'the run drives',
      120_000,
    );
    await press(daemon, 'a child');
    expect((await finishedRun(api, run.run_id)).run.status).toBe('cancelled');
    const next = await api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
    const ended = await finishedRun(api, next.run.run_id);
    expect(ended.run.status).toBe('failed');
    const refused = (await allEvents(api)).filter(({ run_id, kind, payload }) => {
      const { error } = payload as { error?: { code: string } };
      return run_id === next.run.run_id && kind === 'tool.returned' && error?.code === 'estop.engaged';
    });
    expect(refused.length).toBeGreaterThan(0);
    await expect(api.post('/v1/lease', {})).rejects.toMatchObject(refusedBy('api'));
    const steer = { lease_id: 1, twist: { linear: 0.1, angular: 0 } };
    await expect(daemon.api.post('/v1/teleop', steer)).rejects.toMatchObject(refusedBy('api'));

    // The cell that knows of it dies, and comes back knowing.
    const former = await daemon.pidOf('execution');
    process.kill(former, 'SIGKILL');
    await until(async () => (await daemon.pidOf('execution')) !== former, 'another execution cell');
    const state = await until(() => api.get<EStopState>('/v1/estop').catch(() => undefined), 'it answers');
    expect(state).toMatchObject({ engaged: true, source: 'api', by: 'operator', reason: 'a child' });
    await until(async () => (await daemon.status()).robot.available, 'the robot is back');
    await expect(spin(daemon)).rejects.toMatchObject(refusedBy('api'));
    await release();

    // By the file, before Node starts; the file is gone when the stop holds without it. Where the host keeps the cell from
    // running until the API has asked as well, either may be first.
    const file = join(dir.path, 'estop');
    const first = await stopsBy(daemon, ['file', 'cli'], async () => {
      const { status, stdout, stderr } = await cli('estop', '--reason', 'the red button');
      expect([stdout, existsSync(file)]).toEqual([expect.stringContaining('the red button'), false]);
      expect([status, stderr]).toEqual([stderr.includes('was not confirmed') ? 1 : 0, expect.anything()]);
    });
    expect((await api.post<EStopState>('/v1/estop/release', {})).engaged).toBe(false);
    await stopsBy(daemon, 'file', () => writeFileSync(file, 'by hand'));
    await expect(api.post('/v1/estop/release', {})).rejects.toMatchObject({ code: 'command.refused' });
    await release();
    expect(existsSync(file)).toBe(false);
    await stopsBy(daemon, 'zenoh', () => peer.order({ put: 'robot7/estop', size: 4, count: 1, rate: 10 }));
    const metrics = await (await api.stream('/metrics')).text();
    expect(metrics).toContain('auraison_estop_engaged 1');
    await until(() => release().then(() => true), 'the key is not held any more');

    // A person steers, against whom no run has a chance.
    // On a host that starves the daemon the lease may be lost on the way; then the person steers again.
    await until(async () => {
      const { status, stdout } = await cli('teleop', '--linear', '0.1', '--angular', '0.6', '--seconds', '2');
      return status === 0 && stdout.includes('the lease is given back');
    }, 'a person steers');

    const kinds = (await allEvents(api)).filter(({ kind }) => kind.startsWith('estop.'));
    expect(kinds.map(({ kind, payload }) => `${kind} ${(payload as { source: string }).source}`)).toEqual([
      ...['estop.engaged api', 'estop.released cli', `estop.engaged ${first}`, 'estop.released api'],
      ...['estop.engaged file', 'estop.released cli', 'estop.engaged zenoh', 'estop.released cli'],
    ]);

    // Without a daemon the command line leaves word for the next one, and does not say that anything was stopped.
    await daemon.stop();
    const left = await cli('estop', '--reason', 'nobody is there');
    expect([left.status, existsSync(file)]).toEqual([1, true]);
    const again = await start(endpoint);
    expect(await again.api.get('/v1/estop')).toMatchObject({ source: 'file', reason: 'nobody is there' });
    await expect(spin(again)).rejects.toMatchObject(refusedBy('file'));
  });
});
