import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../daemon/config.ts';

/** The unit by systemd's own tools, the install command into a directory, the launch file against a stub. */
const root = join(import.meta.dirname, '..', '..');
const auraison = join(root, 'bin', 'auraison');
const directory = mkdtempSync(join(tmpdir(), 'service-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the systemd unit', () => {
  const installed = JSON.parse(
    execFileSync(auraison, ['service', 'install', '--root', directory, '--json'], { encoding: 'utf8' }),
  ) as { files: { path: string }[] };
  const unit = join(directory, 'etc/systemd/system/auraison-edge.service');

  it('is installed with its configuration, and a configuration that is there is kept', () => {
    expect(installed.files.map((f) => f.path)).toContain(unit);
    const config = join(directory, 'etc/auraison-edge/auraison-edge.toml');
    expect(spawnSync(auraison, ['config', 'check', config]).status).toBe(0);
    writeFileSync(config, '[sim]\nseed = 99\n');
    execFileSync(auraison, ['service', 'install', '--root', directory]);
    expect(readFileSync(config, 'utf8')).toBe('[sim]\nseed = 99\n');
  });

  it('is accepted by systemd-analyze verify, without a warning', () => {
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('has a folder for secrets that only root can read, which the unit loads', () => {
    expect(statSync(join(directory, 'etc/auraison-edge/secrets')).mode & 0o777).toBe(0o700);
    expect(readFileSync(unit, 'utf8')).toMatch(/^LoadCredential=secret:\/etc\/auraison-edge\/secrets$/m);
  });

  it('has an exposure of at most 1.7', () => {
    const output = execFileSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', unit], {
      encoding: 'utf8',
    });
    const level = Number(/Overall exposure level for [^:]+: ([0-9.]+)/.exec(output)?.[1]);
    expect(level).toBeGreaterThan(0);
    expect(level).toBeLessThanOrEqual(1.7);
  });

  it('is Type=notify with a watchdog, and waits longer than the daemon takes to stop', () => {
    const text = readFileSync(unit, 'utf8');
    expect(text).toMatch(/^Type=notify$/m);
    expect(Number(/^WatchdogSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(2);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(5);
    expect(text).not.toContain('@AURAISON@');
  });
});

describe('the launch file', () => {
  const launch = (env: Record<string, string>, ...args: string[]) =>
    JSON.parse(
      execFileSync(
        'python3',
        [join(root, 'test/peers/launch_run.py'), join(root, 'launch/robot.launch.py'), ...args],
        { encoding: 'utf8', env: { ...process.env, ...env } },
      ),
    ) as { cmd: string[]; additional_env: Record<string, string>; respawn: boolean }[];

  it('starts one daemon with namespace and parameters', () => {
    const [process_, ...others] = launch(
      {},
      'namespace:=/robot7/',
      'config:=/tmp/a.toml',
      'data_dir:=/tmp/d',
      'domain_id:=42',
    );
    expect(others).toEqual([]);
    expect(process_!.cmd).toEqual([auraison, 'up', '--config', '/tmp/a.toml', '--data-dir', '/tmp/d']);
    expect(process_!.additional_env).toMatchObject({
      AURAISON_ROS_NAMESPACE: '/robot7',
      AURAISON_DAEMON_NAME: 'robot7',
      AURAISON_ROS_DOMAIN_ID: '42',
    });
    expect(process_!.respawn).toBe(true);
  });

  const FILE = `
[daemon]
name = "robot7"
log_level = "warn"
[robot]
source = "ros_zenoh"
[ros]
namespace = "/robot7"
domain_id = 7
`;
  const settings = (env: Record<string, string>, ...args: string[]) => {
    const file = join(directory, 'robot7.toml');
    writeFileSync(file, FILE);
    const [process_] = launch(env, ...args.map((arg) => arg.replace('FILE', file)));
    const { daemon, robot, ros } = readConfig(FILE, file, process_!.additional_env).config;
    return [daemon.name, daemon.log_level, robot.source, ros.namespace, ros.domain_id];
  };

  it('leaves to the file what no argument says', () => {
    expect(settings({}, 'config:=FILE')).toEqual(['robot7', 'warn', 'ros_zenoh', '/robot7', 7]);
    expect(settings({ ROS_DOMAIN_ID: '3' }, 'config:=FILE', 'log_level:=debug', 'source:=none')).toEqual([
      ...['robot7', 'debug', 'none', '/robot7', 7],
    ]);
  });

  it('leaves it to the file of the usual place as well, and takes ROS where there is none', () => {
    const home = join(directory, 'home');
    mkdirSync(home);
    const env = { XDG_CONFIG_HOME: home };
    expect(launch(env)[0]!.additional_env).toEqual({ AURAISON_ROBOT_SOURCE: 'ros' });
    writeFileSync(join(home, 'auraison-edge.toml'), FILE);
    expect(launch(env)[0]!.additional_env).toEqual({});
  });

  it('hands over an environment that the configuration accepts', () => {
    const [process_] = launch({}, 'source:=sim');
    const { status, stdout } = spawnSync(auraison, ['config', 'check', '--json'], {
      encoding: 'utf8',
      env: { ...process.env, ...process_!.additional_env },
    });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, config: { robot: { source: 'sim' } } });
    expect(status).toBe(0);
  });
});

describe('bin/auraison', () => {
  it('refuses a wrong configuration with exit code 78 and names file, line, key and value', () => {
    const file = join(directory, 'bad.toml');
    writeFileSync(file, '[api]\nport = "many"\n');
    const { status, stderr } = spawnSync(auraison, ['up', '--config', file], { encoding: 'utf8' });
    expect(status).toBe(78);
    expect(stderr).toContain(`${file}:2: api.port = "many"`);
  });

  it('refuses a token file that others may read', () => {
    const token = join(directory, 'token');
    writeFileSync(token, 'hunter2');
    chmodSync(token, 0o644);
    const env = {
      ...process.env,
      AURAISON_API_TOKEN_FILE: token,
      AURAISON_DAEMON_DATA_DIR: join(directory, 'data'),
    };
    const { status, stderr } = spawnSync(auraison, ['status'], { encoding: 'utf8', env });
    expect(status).not.toBe(0);
    expect(stderr).toContain('chmod 600');
    expect(stderr).not.toContain('hunter2');
  });
});
