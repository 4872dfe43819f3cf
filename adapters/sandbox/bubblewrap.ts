import { spawnSync } from 'node:child_process';
import type {
  Sandbox,
  SandboxCommand,
  SandboxedCommand,
  SandboxProbe,
  SandboxProfile,
} from '../../contract/core.ts';
import { type HostParts, innerArgv, type Kind, prepareOnHost } from './launcher.ts';
import { NAMESPACES_FIX, tryOut } from './probe.ts';
import { findProgram, LAUNCHER_ENV } from './programs.ts';
import { unavailable } from './refuse.ts';
import { tunables } from './tunables.ts';
import type { View } from './view.ts';

const UID = 1_000;
const FIX = 'install bubblewrap (Debian, Ubuntu: sudo apt install bubblewrap)';

/** Sandboxes by bubblewrap: namespaces of an ordinary user, no daemon, no image; the libraries of the host. */
export class Bubblewrap implements Sandbox {
  readonly provider = 'bubblewrap';
  readonly #parts: HostParts;

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  probe(): Promise<SandboxProbe> {
    return tryOut(this, NAMESPACES_FIX);
  }

  async prepare(profile: SandboxProfile, command: SandboxCommand): Promise<SandboxedCommand> {
    const bwrap = findProgram('bwrap', this.#parts.searchPath ?? LAUNCHER_ENV['PATH']!);
    if (bwrap === undefined) throw unavailable(this.provider, 'bwrap was not found', FIX);
    const kind: Kind = {
      provider: this.provider,
      uid: UID,
      overhead: { processes: 4, memory: 8 * 2 ** 20 },
      argv: ({ view, scratch, limits }) => ({
        // Values of the environment are not seen in the list of processes.
        file: scratch.write('arguments', bwrapArgs(view, profile, canForbidUsers(bwrap)).join('\0')),
        argv: [bwrap, '--args', '9', '--', ...innerArgv(view, limits)],
      }),
    };
    return prepareOnHost(this.#parts, kind, profile, command);
  }
}

function bwrapArgs(view: View, { temporary }: SandboxProfile, forbidUsers: boolean): readonly string[] {
  const tmpfs = (path: string) => ['--size', `${temporary}`, '--tmpfs', path];
  return [
    ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts'],
    ...['--unshare-cgroup-try', '--die-with-parent', '--new-session', '--hostname', 'sandbox'],
    ...['--uid', `${UID}`, '--gid', `${UID}`, '--cap-drop', 'ALL'],
    // In a network of its own, where nothing but the doors is.
    ...(view.lowPorts ? ['--cap-add', 'CAP_NET_BIND_SERVICE'] : []),
    ...(forbidUsers ? ['--disable-userns'] : []),
    ...['--clearenv', ...Object.entries(view.env).flatMap(([name, value]) => ['--setenv', name, value])],
    ...[
      '--proc',
      '/proc',
      ...tunables().flatMap((path) => ['--ro-bind', path, path]),
      '--dev',
      '/dev',
      ...tmpfs('/dev/shm'),
      '--remount-ro',
      '/dev',
      ...tmpfs('/tmp'),
    ],
    ...view.mounts.flatMap((mount) =>
      mount.kind === 'link'
        ? ['--symlink', mount.target, mount.to]
        : [mount.write ? '--bind' : '--ro-bind', mount.from, mount.to],
    ),
    ...['--remount-ro', '/', '--chdir', view.folder],
  ];
}

/** Since version 0.8: no further user namespaces inside, which most attacks on a kernel start with. */
function canForbidUsers(bwrap: string): boolean {
  const { stdout } = spawnSync(bwrap, ['--version'], { encoding: 'utf8', timeout: 5_000, env: LAUNCHER_ENV });
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
  return Number(major) > 0 || Number(minor) >= 8;
}
