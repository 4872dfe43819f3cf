import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BootedSystem, rootFilesystems } from './booted-system.ts';
import { ROOT, until } from './daemon.ts';

const UNIT = 'auraison-edge.service';
const DATA = '/var/lib/auraison-edge';
const CONFIG = '/etc/auraison-edge/auraison-edge.toml';
const PATIENCE = 120_000;

/** The package in the life that it has on a robot, under a booted systemd. Each test goes on from the one before. */
export function debianPackage(directory: string, bundle: string): void {
  const roots = rootFilesystems();
  if ('fault' in roots) {
    const loud = `DEBIAN PACKAGE NOT TESTED on this host: ${roots.fault}`;
    it(loud, ({ skip }) => {
      if (process.env['CI'] && process.getuid?.() === 0) expect.fail(loud);
      skip(loud);
    });
    return;
  }
  const work = join(directory, 'system');
  const packages = join(work, 'packages');
  let files: { old: string; new: string };
  let robot: BootedSystem;
  let run = '';

  beforeAll(async () => {
    mkdirSync(packages, { recursive: true });
    const next = nextVersion(bundle, join(directory, 'next'));
    files = { old: deb(bundle, packages), new: deb(next, packages) };
    robot = await BootedSystem.boot(roots.base, work);
  }, 600_000);
  afterAll(async () => {
    await robot?.end();
    // Mounted over and written by the system.
    rmSync(work, { recursive: true, force: true });
  }, PATIENCE);

  const dpkg = (...args: string[]) =>
    robot.sh(
      'exec env $1 dpkg --force-unsafe-io "$2" "$3"',
      args.length === 3 ? args[2]! : 'A=',
      args[0]!,
      args[1]!,
    );
  const active = (what: string) =>
    until(() => robot.property(UNIT, 'ActiveState') === 'active', `the service is up ${what}`, PATIENCE);
  /** What a command answers, once the API takes requests: after a start it may not take them yet. */
  const answered = <T>(field: string, ...args: string[]) =>
    until(
      () => (JSON.parse(robot.run('auraison', ...args, '--json').stdout || '{}') as Record<string, T>)[field],
      `auraison ${args.join(' ')} answers`,
      PATIENCE,
    );
  const version = () => answered<string>('version', 'status');
  const ofRun = async () => (await answered<{ status: string }>('run', 'runs', 'show', run)).status;
  const settings = (lines: string) =>
    robot.sh(
      `mkdir -p /etc/systemd/system/${UNIT}.d; printf "$1" > /etc/systemd/system/${UNIT}.d/t.conf; systemctl daemon-reload`,
      lines,
    );
  const diary = () => robot.run('journalctl', '--unit', UNIT, '--output', 'cat', '--no-pager').stdout;

  it('has no fault that lintian finds in what is of this project', { timeout: 600_000 }, () => {
    // The packages of npm take lintian minutes: docs/install.md has the command for all.
    const lean = deb(without(bundle, join(directory, 'lean')), directory, 'gzip');
    const inside =
      'mount --bind "$1" "$2/mnt" && exec chroot "$2" lintian --allow-root --tag-display-limit 0 "/mnt/$3"';
    const order = ['--mount', 'sh', '-c', inside, 'sh', directory, roots.lintian, lean];
    const checked = spawnSync('unshare', order, { encoding: 'utf8' });
    expect(checked.stdout).toBe('');
    expect(checked.status, checked.stderr).toBe(0);
  });

  it('is installed, and the service runs as a user of its own, ready when its cells are', async () => {
    // The host of the tests is busy and has no Zenoh.
    settings(
      '[Service]\\nEnvironment=AURAISON_RUNS_LOAD_MAX=0 AURAISON_RUNS_MEMORY_PRESSURE_MAX=0 AURAISON_ZENOH_ENABLED=false\\n',
    );
    const { status: code, stderr } = dpkg('--install', `/packages/${files.old}`);
    expect(code, stderr).toBe(0);
    await active('after installation');
    expect(robot.property(UNIT, 'StatusText')).toContain('execution up');
    expect(robot.property(UNIT, 'UnitFileState')).toBe('enabled');
    const pid = robot.property(UNIT, 'MainPID');
    expect(robot.run('stat', '--format', '%U', `/proc/${pid}`, DATA).stdout).toBe('auraison\nauraison\n');
    expect(await version()).toBe(versionOf(files.old));
  });

  it('is exposed by 1.7 at most', () => {
    const { stdout } = robot.run('systemd-analyze', 'security', '--no-pager', UNIT);
    expect(Number(/Overall exposure level for [^:]+: ([0-9.]+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(1.7);
  });

  it('reads secrets that only root can read, as credentials', async () => {
    robot.sh(
      `umask 077; echo open-sesame-open-sesame > /etc/auraison-edge/secrets/api
       sed -i '0,/^token_file = ""/s//token_file = "credential:api"/' ${CONFIG}
       systemctl restart ${UNIT}`,
    );
    await active('with its credential');
    const ask = (token: string) => robot.sh(`AURAISON_TOKEN=${token} auraison status --json`).status;
    expect(ask('open-sesame-open-sesame')).toBe(0);
    expect(ask('open-sesame')).not.toBe(0);
    robot.sh(`sed -i 's/credential:api//' ${CONFIG}; systemctl restart ${UNIT}`);
    await active('with its own token');
  });

  it('is back after it was killed', async () => {
    const pid = robot.property(UNIT, 'MainPID');
    robot.run('systemctl', 'kill', '--signal', 'KILL', '--kill-whom', 'main', UNIT);
    await until(() => !['0', pid].includes(robot.property(UNIT, 'MainPID')), 'another process', PATIENCE);
    await active('after a kill');
  });

  it('is restarted by the watchdog where it does no work', async () => {
    const pid = robot.property(UNIT, 'MainPID');
    expect(robot.sh('kill -STOP "$1"', pid).status).toBe(0);
    await until(() => diary().includes('Watchdog timeout'), 'the watchdog bites', PATIENCE);
    await until(() => !['0', pid].includes(robot.property(UNIT, 'MainPID')), 'another process', PATIENCE);
    await active('after the watchdog');
  });

  it('is not started again and again with a configuration that has faults', async () => {
    robot.sh(`sed -i 's/^port = 7601/port = "many"/' ${CONFIG}; systemctl restart ${UNIT}`);
    expect(robot.property(UNIT, 'ActiveState')).toBe('failed');
    expect(robot.property(UNIT, 'ExecMainStatus')).toBe('78');
    await until(() => diary().includes('api.port = "many"'), 'the journal names the fault', PATIENCE);
    robot.sh(`sed -i 's/^port = "many"/port = 7601/' ${CONFIG}; systemctl restart ${UNIT}`);
    await active('with the corrected configuration');
  });

  it('is not upgraded in the middle of a run, unless that is asked for', async () => {
    const sent = robot.run('auraison', 'intent', 'send', 'maze/find_exit', '--json');
    expect(sent.status, sent.stderr).toBe(0);
    run = (JSON.parse(sent.stdout) as { run: { run_id: string } }).run.run_id;
    // Held: it is not over before the upgrade, however fast the robot is.
    expect(robot.run('auraison', 'runs', 'pause', run).status).toBe(0);
    const pid = robot.property(UNIT, 'MainPID');
    const refused = dpkg('--install', `/packages/${files.new}`);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain(run);
    expect(refused.stderr).toContain('AURAISON_UPGRADE=now');
    expect(robot.property(UNIT, 'MainPID')).toBe(pid);
    expect(await ofRun()).toBe('paused');
    const forced = dpkg('--install', `/packages/${files.new}`, 'AURAISON_UPGRADE=now');
    expect(forced.status, forced.stderr).toBe(0);
    await active('after the upgrade');
    expect(await version()).toBe(versionOf(files.new));
    expect(await ofRun()).toBe('paused');
  });

  it('is rolled back, with settings and data', async () => {
    robot.sh(`sed -i 's/^log_level = "info"/log_level = "warn"/' ${CONFIG}`);
    expect(robot.run('auraison', 'runs', 'cancel', run).status).toBe(0);
    const back = dpkg('--install', `/packages/${files.old}`);
    expect(back.status, back.stderr).toBe(0);
    await active('after the roll-back');
    expect(await version()).toBe(versionOf(files.old));
    expect(robot.run('cat', CONFIG).stdout).toContain('log_level = "warn"');
    expect(await ofRun()).toBe('cancelled');
  });

  it('keeps all when it is removed; purged, recordings and logs stay, settings and secrets do not', () => {
    expect(dpkg('--remove', 'auraison-edge').status).toBe(0);
    expect(robot.property(UNIT, 'ActiveState')).not.toBe('active');
    expect(robot.sh(`test -f ${DATA}/token && test -f ${CONFIG}`).status).toBe(0);
    robot.sh(`rm -r /etc/systemd/system/${UNIT}.d`);
    const purged = dpkg('--purge', 'auraison-edge');
    expect(purged.status, purged.stderr).toBe(0);
    expect(purged.stderr).toContain(`rm -r ${DATA}`);
    const kept = robot.run('ls', DATA).stdout.trim().split('\n');
    expect(kept).toContain('events');
    expect(kept.filter((name) => !['bags', 'events'].includes(name))).toEqual([]);
    const rest = robot.sh(
      'find / -xdev \\( -path "$1" -o -path "$HOME" -o -path /var/log -o -path /packages \\) -prune -o -name "*auraison*" -print',
      DATA,
    );
    expect(rest.stdout).toBe('');
  });
}

/** The same bundle under the next version. */
function nextVersion(bundle: string, out: string): string {
  spawnSync('cp', ['-al', bundle, out]);
  for (const name of ['package.json', 'BUNDLE.json']) {
    const about = JSON.parse(readFileSync(join(bundle, name), 'utf8')) as { version: string };
    rmSync(join(out, name));
    writeFileSync(
      join(out, name),
      JSON.stringify(
        { ...about, version: about.version.replace(/\d+$/, (last) => String(Number(last) + 1)) },
        null,
        2,
      ),
    );
  }
  return out;
}

/** The same bundle with one package of npm. */
function without(bundle: string, out: string): string {
  spawnSync('cp', ['-al', bundle, out]);
  for (const name of readdirSync(join(out, 'node_modules')))
    if (name !== 'pino') rmSync(join(out, 'node_modules', name), { recursive: true });
  return out;
}

/** zstd is quick; lintian does not read it. */
function deb(bundle: string, out: string, compression = 'zstd'): string {
  const command = [join(ROOT, 'scripts', 'package.mjs'), '--bundle', bundle, '--out', out, '--json'];
  const made = spawnSync(process.execPath, [...command, '--compression', compression], { encoding: 'utf8' });
  expect(made.status, made.stderr).toBe(0);
  return (JSON.parse(made.stdout) as { file: string }).file.split('/').at(-1)!;
}

function versionOf(file: string): string {
  return /_([^_]+)-1_/.exec(file)![1]!;
}
