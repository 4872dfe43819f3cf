import {
  EdgeError,
  type Sandbox,
  type SandboxCommand,
  type SandboxedCommand,
  type SandboxProbe,
  type SandboxProfile,
  type SandboxProvider,
} from '../../contract/core.ts';
import { Bubblewrap } from './bubblewrap.ts';
import { ContainerEngine } from './containers.ts';
import { KubernetesJobs } from './kubernetes.ts';
import type { HostParts } from './launcher.ts';
import { OciRuntime } from './oci.ts';
import { NAMESPACES_FIX, tryOut } from './probe.ts';
import { sweepScratch } from './scratch.ts';

export const SANDBOX_PROVIDERS: readonly SandboxProvider[] = [
  'bubblewrap',
  'oci',
  'docker',
  'podman',
  'kubernetes',
];

export function makeSandbox(provider: SandboxProvider, parts: HostParts): Sandbox {
  if (provider === 'bubblewrap') return new Bubblewrap(parts);
  if (provider === 'oci') return new OciRuntime(parts);
  if (provider === 'kubernetes') return new KubernetesJobs(parts);
  return new ContainerEngine(provider, parts);
}

/** The sandboxes of one configuration, by the names of their profiles. */
export class Sandboxes {
  readonly #parts: HostParts;
  readonly #profiles: ReadonlyMap<
    string,
    { readonly provider: SandboxProvider; readonly profile: SandboxProfile }
  >;

  constructor(
    parts: HostParts,
    rows: readonly { readonly provider: SandboxProvider; readonly profile: SandboxProfile }[],
  ) {
    this.#parts = parts;
    this.#profiles = new Map(rows.map((row) => [row.profile.name, row]));
    if (rows.length > 0) sweepScratch(parts.scratchBase);
  }

  get names(): readonly string[] {
    return [...this.#profiles.keys()];
  }

  /** Rejects as `Sandbox.prepare` does, and with `config.invalid` where no profile has this name. */
  async prepare(name: string, command: SandboxCommand): Promise<SandboxedCommand> {
    const { provider, profile } = this.#find(name);
    return await makeSandbox(provider, this.#parts).prepare(profile, command);
  }

  /** Whether a program starts with this profile: on this host it starts one, elsewhere it asks. Never rejects. */
  async tryOut(name: string): Promise<SandboxProbe> {
    const { provider, profile } = this.#find(name);
    const sandbox = makeSandbox(provider, this.#parts);
    if (provider === 'bubblewrap' || provider === 'oci')
      return await tryOut(sandbox, NAMESPACES_FIX, profile);
    return await sandbox.probe();
  }

  #find(name: string) {
    const found = this.#profiles.get(name);
    if (found !== undefined) return found;
    throw new EdgeError('config.invalid', {
      operation: 'find sandbox',
      subject: name.slice(0, 64),
      message: `no sandbox ${name.slice(0, 64)} is configured`,
      hint: `configured: ${this.names.join(', ') || 'none; see [[sandboxes]]'}`,
    });
  }
}
