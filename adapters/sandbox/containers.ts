import { randomBytes } from 'node:crypto';
import {
  SANDBOX_LIMITS,
  type Sandbox,
  type SandboxCommand,
  type SandboxedCommand,
  type SandboxProbe,
  type SandboxProfile,
} from '../../contract/core.ts';
import type { HostParts } from './launcher.ts';
import { run } from './probe.ts';
import { findProgram, LAUNCHER_ENV } from './programs.ts';
import { refused, unavailable } from './refuse.ts';
import { Scratch } from './scratch.ts';
import { checkPath } from './view.ts';

/**
 * Containers by the engine behind a socket of this host, reached by its own command line. The program is one of the
 * image; files of the profile are mounted at their paths.
 */
export class ContainerEngine implements Sandbox {
  readonly provider: 'docker' | 'podman';
  readonly #parts: HostParts;

  constructor(provider: 'docker' | 'podman', parts: HostParts) {
    this.provider = provider;
    this.#parts = parts;
  }

  /** Asks the engine; starts no container, since there may be no image. */
  async probe(): Promise<SandboxProbe> {
    const client = this.#client();
    if (client === undefined)
      return { ready: false, detail: `${this.provider} was not found`, fix: `install ${this.provider}` };
    const failed = await run(client, ['info'], engineEnv());
    return failed === undefined
      ? { ready: true, detail: 'the engine responds; limits by the container engine', fix: '' }
      : {
          ready: false,
          detail: failed,
          fix: `start the engine of ${this.provider}, and let this user reach its socket`,
        };
  }

  async prepare(profile: SandboxProfile, command: SandboxCommand): Promise<SandboxedCommand> {
    const client = this.#client();
    if (client === undefined)
      throw unavailable(this.provider, `${this.provider} was not found`, `install ${this.provider}`);
    if (profile.network.length + (command.doors?.length ?? 0) > 0)
      throw refused(
        profile.name,
        `${this.provider} cannot hold a list of places in the network`,
        'use bubblewrap or oci for it, or take the list out: then there is no network',
      );
    for (const path of [...profile.readOnly, ...profile.readWrite])
      checkPath(profile.name, path, this.#parts.dataDir);
    const scratch = Scratch.make(this.#parts.scratchBase);
    const name = `auraison-${randomBytes(8).toString('hex')}`;
    let released: Promise<void> | undefined;
    const release = async () => {
      await run(client, ['rm', '--force', '--volumes', name], engineEnv());
      scratch.remove();
    };
    try {
      const args = containerArgs({ profile, command, name, scratch, provider: this.provider });
      return {
        ...{ file: client, args, folder: '/', limitedBy: 'the container engine' },
        env: engineEnv(),
        release: () => (released ??= release().catch(() => {})),
      };
    } catch (error) {
      scratch.remove();
      throw error;
    }
  }

  #client(): string | undefined {
    return findProgram(this.provider, this.#parts.searchPath ?? LAUNCHER_ENV['PATH']!);
  }
}

/** What a client of an engine has to know of its socket. */
function engineEnv(): Record<string, string> {
  const names = ['DOCKER_HOST', 'CONTAINER_HOST', 'DOCKER_CONTEXT', 'HOME', 'XDG_RUNTIME_DIR'];
  const given = names.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]!]],
  );
  return { ...LAUNCHER_ENV, ...Object.fromEntries(given) };
}

/** `run` of docker and podman. Pure but for the files with secrets and variables, which are written to `scratch`. */
export function containerArgs({
  profile,
  command,
  name,
  scratch,
  provider,
}: {
  readonly profile: SandboxProfile;
  readonly command: SandboxCommand;
  readonly name: string;
  readonly scratch: Pick<Scratch, 'write'>;
  readonly provider: 'docker' | 'podman';
}): readonly string[] {
  const { memory, processes, processor, temporary, fileSize, secrets, time } = profile;
  const variables = [
    ...Object.entries(command.env).filter(([key]) => key !== 'PATH'),
    ...secrets.filter(({ as }) => as === 'variable').map((secret) => [secret.name, secret.read()] as const),
  ];
  const broken = variables.find(([, value]) => value.includes('\n'));
  if (broken !== undefined)
    throw refused(
      profile.name,
      `the variable ${broken[0]} has more than one line`,
      'give it as a file: secret_files',
    );
  const mount = (from: string, to: string, write: boolean) => [
    '--mount',
    `type=bind,source=${from},target=${to}${write ? '' : provider === 'docker' ? ',readonly' : ',ro=true'}`,
  ];
  return [
    ...['run', '--rm', '--interactive', '--init', '--name', name, '--label', 'auraison.sandbox'],
    ...['--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...['--memory', `${memory}`, '--memory-swap', `${memory}`, '--pids-limit', `${processes}`],
    ...(processor > 0 ? ['--cpus', `${processor}`] : []),
    ...[
      '--ulimit',
      'core=0',
      '--ulimit',
      `fsize=${fileSize}`,
      '--ulimit',
      `nofile=${SANDBOX_LIMITS.OPEN_FILES_MAX}`,
    ],
    ...['--tmpfs', `/tmp:rw,nosuid,nodev,size=${temporary}`, '--shm-size', `${temporary}`],
    // Values are in a file, and seen in no list of processes.
    ...['--env-file', scratch.write('env', variables.map(([key, value]) => `${key}=${value}\n`).join(''))],
    ...profile.readOnly.flatMap((path) => mount(path, path, false)),
    ...(command.readOnly ?? []).flatMap((path) => mount(path, path, false)),
    ...profile.readWrite.flatMap((path) => mount(path, path, true)),
    ...secrets
      .filter(({ as }) => as === 'file')
      .flatMap((secret) =>
        mount(scratch.write(`secrets/${secret.name}`, secret.read()), `/run/secrets/${secret.name}`, false),
      ),
    ...(command.folder === undefined ? [] : ['--workdir', command.folder]),
    ...(time > 0 && provider === 'podman' ? ['--timeout', `${Math.ceil(time / 1_000)}`] : []),
    ...[
      profile.image,
      ...(time > 0 && provider === 'docker' ? ['timeout', '-s', 'KILL', `${time / 1_000}`] : []),
    ],
    ...[command.file, ...command.args],
  ];
}
