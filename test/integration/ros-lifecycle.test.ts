import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { AURAISON, freshDir, ROOT, until } from '../support/daemon.ts';
import { descendants, isAlive } from '../support/processes.ts';

/** The managed node of the ROS package with real rclpy, driven by the services that managers of ROS use. */
const PACKAGE = join(ROOT, 'launch', 'auraison_edge');
const directory = freshDir('ros-lifecycle');
const dataDir = join(directory.path, 'data');
const config = join(directory.path, 'edge.toml');
let env: RosEnv;
let node: ChildProcess;
let said = '';

beforeAll(() => {
  env = rosEnvironment();
  writeFileSync(config, '[daemon]\ncolour = "red"\n');
  const values = { auraison: AURAISON, config, data_dir: dataDir, source: 'sim' };
  const parameters = Object.entries(values).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
  const program = join(PACKAGE, 'auraison_edge', 'daemon_node.py');
  node = spawn(env['PYTHON']!, [program, '--ros-args', '-r', '__ns:=/robot7', ...parameters], {
    env: { ...process.env, ...env, AURAISON_API_PORT: '0', AURAISON_ZENOH_ENABLED: 'false' },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  node.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
});
afterAll(async () => {
  const family = descendants(node.pid!).map(({ pid }) => pid);
  node.kill('SIGKILL');
  for (const pid of family) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  directory.remove();
});

async function drive(...steps: string[]): Promise<[string, boolean, string][]> {
  const script = join(ROOT, 'test', 'peers', 'ros_lifecycle.py');
  const { stdout } = await promisify(execFile)(env['PYTHON']!, [script, '/robot7/auraison_edge', ...steps], {
    env: { ...process.env, ...env },
  });
  const lines = stdout.trim().split('\n');
  return lines.map((line) => {
    const { step, success, state } = JSON.parse(line) as { step: string; success: boolean; state: string };
    return [step, success, state];
  });
}

const daemonPid = () =>
  (JSON.parse(readFileSync(join(dataDir, 'run', 'api.json'), 'utf8')) as { pid: number }).pid;

describe('the managed node of a daemon', () => {
  it('is not configured with faults in the configuration, and names them', async () => {
    expect(await drive('configure')).toEqual([['configure', false, 'unconfigured']]);
    expect(said).toContain('daemon.colour');
  });

  it('starts the daemon in its namespace, and ends it', async () => {
    writeFileSync(config, '[sim]\nwidth = 6\nheight = 6\n');
    expect(await drive('configure', 'activate')).toEqual([
      ['configure', true, 'inactive'],
      ['activate', true, 'active'],
    ]);
    const status = execFileSync(AURAISON, ['status', '--json', '--data-dir', dataDir], { encoding: 'utf8' });
    expect(JSON.parse(status)).toMatchObject({ robot_id: 'robot7' });
    const pid = daemonPid();
    expect(await drive('deactivate')).toEqual([['deactivate', true, 'inactive']]);
    expect(isAlive(pid)).toBe(false);
  });

  it('goes by error processing to unconfigured where the daemon dies, and starts it again when asked', async () => {
    expect(await drive('activate')).toEqual([['activate', true, 'active']]);
    process.kill(daemonPid(), 'SIGKILL');
    expect(await drive('=unconfigured', 'configure', 'activate', 'deactivate')).toEqual([
      ['=unconfigured', true, 'unconfigured'],
      ['configure', true, 'inactive'],
      ['activate', true, 'active'],
      ['deactivate', true, 'inactive'],
    ]);
    expect(said).toContain('the daemon died');
  });

  it('ends the daemon when it is itself ended', async () => {
    await drive('activate');
    const pid = daemonPid();
    const ended = once(node, 'exit');
    node.kill('SIGINT');
    await ended;
    await until(() => !isAlive(pid), 'the daemon has ended');
  });
});

it('installs what its launch files need', () => {
  const out = join(directory.path, 'installed');
  // What setup.py asks of setuptools, which is not on every host of the tests.
  const record = `import json, runpy, sys, types
module = types.ModuleType('setuptools')
module.setup = lambda **asked: print(json.dumps(asked))
sys.modules['setuptools'] = module
runpy.run_path('setup.py')`;
  const asked = execFileSync('python3', ['-c', record], { cwd: PACKAGE, encoding: 'utf8' });
  for (const [folder, files] of (JSON.parse(asked) as { data_files: [string, string[]][] }).data_files)
    for (const file of files) cpSync(join(PACKAGE, file), join(out, folder, basename(file)));
  const launch = join(out, 'share', 'auraison_edge', 'launch');
  expect(readdirSync(launch).sort()).toEqual([
    'robot.launch.py',
    'sim.launch.py',
    'turtlebot',
    'turtlebot.launch.py',
  ]);
  expect(existsSync(join(out, 'share', 'ament_index', 'resource_index', 'packages', 'auraison_edge'))).toBe(
    true,
  );
  const run = join(ROOT, 'test', 'peers', 'launch_run.py');
  const [process_] = JSON.parse(
    execFileSync('python3', [run, join(launch, 'sim.launch.py'), 'namespace:=robot7'], { encoding: 'utf8' }),
  ) as { cmd: string[]; additional_env: object }[];
  // There is no command beside it: that of the Debian package.
  expect(process_!.cmd).toEqual(['auraison', 'up']);
  expect(process_!.additional_env).toMatchObject({
    AURAISON_ROBOT_SOURCE: 'sim',
    AURAISON_ROS_NAMESPACE: '/robot7',
  });
});
