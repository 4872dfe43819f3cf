import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeEarly } from '../../cli/stop-early.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
let folder: string;
let dataDir: string;
let auraison: string;

/** The real `bin/auraison` beside a Node that only says what it found when it began. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-stop-early-'));
  dataDir = join(folder, 'data');
  auraison = join(folder, 'bin', 'auraison');
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const node = join(folder, 'node_modules', `node-linux-${arch}`, 'bin', 'node');
  for (const directory of [join(dataDir, 'run'), join(folder, 'bin'), join(node, '..')])
    mkdirSync(directory, { recursive: true });
  copyFileSync(join(REPOSITORY, 'bin', 'auraison'), auraison);
  writeFileSync(
    node,
    '#!/bin/sh\nprintf "%s\\n" "left=$STOP_FILE_LEFT" "args=$*"\ncat "$FOUND" 2>/dev/null\n',
  );
  for (const program of [auraison, node]) chmodSync(program, 0o755);
  runs(process.pid);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = () => join(dataDir, 'estop');
const runs = (pid: number) =>
  writeFileSync(join(dataDir, 'run', 'api.json'), JSON.stringify({ url: 'http://127.0.0.1:7601', pid }));

/** What Node found when it began. */
function started(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { stdout, stderr } = spawnSync(auraison, [...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH']!, HOME: folder, FOUND: file(), ...env },
    cwd: folder,
  });
  const [left, passed, ...words] = stdout.split('\n');
  return {
    left: left!.slice('left='.length),
    args: passed!.slice('args='.length),
    words: words.join('\n'),
    stderr,
  };
}

describe('auraison estop, before Node begins', () => {
  it.each([
    ['estop', '--data-dir', 'DATA'],
    ['--data-dir', 'DATA', 'estop'],
    ['--json', '--data-dir=DATA', 'estop', 'engage'],
    ['--config', 'no.toml', 'estop', '--data-dir', 'DATA'],
  ])('has stopped the robot by the file: %s %s %s %s', (...given) => {
    const args = given.flatMap((arg) => (arg === undefined ? [] : [arg.replace('DATA', dataDir)]));
    expect(started(args)).toEqual({
      left: file(),
      args: expect.stringContaining(`cli/entry.ts ${args.join(' ')}`),
      words: 'asked for on the command line\n',
      stderr: '',
    });
  });

  it('writes the reason as it is, whatever is in it', () => {
    const reason = '$(touch pwned) `x` "a child" %s \\n *';
    expect(started(['estop', '--reason', reason, '--data-dir', dataDir]).words).toBe(`${reason}\n`);
    expect(existsSync(join(folder, 'pwned'))).toBe(false);
  });

  it.each([
    ['that of the environment', {}, { AURAISON_DAEMON_DATA_DIR: 'DATA' }],
    [
      'that of the configuration',
      { 'robot.toml': '[sim]\n\n[daemon]\ndata_dir = "DATA"\n[api]\n' },
      { AURAISON_CONFIG: 'robot.toml' },
    ],
    [
      'that of the usual configuration',
      { '.config/auraison-edge.toml': '[daemon]\n  data_dir = "DATA"' },
      {},
    ],
    ['that of the service manager', {}, { STATE_DIRECTORY: 'DATA:/other' }],
    [
      'that of the service manager, with a configuration',
      { '.config/auraison-edge.toml': '[api]\nport = 1\n' },
      { STATE_DIRECTORY: 'DATA' },
    ],
  ])('finds the data directory: %s', (_name, files, env) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), text.replaceAll('DATA', dataDir));
    }
    const filled = Object.fromEntries(
      Object.entries(env as Record<string, string>).map(([key, value]) => [
        key,
        value.replace('DATA', dataDir),
      ]),
    );
    expect(started(['estop'], filled).left).toBe(file());
  });

  it('finds the usual data directory', () => {
    const usual = join(folder, '.local', 'share');
    mkdirSync(usual, { recursive: true });
    symlinkSync(dataDir, join(usual, 'auraison-edge'));
    expect(started(['estop']).words).toBe('asked for on the command line\n');
  });

  it.each([
    '[daemon] # of this robot\ndata_dir = "/elsewhere"',
    "[daemon]\ndata_dir = '/elsewhere'",
    '[daemon]\ndata_dir = "/elsewhere" # "DATA"',
    'daemon = { data_dir = "/elsewhere" }',
    'daemon.data_dir = "/elsewhere"',
    '[api]\nwords = """\n[daemon]\ndata_dir = "DATA"\n"""',
    '[daemon]\ndata_dir = "/else\\u0077here"',
    '\'daemon\'.data_dir = "/elsewhere"',
    '\uFEFF[daemon]\ndata_dir = "/elsewhere"',
  ])('leaves what only a parser can read to Node: %s', (toml) => {
    writeFileSync(join(folder, 'robot.toml'), toml.replace('DATA', dataDir));
    const { left } = started(['estop', '--config', 'robot.toml'], { STATE_DIRECTORY: dataDir });
    expect([left, existsSync(file())]).toEqual(['', false]);
  });

  it('leaves an empty directory to Node, which takes it for none: it does not stop the robot of another one', () => {
    writeFileSync(join(folder, 'robot.toml'), `[daemon]\ndata_dir = "${dataDir}"\n`);
    const config = { AURAISON_CONFIG: 'robot.toml' };
    expect(started(['estop'], { ...config, AURAISON_DAEMON_DATA_DIR: '' }).left).toBe('');
    expect(started(['estop', '--data-dir', ''], config).left).toBe('');
    expect(started(['estop', '--data-dir='], { AURAISON_DAEMON_DATA_DIR: dataDir }).left).toBe('');
    expect(started(['estop', '--config', ''], config).left).toBe('');
    expect(existsSync(file())).toBe(false);
  });

  it.each([
    ['estop', 'release'],
    ['estop', 'status'],
    ['estop', '--help'],
    ['estop', '--no-such-option'],
    ['estop', 'engage', 'engage'],
    ['--reason', 'x', 'estop'],
    ['status', 'estop'],
    ['intent', 'send', 'estop'],
  ])('does nothing for %s %s %s', (...args) => {
    expect(started([...args.filter((arg) => arg !== undefined), '--data-dir', dataDir]).left).toBe('');
    expect(existsSync(file())).toBe(false);
  });

  it('does nothing where the address leads elsewhere, and none is inherited', () => {
    const env = { AURAISON_URL: 'http://10.0.0.7:7601', STOP_FILE_LEFT: '/etc/passwd' };
    expect(started(['estop', '--data-dir', dataDir], env)).toMatchObject({ left: '', words: '' });
  });

  it('does nothing where no daemon runs with this directory', async () => {
    const gone = spawn('true');
    await once(gone, 'exit');
    runs(gone.pid!);
    expect(started(['estop', '--data-dir', dataDir]).left).toBe('');
    rmSync(join(dataDir, 'run'), { recursive: true });
    expect(started(['estop', '--data-dir', dataDir])).toMatchObject({ left: '', stderr: '' });
    expect(existsSync(file())).toBe(false);
  });

  it("leaves a file alone that is there: it is somebody else's", () => {
    writeFileSync(file(), 'the door\n');
    expect(started(['estop', '--data-dir', dataDir])).toMatchObject({ left: '', words: 'the door\n' });
    rmSync(file());
    const target = join(folder, 'target');
    symlinkSync(target, file());
    expect(started(['estop', '--data-dir', dataDir])).toMatchObject({ left: '', stderr: '' });
    expect(existsSync(target)).toBe(false);
  });
});

describe('auraison estop on a disk that takes nothing more', () => {
  it('leaves an empty file, which stops as well, and knows it for its own', () => {
    const line = 'ulimit -f 0; exec "$0" "$@"';
    const { stdout } = spawnSync('sh', ['-c', line, auraison, 'estop', '--data-dir', dataDir], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH']!, HOME: folder, FOUND: file() },
      cwd: folder,
    });
    expect(stdout).toContain(`left=${file()}\n`);
    expect(readFileSync(file(), 'utf8')).toBe('');
    takeEarly(file(), 'asked for on the command line', { STOP_FILE_LEFT: file() });
    expect(existsSync(file())).toBe(false);
  });
});

describe('the file that stopped the robot early', () => {
  it('is taken away when the stop holds without it, but no other, and not when somebody wrote into it', () => {
    const env = { STOP_FILE_LEFT: file() };
    writeFileSync(file(), 'a child\n');
    takeEarly(file(), 'a child', {});
    takeEarly(file(), 'a child', { STOP_FILE_LEFT: join(folder, 'estop') });
    takeEarly(file(), 'another reason', env);
    expect(readFileSync(file(), 'utf8')).toBe('a child\n');
    takeEarly(file(), 'a child', env);
    expect(existsSync(file())).toBe(false);
    takeEarly(file(), 'a child', env);
  });
});
