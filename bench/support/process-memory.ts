import { readFileSync } from 'node:fs';

/** Memory of one process in bytes. */
export type ProcessMemory = {
  /** Private pages plus its share of those it has in common with others. */
  readonly pss: number;
  /** Pages that it wrote and shares with no process: heaps, whatever else runs the same libraries. */
  readonly own: number;
};

/** Linux only: `/proc/<pid>/smaps_rollup`. Throws where the process is gone. */
export function memoryOf(pid: number): ProcessMemory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    pss: kilobytes(text, 'Pss'),
    own: kilobytes(text, 'Private_Dirty'),
  };
}

/**
 * What these processes would take on a machine of their own, bytes: PSS flatters a process that shares the Node
 * binary with other programs. Private pages are summed, a shared file counts once, with its largest user.
 */
export function memoryAlone(pids: readonly number[]): number {
  let sum = 0;
  const shared = new Map<string, number>();
  for (const pid of pids) {
    for (const [, range, offset, inode, body] of readFileSync(`/proc/${pid}/smaps`, 'utf8').matchAll(
      /^([0-9a-f]+-[0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+)[^\n]*\n((?:[A-Z][^\n]*\n)*)/gm,
    )) {
      sum += kilobytes(body!, 'Private_Clean') + kilobytes(body!, 'Private_Dirty');
      const common = kilobytes(body!, 'Shared_Clean') + kilobytes(body!, 'Shared_Dirty');
      const key = inode === '0' ? `${pid} ${range}` : `${inode} ${offset}`;
      shared.set(key, Math.max(shared.get(key) ?? 0, common));
    }
  }
  return [...shared.values()].reduce((total, bytes) => total + bytes, sum);
}

/** Processor time so far of a process, its threads and the children it has buried, seconds (user and system). */
export function cpuSeconds(pid: number): number {
  return ticksOf(pid, 4) / 100;
}

/**
 * The same without the children: a child that ends while it is measured would bring the time of its whole life.
 */
export function ownCpuSeconds(pid: number): number {
  return ticksOf(pid, 2) / 100;
}

function ticksOf(pid: number, count: 2 | 4): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  // Fields 14 to 17 of proc(5), in ticks of 1/100 s on every Linux that Node runs on.
  return fields.slice(11, 11 + count).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** The processes that the main thread of `pid` started, and theirs. One that ends meanwhile is left out. */
export function childrenOf(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  } catch {
    return [];
  }
  const found = children === '' ? [] : children.split(' ').map(Number);
  return found.flatMap((child) => [child, ...childrenOf(child)]);
}

/** What `look` gives; undefined where the process ended meanwhile, as the engine of a lake at rest does. */
export function whileAlive<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A process that ends between two reads of /proc is no longer there (ENOENT) or cannot be read (ESRCH).
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/** The title of a process, as `ps` shows it. */
export function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}
