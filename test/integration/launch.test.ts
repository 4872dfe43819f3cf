import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiAddress } from '../../daemon/client/api-client.ts';
import { auraison, freshDir, ROOT, until } from '../support/daemon.ts';
import { descendants, isAlive } from '../support/processes.ts';

/** The launch file is executed, and the process it describes is really started, as `ros2 launch` would. */
type Launched = { cmd: string[]; additional_env: Record<string, string>; sigterm_timeout: string };

function launch(...args: string[]): Launched {
  const [described, ...others] = JSON.parse(
    execFileSync(
      'python3',
      [join(ROOT, 'test/peers/launch_run.py'), join(ROOT, 'launch/robot.launch.py'), ...args],
      { encoding: 'utf8' },
    ),
  ) as Launched[];
  expect(others).toEqual([]);
  return described!;
}

let directory: ReturnType<typeof freshDir>;
const family = new Set<number>();
beforeEach(() => {
  directory = freshDir('launch');
});
afterEach(() => {
  for (const pid of family) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  directory.remove();
});

/** Starts what was described; resolves with what `auraison status` says once all cells are up. */
async function up(described: Launched) {
  const dataDir = join(directory.path, 'data');
  const [file, ...args] = described.cmd;
  const env = {
    ...process.env,
    AURAISON_API_PORT: '0',
    AURAISON_ZENOH_ENABLED: 'false',
    AMENT_PREFIX_PATH: '',
    ...described.additional_env,
  };
  const child = spawn(file!, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  family.add(child.pid!);
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(said);
      return apiAddress(dataDir) !== undefined;
    },
    'the API is announced',
    90_000,
  );
  const status = await until(() => {
    const result = auraison(['status', '--json', '--data-dir', dataDir]);
    return result.status === 0 && JSON.parse(result.stdout);
  }, 'all cells are up');
  for (const { pid } of descendants(child.pid!)) family.add(pid);
  return { child, status, exited, dataDir };
}

describe('the daemon that the launch file describes', () => {
  it.each([
    ['[api]\nport = 1\n[recorder]\nsource = "bus"\n', 'ros'],
    ['[robot]\n# source = "sim"\nname = "a"\n', 'ros'],
    ['[api]\nport = 1\n[robot]\nname = "a"\nsource = "ros_zenoh"\n', undefined],
    ['robot.source = "sim"\n', undefined],
    ['robot = { name = "a", source = "sim" }\n', undefined],
  ])('is where its configuration says, and else at the real robot: %j', (toml, source) => {
    const file = join(directory.path, 'edge.toml');
    writeFileSync(file, toml);
    expect(launch(`config:=${file}`).additional_env['AURAISON_ROBOT_SOURCE']).toBe(source);
    expect(launch(`config:=${file}`, 'source:=none').additional_env['AURAISON_ROBOT_SOURCE']).toBe('none');
  });

  it('comes up in its namespace with the simulated robot, and ends on SIGTERM in time', async () => {
    const described = launch('source:=sim', 'namespace:=/robot7/', `data_dir:=${directory.path}/data`);
    const { child, status, exited } = await up(described);
    expect(status).toMatchObject({
      robot_id: 'robot7',
      robot: { source: { kind: 'sim', connected: true }, degraded: [] },
    });
    // Supervisor, robot and the cells that are processes: without a central there is no link process.
    expect(family.size).toBeGreaterThanOrEqual(5);
    const begin = performance.now();
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(performance.now() - begin).toBeLessThan(Number(described.sigterm_timeout) * 1_000);
    expect([...family].filter(isAlive)).toEqual([]);
  });

  it('comes up as it is by default, and says so where there is no ROS', async () => {
    const described = launch(`data_dir:=${directory.path}/data`, 'name:=lab', 'log_level:=warn');
    const { child, status, exited } = await up(described);
    expect(status).toMatchObject({
      robot_id: 'lab',
      robot: { source: { kind: 'ros', connected: false }, degraded: [expect.stringContaining('no ROS 2')] },
    });
    // Ctrl-C in the terminal of a launch reaches the whole group as SIGINT.
    child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect([...family].filter(isAlive)).toEqual([]);
  });
});
