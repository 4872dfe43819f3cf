import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as the kernel tells; the daemon's own view is what the tests doubt. */
export type ProcessInfo = {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly command: string;
};

export function processInfo(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, spaces and parentheses included.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') as [string, string];
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, parent: Number(parent), state, command };
  } catch {
    return undefined;
  }
}

/** Alive and no zombie. */
export function isAlive(pid: number): boolean {
  const info = processInfo(pid);
  return info !== undefined && info.state !== 'Z' && info.state !== 'X';
}

/** All children, grandchildren and so on. */
export function descendants(pid: number): ProcessInfo[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processInfo(Number(name)) ?? []);
  const found: ProcessInfo[] = [];
  const family = new Set([pid]);
  for (let before = -1; before !== found.length; ) {
    before = found.length;
    for (const info of all) {
      if (!family.has(info.parent) || family.has(info.pid)) continue;
      family.add(info.pid);
      found.push(info);
    }
  }
  return found;
}

/** The simulated robot of a daemon. */
export function simHostPid(daemon: number): number | undefined {
  return descendants(daemon).find(({ command }) => command.includes('sim/host.ts'))?.pid;
}

/** The process of a daemon that speaks to ROS, from its source or packed. */
export const isRosHost = ({ command }: Pick<ProcessInfo, 'command'>) =>
  /\bros[/.]host[/.]main\.m?[tj]s\b/.test(command);

/** Processes that have a file of `directory` open, as `lsof` would tell. */
export function openers(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).some((fd) => {
          try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${directory}/`);
          } catch {
            return false;
          }
        });
      } catch {
        return false;
      }
    });
}

/** Names in /dev/shm that this process has mapped. */
export function sharedMemoryOf(pid: number): string[] {
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
    return [...new Set(Array.from(maps.matchAll(/ \/dev\/shm\/(\S+)/g), ([, name]) => name!))];
  } catch {
    return [];
  }
}
