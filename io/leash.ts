import { type ChildProcess, spawn } from 'node:child_process';

/** Ends a process group when the pipe to this process closes, also when this process was killed. */
const LEASH = 'read -r _; kill -s KILL -- "-$1"';

/** Ties a process group to this process, however this process ends. To be killed when the group is gone. */
export function leashGroup(leader: number, onError: (error: Error) => void): ChildProcess {
  const leash = spawn('/bin/sh', ['-c', LEASH, 'leash', String(leader)], {
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  leash.on('error', onError);
  leash.stdin?.on('error', () => {});
  leash.unref();
  return leash;
}

/** Sends a signal to a process group; nothing happens where it is over. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // It is over.
  }
}
