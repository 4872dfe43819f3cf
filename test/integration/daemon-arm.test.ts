import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControllerView, isFinished, type RunDetails, type Submitted } from '../../contract/core.ts';
import { AURAISON, freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

const run = promisify(execFile);
/** Physics, controller and inference keep wall time: on a host that does not, an attempt fails and is followed by another. */
const LONG_MS = 280_000;
/** Share of real time below which a host does not keep it. */
const KEEPS_TIME = 0.95;
/** A host whose control steps come later than a step, one in a hundred, does not keep it either. */
const STEP_MS = 10;
type Listed = { readonly controllers: readonly ControllerView[] };
const isPicking = ({ name }: ControllerView) => name === 'pick_place';
let dir: ReturnType<typeof freshDir>;
let daemon: TestDaemon;

// Anew for each try: where the cube is in its place, there is nothing to do for the next.
beforeEach(async () => {
  dir = freshDir('auraison-arm');
  daemon = await testDaemon(join(dir.path, 'data'), {
    AURAISON_CONFIG: join(ROOT, 'docs', 'examples', 'ar4.toml'),
    AURAISON_SIM_CAMERA_RATE: '2',
  });
});
afterEach(async () => {
  await daemon?.stop();
  dir.remove();
});

/** Robot time and wall time now, milliseconds. */
async function times({ status }: TestDaemon): Promise<{ robotMs: number; wallMs: number }> {
  const { robot } = await status();
  const { time_ns } = robot as unknown as { time_ns: string };
  return { robotMs: Number(BigInt(time_ns) / 1_000_000n), wallMs: performance.now() };
}

function hashOf(): string {
  const card = join(ROOT, 'apps', 'ar4-physical-ai', 'policy', 'pick_place.onnx.json');
  return (JSON.parse(readFileSync(card, 'utf8')) as { sha256: string }).sha256;
}

describe('the arm of the example configuration', () => {
  it('does by its learned policy what it is asked for, and the episode becomes a dataset', {
    timeout: LONG_MS,
  }, async () => {
    const { api, dataDir } = daemon;
    await until(async () => (await api.get<{ connected: boolean }>('/v1/arm')).connected, 'the arm is there');
    await api.post('/v1/episodes', { label: 'put the red cube on the blue target' });
    const params = { attempts: 6, seconds: 15 };
    const began = await until(async () => {
      const now = await times(daemon);
      return now.robotMs > 0 && now;
    }, 'the time of the robot');
    const { run: opened } = await api.post<Submitted>('/v1/intents', { type: 'arm/pick_place', params });
    const details = await until(
      async () => {
        const now = await api.get<RunDetails>(`/v1/runs/${opened.run_id}`);
        return isFinished(now.run.status) && now;
      },
      'the end of the run',
      LONG_MS,
    );
    const ended = await times(daemon);
    const kept = (ended.robotMs - began.robotMs) / (ended.wallMs - began.wallMs);
    const [arm] = (await api.get<Listed>('/v1/controllers')).controllers.filter(isPicking);
    const { late_p99_ms: late = 0, inference_p99_ms: inference = 0 } = arm!;
    process.stdout.write(
      `robot time ran at ${kept.toFixed(2)} of the wall's, steps ${late} ms late and chunks ${inference} ms (p99): ${details.reason}\n`,
    );
    // A host that has no time for physics moves the arm in slow motion or in bursts under a controller that does not:
    // what that gives says nothing about the policy. What follows holds all the same.
    // The world says whether it is done; the last attempt may have run out of its time just then.
    if (kept > KEEPS_TIME && late < STEP_MS)
      expect(details.summary).toMatchObject({
        done: true,
        outcome: expect.stringMatching(/^(succeeded|time_over)$/),
      });
    expect(details.summary).toMatchObject({ policy_sha256: hashOf() });
    await api.post('/v1/episodes/stop', { success: true });
    // Nobody holds the arm any more.
    expect(await api.get('/v1/lease')).toMatchObject({ state: 'free' });

    // The lake tells of each step who moved the arm, and by what.
    const sql =
      'SELECT run_id, policy_hash, count(*) FROM actions WHERE chunk_id > 0 AND len(action) = len(names) ' +
      'AND len(observation_ids) = 1 GROUP BY ALL';
    const told = await until(async () => {
      const { rows } = await api.post<{ rows: [string, string, number][] }>('/v1/query', { sql });
      return rows.length > 0 && rows;
    }, 'the steps in the lake');
    expect(told.every(([run, hash]) => run === opened.run_id && hash === hashOf())).toBe(true);
    expect(told[0]![2]).toBeGreaterThan(100);

    const folder = join(dir.path, 'dataset');
    const vector = 'observation.environment_state=/environment_state';
    // A list of commands names none of its numbers.
    const names = 'joint_1,joint_2,joint_3,joint_4,joint_5,joint_6,gripper';
    const args = ['dataset', 'export', folder, '--no-cameras', '--robot-type', 'ar4', '--vector', vector];
    args.push('--action-names', names);
    await run(AURAISON, ['--data-dir', dataDir, ...args, '--max-age', '2s', '--success-only'], { cwd: ROOT });
    const info = JSON.parse(readFileSync(join(folder, 'meta', 'info.json'), 'utf8')) as {
      total_episodes: number;
      total_frames: number;
      features: Record<string, { shape: number[]; names: string[] }>;
    };
    expect(info).toMatchObject({ total_episodes: 1, fps: 20, robot_type: 'ar4' });
    // Two seconds at least are needed to pick and place anything.
    expect(info.total_frames).toBeGreaterThan(40);
    expect(info.features['observation.environment_state']!.shape).toEqual([8]);
    expect(info.features['action']!.names).toContain('gripper');
  });
});
