/**
 * Runs a command of an application isolated from the daemon. Settles by `timeoutMs`: the process group is then
 * killed and the result says so. Output beyond `outputBytesMax` is cut, and the result says so.
 */
export interface Sandbox {
  run(
    command: readonly string[],
    options: {
      readonly cwd: string;
      readonly stdin?: Uint8Array;
      readonly timeoutMs: number;
      readonly outputBytesMax: number;
    },
  ): Promise<{
    readonly exitCode: number | undefined;
    readonly timedOut: boolean;
    readonly truncated: boolean;
    readonly stdout: Uint8Array;
    readonly stderr: Uint8Array;
  }>;
}
