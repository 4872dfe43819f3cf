/** A place outside that a sandboxed process may reach: `name:port` inside leads to `host:port`, over TCP. */
export type SandboxDoor = { readonly name: string; readonly host: string; readonly port: number };

/** A value that is shown to the process and to no other: as a file `/run/secrets/NAME`, or as a variable. */
export type SandboxSecret = {
  readonly name: string;
  readonly as: 'file' | 'variable';
  /** Read at each start, so that it may be replaced. Throws `config.unreadable` or `config.invalid`. */
  read(): string;
};

/** What a process may use. Everything that is not named is not there. */
export type SandboxProfile = {
  readonly name: string;
  /** Absolute paths of this host; the same paths inside. */
  readonly readOnly: readonly string[];
  readonly readWrite: readonly string[];
  /** Empty: no network at all. */
  readonly network: readonly SandboxDoor[];
  /** Processors, for example 0.5; 0: no limit. */
  readonly processor: number;
  /** Bytes of memory, without swap. */
  readonly memory: number;
  /** Processes and threads at once. */
  readonly processes: number;
  /** Life of the process in milliseconds; then it is killed. 0: no limit. */
  readonly time: number;
  /** Bytes of `/tmp`, which is private and lies in memory. */
  readonly temporary: number;
  /** Bytes of one file that it writes. */
  readonly fileSize: number;
  readonly secrets: readonly SandboxSecret[];
  /** Of a container: where the provider starts images. */
  readonly image: string;
  /** Namespace of a cluster. */
  readonly namespace: string;
};

/** A program as it would run without a sandbox. `env` is its whole environment. */
export type SandboxCommand = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where it is started; it has to be among the files of the profile or of `readOnly`. Absent: `/tmp`. */
  readonly folder?: string;
  /** What this program needs to read beyond the profile, for example the folder of its package. */
  readonly readOnly?: readonly string[];
  /** What it may reach beyond the profile, for example the API that a runtime dials. */
  readonly doors?: readonly SandboxDoor[];
};

/**
 * What to start instead. It has the standard streams of the program, ends with its exit code, and takes everything
 * that the program started with it when it is killed or when the process that started it dies.
 */
export type SandboxedCommand = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** What holds memory and processes: `cgroup v2`, `cgroup v1`, `rlimits` or `the container engine`. */
  readonly limitedBy: string;
  /**
   * Ends what is left, and removes what was made for it. To be called when the process has ended, and when it was never
   * started. May be called twice; never rejects.
   */
  release(): Promise<void>;
};

/** Whether a provider works on this host. */
export type SandboxProbe = {
  readonly ready: boolean;
  readonly detail: string;
  /** How to make it work; empty where it does. */
  readonly fix: string;
};

export type SandboxProvider = 'bubblewrap' | 'oci' | 'docker' | 'podman' | 'kubernetes';

/**
 * Runs foreign programs apart from the host. `probe` starts a real sandbox and never rejects. `prepare` starts nothing
 * of the program; it rejects with `host.missing` where the provider does not work here, with `config.invalid` where a
 * limit, a file or a place of the profile cannot be held by it: a limit that would not be enforced is refused, never
 * left out. Implementations: `adapters/sandbox`; their suite: `test/conformance/sandbox.ts`.
 */
export interface Sandbox {
  readonly provider: SandboxProvider;
  probe(): Promise<SandboxProbe>;
  prepare(profile: SandboxProfile, command: SandboxCommand): Promise<SandboxedCommand>;
}
