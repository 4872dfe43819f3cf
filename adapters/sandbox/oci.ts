import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type {
  Sandbox,
  SandboxCommand,
  SandboxedCommand,
  SandboxProbe,
  SandboxProfile,
} from '../../contract/core.ts';
import { type HostParts, type Kind, prepareOnHost } from './launcher.ts';
import { bundleConfig } from './oci-config.ts';
import { NAMESPACES_FIX, tryOut } from './probe.ts';
import { findProgram, LAUNCHER_ENV } from './programs.ts';
import { unavailable } from './refuse.ts';
import type { View } from './view.ts';

const FIX = 'install crun or runc (Debian, Ubuntu: sudo apt install crun)';
/** Control groups are made before. crun refuses hosts with both versions unless it sees neither. */
const HIDE_GROUPS = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"';
/** runc would make further ones, and leave them when it is killed; those it may not make it does without. */
const LOCK_GROUPS =
  'for group in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro,nosuid,nodev,noexec "$group" 2>/dev/null; done; exec "$@"';

/** OCI bundles by crun, or runc where there is no crun: no daemon, no image; the libraries of the host. */
export class OciRuntime implements Sandbox {
  readonly provider = 'oci';
  readonly #parts: HostParts;
  readonly #names: readonly string[];

  /** `names`: programs, the first that is there is used. */
  constructor(parts: HostParts, names: readonly string[] = ['crun', 'runc']) {
    this.#parts = parts;
    this.#names = names;
  }

  probe(): Promise<SandboxProbe> {
    return tryOut(this, NAMESPACES_FIX);
  }

  async prepare(profile: SandboxProfile, command: SandboxCommand): Promise<SandboxedCommand> {
    const path = this.#parts.searchPath ?? LAUNCHER_ENV['PATH']!;
    const runtime = this.#names.map((name) => findProgram(name, path)).find((one) => one !== undefined);
    if (runtime === undefined)
      throw unavailable(this.provider, `${this.#names.join(' and ')} were not found`, FIX);
    const unshare = findProgram('unshare', LAUNCHER_ENV['PATH']!);
    if (unshare === undefined)
      throw unavailable(this.provider, 'unshare was not found', 'install util-linux');
    const isCrun = versionOf(runtime).startsWith('crun');
    // runc wants its root to be somebody.
    const uid = isCrun ? 1_000 : 0;
    const kind: Kind = {
      provider: this.provider,
      uid,
      // runc is written in Go: some ten threads until the program runs.
      overhead: { processes: isCrun ? 6 : 24, memory: (isCrun ? 16 : 64) * 2 ** 20 },
      argv: ({ view, scratch, limits }) => {
        const bundle = scratch.folder('bundle');
        makeRoot(join(bundle, 'rootfs'), view);
        const config = bundleConfig({ view, profile, limits, uid });
        writeFileSync(join(bundle, 'config.json'), JSON.stringify(config), { mode: 0o600 });
        const flags = isCrun ? ['--cgroup-manager=disabled'] : ['--rootless', 'true'];
        const hybrid = existsSync('/sys/fs/cgroup/unified');
        const groups = isCrun ? (hybrid ? HIDE_GROUPS : '') : LOCK_GROUPS;
        return {
          // In a process space of its own, which ends with the first process: a killed runtime leaves no container.
          argv: [
            ...[unshare, '--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc'],
            ...['--kill-child', '--'],
            ...(groups === '' ? [] : ['/bin/sh', '-c', groups, 'groups']),
            ...[runtime, '--root', scratch.folder('state'), ...flags],
            ...['run', '--bundle', bundle, 'sandbox'],
          ],
        };
      },
    };
    return prepareOnHost(this.#parts, kind, profile, command);
  }
}

/** Places for the mounts, since nothing can be made in a root that is read-only. */
function makeRoot(root: string, { mounts }: View): void {
  for (const folder of ['proc', 'dev', 'tmp', 'run/secrets'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const mount of mounts) {
    const place = join(root, mount.to);
    mkdirSync(dirname(place), { recursive: true });
    if (mount.kind === 'link') symlinkSync(mount.target, place);
    // What lies below another mount has its place there.
    else if (mounts.some((other) => other !== mount && mount.to.startsWith(`${other.to}/`))) continue;
    else if (statSync(mount.from).isDirectory()) mkdirSync(place, { recursive: true });
    else writeFileSync(place, '');
  }
}

function versionOf(runtime: string): string {
  const { stdout } = spawnSync(runtime, ['--version'], {
    encoding: 'utf8',
    timeout: 5_000,
    env: LAUNCHER_ENV,
  });
  return stdout ?? '';
}
