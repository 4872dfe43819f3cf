import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessAccount, ProcessProbe } from '../../contract/core.ts';

/** Files under /proc; both throw where they do not exist. */
type Proc = {
  readonly readText: (path: string) => string;
  readonly list: (path: string) => readonly string[];
};

const HOST: Proc = { readText: (path) => readFileSync(path, 'utf8'), list: (path) => readdirSync(path) };
/** Ticks per second of the times in `stat`: 100 on every Linux that Node runs on. */
const TICK_MS = 10;
/** Threads of one process that are looked at; a process with more has some that run. */
const THREADS_MAX = 64;

/** Of this host, from /proc. Gives nothing where /proc does not exist. */
export function hostProbe(proc: Proc = HOST): ProcessProbe {
  return {
    look(pid) {
      try {
        return account(proc, pid);
      } catch {
        return undefined;
      }
    },
    times: (pid) =>
      maybe(() => {
        const [ranNs, waitedNs] = numbers(proc.readText(`/proc/${pid}/task/${pid}/schedstat`));
        const times = { cpuMs: ranNs! / 1e6, waitedMs: waitedNs! / 1e6 };
        return { ...times, pressureMs: undefined, readBytes: undefined };
      }),
  };
}

function account(proc: Proc, pid: number): ProcessAccount {
  const stat = statOf(proc.readText(`/proc/${pid}/task/${pid}/stat`));
  const [ranNs, waitedNs] = maybe(() => numbers(proc.readText(`/proc/${pid}/task/${pid}/schedstat`))) ?? [];
  return {
    state: stat.state,
    ...helpersOf(proc, pid),
    cpuMs: ranNs === undefined ? stat.cpuMs : ranNs / 1e6,
    waitedMs: waitedNs === undefined ? undefined : waitedNs / 1e6,
    pressureMs: maybe(() => pressureOf(proc.readText('/proc/pressure/cpu'))),
    readBytes: maybe(() => readOf(proc.readText(`/proc/${pid}/io`))),
  };
}

function helpersOf(proc: Proc, pid: number): Pick<ProcessAccount, 'helpersRunnable' | 'helpersOnDisk'> {
  const others = proc.list(`/proc/${pid}/task`).filter((thread) => thread !== String(pid));
  // One that ends meanwhile has nothing to run.
  const states = others
    .slice(0, THREADS_MAX)
    .map((thread) => maybe(() => statOf(proc.readText(`/proc/${pid}/task/${thread}/stat`)).state));
  return { helpersRunnable: states.includes('runnable'), helpersOnDisk: states.includes('disk') };
}

/** The name stands in brackets and may hold anything: fields are counted from the last bracket on. */
function statOf(text: string): { readonly state: ProcessAccount['state']; readonly cpuMs: number } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  if (!Number.isFinite(user + system)) throw new Error('unexpected format of /proc/PID/stat');
  return { state: stateOf(fields[0]!), cpuMs: (user + system) * TICK_MS };
}

function stateOf(letter: string): ProcessAccount['state'] {
  switch (letter) {
    case 'R':
      return 'runnable';
    case 'D':
      return 'disk';
    case 'T':
    case 't':
      return 'stopped';
    case 'Z':
    case 'X':
      return 'dead';
    default:
      return 'sleeping';
  }
}

/** Microseconds of `some`, which is the only line that counts for processors. */
function pressureOf(text: string): number | undefined {
  const found = /^some .*\btotal=(\d+)/m.exec(text);
  return found ? Number(found[1]) / 1e3 : undefined;
}

function readOf(text: string): number | undefined {
  const found = /^rchar: (\d+)/m.exec(text);
  return found ? Number(found[1]) : undefined;
}

function numbers(text: string): number[] {
  const found = text.trim().split(' ').map(Number);
  if (found.length < 2 || !found.every(Number.isFinite))
    throw new Error('unexpected format of /proc/PID/schedstat');
  return found;
}

function maybe<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
