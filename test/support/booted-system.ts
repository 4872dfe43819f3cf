import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, until } from './daemon.ts';

const BOOT = join(ROOT, 'test', 'peers', 'debian', 'boot.sh');

/** Root file systems of `test/peers/debian.sh`, or why there are none on this host. */
export function rootFilesystems():
  | { readonly base: string; readonly lintian: string }
  | { readonly fault: string } {
  const { stdout, stderr, status } = spawnSync('bash', [join(ROOT, 'test', 'peers', 'debian.sh')], {
    encoding: 'utf8',
  });
  const place = stdout.trim();
  if (status !== 0 || place === '') return { fault: stderr.trim() };
  if (spawnSync('findmnt', ['--types', 'cgroup2']).status !== 0)
    return { fault: 'this host has no cgroup2, which systemd needs' };
  const namespaces = spawnSync('unshare', ['-m', '-p', '-u', '-i', '-n', '-C', '--fork', 'true'], {
    encoding: 'utf8',
  });
  if (namespaces.status !== 0) return { fault: `namespaces cannot be made: ${namespaces.stderr.trim()}` };
  return { base: join(place, 'base'), lintian: join(place, 'lintian') };
}

/** A Debian whose process 1 is systemd, in namespaces of its own, with its own network (loopback only). */
export class BootedSystem {
  readonly #child: ChildProcess;
  readonly #work: string;
  readonly #init: string;

  private constructor(child: ChildProcess, work: string, init: string) {
    this.#child = child;
    this.#work = work;
    this.#init = init;
  }

  /** `rootfs` is not changed. What is in `work/packages` is at /packages in the system. */
  static async boot(rootfs: string, work: string): Promise<BootedSystem> {
    mkdirSync(join(work, 'packages'), { recursive: true });
    // However the test ends, the system ends with it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'bash', BOOT, rootfs, work], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    const system = await until(
      () => {
        if (child.exitCode !== null) return new Error(`systemd did not boot: ${said}`);
        const [init] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
        if (!init) return undefined;
        const booted = new BootedSystem(child, work, init);
        const state = booted.run('systemctl', 'is-system-running').stdout.trim();
        return state === 'running' || state === 'degraded' ? booted : undefined;
      },
      'systemd is up',
      60_000,
    );
    if (system instanceof Error) throw system;
    return system;
  }

  run(...command: string[]): SpawnSyncReturns<string> {
    return this.sh('exec "$@"', ...command);
  }

  /** A line of shell as root in the system; `args` are $1, $2, … */
  sh(line: string, ...args: string[]): SpawnSyncReturns<string> {
    const namespaces = ['-t', this.#init, '-m', '-p', '-u', '-i', '-n', '-C'];
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' };
    return spawnSync('nsenter', [...namespaces, 'sh', '-c', line, 'sh', ...args], { encoding: 'utf8', env });
  }

  /** One property of a unit, as `systemctl show` prints it. */
  property(unit: string, name: string): string {
    return this.run('systemctl', 'show', '--property', name, '--value', unit).stdout.trim();
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    // unshare takes no TERM while it waits for its child.
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    const group = readFileSync(join(this.#work, 'cgroup'), 'utf8').trim();
    await until(() => removeGroups(group), 'its cgroups are empty', 20_000);
  }
}

/** False while a process is in one of them. */
function removeGroups(group: string): boolean {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeGroups(join(group, entry.name))) return false;
    }
    rmdirSync(group);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}
