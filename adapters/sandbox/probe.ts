import { execFile } from 'node:child_process';
import {
  EdgeError,
  SANDBOX_LIMITS,
  type Sandbox,
  type SandboxProbe,
  type SandboxProfile,
} from '../../contract/core.ts';

/** What stands in the way of namespaces on hosts that have the program. */
export const NAMESPACES_FIX =
  'user namespaces have to be allowed: sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04) or kernel.unprivileged_userns_clone=1 (old Debian); in a container: seccomp=unconfined and systempaths=unconfined; in the systemd unit: docs/sandboxes.md#as-a-service';

/** A profile that every provider of this host can hold. */
export const TRIAL: SandboxProfile = {
  name: 'trial',
  readOnly: [],
  readWrite: [],
  network: [],
  processor: 0,
  memory: 128 * 2 ** 20,
  processes: 32,
  time: SANDBOX_LIMITS.PROBE_MS,
  temporary: 2 ** 20,
  fileSize: 2 ** 20,
  secrets: [],
  image: '',
  namespace: 'default',
};

/** Runs `true` in a real sandbox with this profile. Never rejects. */
export async function tryOut(sandbox: Sandbox, fix: string, profile = TRIAL): Promise<SandboxProbe> {
  try {
    const command = { file: 'true', args: [], env: { PATH: '/usr/bin:/bin' } };
    const trial = await sandbox.prepare(profile, command);
    try {
      const failed = await run(trial.file, trial.args, trial.env);
      if (failed === undefined) return { ready: true, detail: `limits by ${trial.limitedBy}`, fix: '' };
      return { ready: false, detail: `does not start: ${failed}`, fix };
    } finally {
      await trial.release();
    }
  } catch (thrown) {
    const { message, hint } = EdgeError.from(thrown, 'host.missing', 'try sandbox', sandbox.provider);
    return { ready: false, detail: message, fix: hint };
  }
}

/** What it printed, where it failed. */
export function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { env: { ...env }, timeout: SANDBOX_LIMITS.PROBE_MS, killSignal: 'SIGKILL' as const };
    execFile(file, [...args], options, (error, _stdout, stderr) => {
      // kubectl logs each try before it says in a line for people what failed.
      const lines = stderr.split('\n');
      const said = lines.filter((line) => line.trim() !== '' && !/^[EWIF]\d{4} /.test(line));
      const text = (said.length > 0 ? said : lines)
        .join(' ')
        .trim()
        .replace(/\s+/g, ' ')
        .slice(0, SANDBOX_LIMITS.PROBE_TEXT_MAX);
      resolve(error === null ? undefined : text || error.message.split('\n')[0]!);
    });
  });
}
