import type { SandboxProfile } from '../../contract/core.ts';
import { innerArgv, type ProcessLimits } from './launcher.ts';
import { tunables } from './tunables.ts';
import type { View } from './view.ts';

/** System calls that programs hardly need and most ways out of a container use. */
const DENIED = [
  ...[
    'add_key',
    'bpf',
    'delete_module',
    'finit_module',
    'fsconfig',
    'fsmount',
    'fsopen',
    'fspick',
    'init_module',
  ],
  ...[
    'io_uring_enter',
    'io_uring_register',
    'io_uring_setup',
    'kexec_file_load',
    'kexec_load',
    'keyctl',
    'mount',
  ],
  ...['mount_setattr', 'move_mount', 'open_by_handle_at', 'open_tree', 'perf_event_open', 'pivot_root'],
  ...[
    'process_vm_readv',
    'process_vm_writev',
    'reboot',
    'request_key',
    'setns',
    'swapoff',
    'swapon',
    'umount',
  ],
  ...['umount2', 'unshare', 'userfaultfd'],
];
const CLONE_NEWUSER = 0x1000_0000;
const EPERM = 1;
const ENOSYS = 38;

/** The `config.json` of a bundle. It is started by root of a user namespace with one user, who is `uid` inside. */
export function bundleConfig({
  view,
  profile,
  limits,
  uid,
}: {
  readonly view: View;
  readonly profile: SandboxProfile;
  readonly limits: ProcessLimits;
  readonly uid: number;
}): object {
  const own = { containerID: uid, hostID: 0, size: 1 };
  const tmpfs = (destination: string, ...options: string[]) => ({
    ...{ destination, type: 'tmpfs', source: 'tmpfs' },
    options: ['nosuid', 'nodev', ...options],
  });
  const size = `size=${profile.temporary}`;
  return {
    ociVersion: '1.0.2',
    hostname: 'sandbox',
    process: {
      terminal: false,
      user: { uid, gid: uid, umask: 0o022 },
      args: innerArgv(view, limits),
      env: Object.entries(view.env).map(([name, value]) => `${name}=${value}`),
      cwd: view.folder,
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      // Its devices are made by the runtime; there is no room for files.
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'mode=755', 'size=65536', 'ro'],
      },
      tmpfs('/dev/shm', 'noexec', 'mode=1777', size),
      tmpfs('/tmp', 'mode=1777', size),
      ...view.mounts.flatMap((mount) =>
        mount.kind === 'link'
          ? []
          : [
              {
                ...{ destination: mount.to, type: 'bind', source: mount.from },
                options: ['rbind', 'nosuid', 'nodev', mount.write ? 'rw' : 'ro'],
              },
            ],
      ),
    ],
    linux: {
      uidMappings: [own],
      gidMappings: [own],
      // In a network of its own, where nothing but the doors is.
      ...(view.lowPorts ? { sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' } } : {}),
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'user', 'cgroup'].map((type) => ({ type })),
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug'],
      readonlyPaths: tunables(),
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: DENIED, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
          {
            ...{ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
            args: [{ index: 0, value: CLONE_NEWUSER, valueTwo: CLONE_NEWUSER, op: 'SCMP_CMP_MASKED_EQ' }],
          },
          // Its flags cannot be seen by a filter; libraries take clone instead.
          { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
        ],
      },
    },
  };
}
