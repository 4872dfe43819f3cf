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
const nodes: ChildProcess[] = [];
let env: RosEnv;
let said = '';

beforeAll(() => {
  env = rosEnvironment();
});
afterAll(() => {
  for (const node of nodes) {
    const family = descendants(node.pid!).map(({ pid }) => pid);
    node.kill('SIGKILL');
    for (const pid of family) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
  directory.remove();
});

function startNode(namespace: string, values: Record<string, string>): ChildProcess {
  const parameters = Object.entries(values).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
  const program = join(PACKAGE, 'auraison_edge', 'daemon_node.py');
  const node = spawn(env['PYTHON']!, [program, '--ros-args', '-r', `__ns:=${namespace}`, ...parameters], {
    env: { ...process.env, ...env, AURAISON_API_PORT: '0', AURAISON_ZENOH_ENABLED: 'false' },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  node.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  nodes.push(node);
  return node;
}

type Driven = [step: string, success: boolean, state: string][];
async function drive(namespace: string, ...steps: string[]): Promise<Driven> {
  const script = join(ROOT, 'test', 'peers', 'ros_lifecycle.py');
  const { stdout } = await promisify(execFile)(
    env['PYTHON']!,
    [script, `${namespace}/auraison_edge`, ...steps],
    { env: { ...process.env, ...env } },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const { step, success, state } = JSON.parse(line) as { step: string; success: boolean; state: string };
      return [step, success, state];
    });
}

it('starts a daemon in its namespace once its configuration has no faults, and ends it', async () => {
  const config = join(directory.path, 'edge.toml');
  writeFileSync(config, '[daemon]\ncolour = "red"\n');
  startNode('/robot7', { auraison: AURAISON, config, data_dir: dataDir, source: 'sim' });
  expect(await drive('/robot7', 'configure')).toEqual([['configure', false, 'unconfigured']]);
  expect(said).toContain('daemon.colour');
  writeFileSync(config, '[sim]\nwidth = 6\nheight = 6\n');
  expect(await drive('/robot7', 'configure', 'activate')).toEqual([
    ['configure', true, 'inactive'],
    ['activate', true, 'active'],
  ]);
  const status = execFileSync(AURAISON, ['status', '--json', '--data-dir', dataDir], { encoding: 'utf8' });
  expect(JSON.parse(status)).toMatchObject({ robot_id: 'robot7' });
  const { pid } = JSON.parse(readFileSync(join(dataDir, 'run', 'api.json'), 'utf8')) as { pid: number };
  expect(await drive('/robot7', 'deactivate')).toEqual([['deactivate', true, 'inactive']]);
  expect(isAlive(pid)).toBe(false);
});

describe('the managed node, whatever its daemon is', () => {
  const pidFile = join(directory.path, 'pid');
  const daemonPid = () => Number(readFileSync(pidFile, 'utf8'));
  let node: ChildProcess;

  beforeAll(() => {
    const auraison = join(directory.path, 'auraison');
    const lines = [
      `#!/bin/sh`,
      `case "$*" in *config*) ;; *status*) echo '{"cells":[]}' ;; *) echo $$ >${pidFile}; exec sleep 600 ;; esac`,
    ];
    writeFileSync(auraison, `${lines.join('\n')}\n`, { mode: 0o755 });
    node = startNode('/robot8', { auraison });
  });

  it('goes by error processing to unconfigured where the daemon dies, and starts it again when asked', async () => {
    await drive('/robot8', 'configure', 'activate');
    process.kill(daemonPid(), 'SIGKILL');
    expect(await drive('/robot8', '=unconfigured', 'configure', 'activate')).toEqual([
      ['=unconfigured', true, 'unconfigured'],
      ['configure', true, 'inactive'],
      ['activate', true, 'active'],
    ]);
    expect(said).toContain('the daemon died');
  });

  it('keeps the daemon when it is asked for a transition that its state does not have', async () => {
    const pid = daemonPid();
    // rclpy answers nothing then.
    void drive('/robot8', 'configure').catch(() => undefined);
    await until(() => said.includes('a request was refused'), 'the refusal is in the log');
    expect(await drive('/robot8', '=active')).toEqual([['=active', true, 'active']]);
    expect(isAlive(pid)).toBe(true);
  });

  it('ends the daemon when it is itself ended', async () => {
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
