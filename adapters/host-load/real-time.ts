import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { ControllerView } from '../../contract/core.ts';

/** `chrt` answers at once or hangs, milliseconds. */
const TOOL_MS = 2_000;
/** The 39th field of /proc/<pid>/task/<tid>/stat after the name of the thread: its scheduling policy. */
const POLICY_FIELD = 38;
const FIFO = '1';

/**
 * Asks for the real-time class SCHED_FIFO for a thread of this process, and reports what it has then: a host that does
 * not grant it (no LimitRTPRIO, a container) leaves it as it was. Never rejects. Linux only; elsewhere `unknown`.
 */
export async function askRealTime(tid: number, priority: number): Promise<ControllerView['scheduling']> {
  if (tid <= 0) return 'unknown';
  if (priority > 0) await run('chrt', ['--fifo', '--pid', String(priority), String(tid)]);
  return schedulingOf(tid);
}

async function schedulingOf(tid: number): Promise<ControllerView['scheduling']> {
  try {
    const stat = await readFile(`/proc/self/task/${tid}/stat`, 'utf8');
    // The name stands in brackets and may hold spaces and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const policy = fields[POLICY_FIELD];
    if (policy === undefined) return 'unknown';
    return policy === FIFO ? 'fifo' : 'other';
  } catch {
    return 'unknown';
  }
}

/** Settles however it ends: what it was good for is read from the host itself. */
function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: TOOL_MS, killSignal: 'SIGKILL' }, () => resolve());
  });
}
