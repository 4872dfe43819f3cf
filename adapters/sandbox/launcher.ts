import {
  type Clock,
  SANDBOX_LIMITS,
  type SandboxCommand,
  type SandboxedCommand,
  type SandboxProfile,
} from '../../contract/core.ts';
import { Doors } from './doors.ts';
import { findLimitMode, type LimitGroup, type LimitMode, makeGroup } from './limit-group.ts';
import { findProgram, LAUNCHER_ENV } from './programs.ts';
import { refused, unavailable } from './refuse.ts';
import { Scratch } from './scratch.ts';
import { type View, viewOf } from './view.ts';

export type HostParts = {
  readonly clock: Clock;
  readonly dataDir: string;
  /** Where the programs of the provider are looked for. */
  readonly searchPath?: string;
  readonly limits?: LimitMode;
  /** Where folders of sandboxes are made; absent: the runtime directory of this user, else that for temporary files. */
  readonly scratchBase?: string;
};

/** What a provider on this host adds to what all of them have. */
export type Kind = {
  readonly provider: string;
  readonly uid: number;
  /** Processes and bytes of the provider itself, which count too. */
  readonly overhead: { readonly processes: number; readonly memory: number };
  /** The program of the provider with its arguments; `file` is opened as descriptor 9. */
  argv(made: { readonly view: View; readonly scratch: Scratch; readonly limits: ProcessLimits }): {
    readonly argv: readonly string[];
    readonly file?: string;
  };
};

/** Limits of each process inside, as `setrlimit` has them. `memory` and `processes` only where no group counts them. */
export type ProcessLimits = {
  readonly fileSize: number;
  readonly memory?: number;
  readonly processes?: number;
};

/** Enters its control groups, opens the file of arguments, and becomes the command. */
const ENTER =
  'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; [ -z "$2" ] || exec 9<"$2"; shift 2; exec "$@"';
/** Part of util-linux on every distribution; it is in the sandbox too. */
const PRLIMIT = '/usr/bin/prlimit';
/** Node has some eleven threads. */
const FORWARD = { processes: 16, memory: 96 * 2 ** 20 };

/** Makes everything that one sandbox needs on this host. Rejects as `Sandbox.prepare` does; nothing is left then. */
export async function prepareOnHost(
  { clock, dataDir, limits: given, scratchBase }: HostParts,
  { provider, uid, overhead, argv: argvOf }: Kind,
  profile: SandboxProfile,
  command: SandboxCommand,
): Promise<SandboxedCommand> {
  const [setpriv, timeout] = ['setpriv', 'timeout'].map((name) => findProgram(name, LAUNCHER_ENV['PATH']!));
  if (setpriv === undefined || timeout === undefined || findProgram(PRLIMIT, '') === undefined)
    throw unavailable(provider, 'setpriv, prlimit or timeout is missing', 'install util-linux and coreutils');
  const mode = given ?? findLimitMode();
  checkLimits(profile, mode);
  const scratch = Scratch.make(scratchBase);
  let group: LimitGroup | undefined;
  let doors: Doors | undefined;
  const release = async () => {
    await doors?.close();
    await group?.remove(clock);
    scratch.remove();
  };
  try {
    const view = viewOf({ profile, command, scratch, dataDir, uid });
    const more = view.doors.length > 0 ? FORWARD : { processes: 0, memory: 0 };
    const processes = profile.processes + more.processes;
    group = makeGroup(mode, scratch.path.split('/').at(-1)!, {
      memory: profile.memory + more.memory + overhead.memory,
      processes: processes + overhead.processes,
      processor: profile.processor,
    });
    if (view.doors.length > 0) doors = await Doors.open(clock, scratch.folder('doors'), view.doors);
    const limits: ProcessLimits = {
      fileSize: profile.fileSize,
      ...(group === undefined ? { memory: profile.memory, processes } : {}),
    };
    const { argv, file = '' } = argvOf({ view, scratch, limits });
    const dies = [setpriv, '--pdeathsig', 'KILL'];
    const time = profile.time > 0 ? [timeout, '--signal=KILL', `${profile.time / 1_000}`, ...dies] : [];
    let released: Promise<void> | undefined;
    return {
      file: '/bin/sh',
      args: ['-c', ENTER, 'sandbox', ...(group?.enter ?? []), '--', file, ...dies, ...time, ...argv],
      env: LAUNCHER_ENV,
      folder: '/',
      limitedBy: mode.kind,
      release: () => (released ??= release().catch(() => {})),
    };
  } catch (error) {
    await release();
    throw error;
  }
}

function checkLimits({ name, processor }: SandboxProfile, mode: LimitMode): void {
  if (mode.kind !== 'rlimits') return;
  const hint = 'give the daemon control groups of its own (docs/sandboxes.md#limits)';
  if (processor > 0)
    throw refused(name, 'processor cannot be limited: this host has no control group for it', hint);
  if (process.getuid?.() === 0)
    throw refused(
      name,
      'processes cannot be limited: root is exempt from the limit of a user, and there is no control group',
      `${hint}, or run it as another user`,
    );
}

/** What runs inside: the doors, then the limits of each process, then the program. */
export function innerArgv(
  { before, program }: View,
  { fileSize, memory, processes }: ProcessLimits,
): readonly string[] {
  return [
    ...before,
    ...[PRLIMIT, '--core=0', `--nofile=${SANDBOX_LIMITS.OPEN_FILES_MAX}`, `--fsize=${fileSize}`],
    ...(memory === undefined ? [] : [`--data=${memory}`]),
    ...(processes === undefined ? [] : [`--nproc=${processes}`]),
    ...program,
  ];
}
