import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Clock, pause, SANDBOX_LIMITS } from '../../contract/core.ts';

/** What is counted for a whole sandbox. */
export type GroupLimits = { readonly memory: number; readonly processes: number; readonly processor: number };

/** A control group of one sandbox. The launcher writes itself into `enter` before it starts anything. */
export type LimitGroup = {
  readonly enter: readonly string[];
  /** Kills what is left in it and removes it; never rejects. */
  remove(clock: Clock): Promise<void>;
};

/** How this host counts a whole sandbox; `rlimits`: it cannot, and limits are those of single processes and the user. */
export type LimitMode =
  | { readonly kind: 'rlimits' }
  | { readonly kind: 'cgroup v2'; readonly base: string }
  | { readonly kind: 'cgroup v1'; readonly bases: Readonly<Record<V1Controller, string>> };

const V1 = ['memory', 'pids', 'cpu'] as const;
type V1Controller = (typeof V1)[number];
/** Period of the processor limit, microseconds. */
const PERIOD_US = 100_000;
const PAUSE_MS = 20;

/**
 * Looks where this process may make control groups. Version 2 needs a group that was delegated to this user: its own
 * or the one above it, since only a group without processes hands controllers on. Tries it for real, leaves nothing.
 */
export function findLimitMode(root = '/sys/fs/cgroup', own = readText('/proc/self/cgroup')): LimitMode {
  const lines = own.split('\n').map((line) => line.split(':'));
  const v2 = lines.find(([id, controllers]) => id === '0' && controllers === '')?.[2];
  if (v2 !== undefined && existsSync(join(root, 'cgroup.controllers')))
    for (const base of new Set([join(root, v2), join(root, dirname(v2))]))
      if (delegates(base)) return { kind: 'cgroup v2', base };
  const bases = V1.map((controller) => {
    const path = lines.find(([, controllers]) => controllers?.split(',').includes(controller))?.[2];
    return path === undefined ? undefined : join(root, controller, path);
  });
  if (
    bases.every((base) => base !== undefined && isWritable(base) && existsSync(join(base, 'cgroup.procs')))
  ) {
    const [memory, pids, cpu] = bases as [string, string, string];
    return { kind: 'cgroup v1', bases: { memory, pids, cpu } };
  }
  return { kind: 'rlimits' };
}

/** Makes the group of one sandbox. Throws what the file system throws; nothing is left then. */
export function makeGroup(mode: LimitMode, id: string, limits: GroupLimits): LimitGroup | undefined {
  if (mode.kind === 'rlimits') return undefined;
  const made: string[] = [];
  try {
    if (mode.kind === 'cgroup v2') made.push(makeV2(join(mode.base, id), limits));
    else for (const name of V1) made.push(makeV1(name, join(mode.bases[name], id), limits));
  } catch (error) {
    for (const path of made) removeNow(path);
    throw error;
  }
  return {
    enter: made.map((path) => join(path, 'cgroup.procs')),
    async remove(clock) {
      for (let waited = 0; waited < SANDBOX_LIMITS.RELEASE_MS; waited += PAUSE_MS) {
        for (const path of made) killAll(path);
        if (made.map(removeNow).every(Boolean)) return;
        await pause(clock, PAUSE_MS);
      }
    },
  };
}

function makeV2(path: string, { memory, processes, processor }: GroupLimits): string {
  mkdirSync(path);
  try {
    const set = (file: string, value: string | number) => writeFileSync(join(path, file), `${value}`);
    set('memory.max', memory);
    if (existsSync(join(path, 'memory.swap.max'))) set('memory.swap.max', 0);
    // The whole sandbox ends: what is left of it would be half a program.
    set('memory.oom.group', 1);
    set('pids.max', processes);
    if (processor > 0) set('cpu.max', `${Math.ceil(processor * PERIOD_US)} ${PERIOD_US}`);
  } catch (error) {
    removeNow(path);
    throw error;
  }
  return path;
}

function makeV1(name: V1Controller, path: string, { memory, processes, processor }: GroupLimits): string {
  mkdirSync(path);
  try {
    const set = (file: string, value: string | number) => writeFileSync(join(path, file), `${value}`);
    if (name === 'pids') set('pids.max', processes);
    if (name === 'memory') {
      set('memory.limit_in_bytes', memory);
      if (existsSync(join(path, 'memory.memsw.limit_in_bytes'))) set('memory.memsw.limit_in_bytes', memory);
    }
    if (name === 'cpu' && processor > 0) {
      set('cpu.cfs_period_us', PERIOD_US);
      set('cpu.cfs_quota_us', Math.ceil(processor * PERIOD_US));
    }
  } catch (error) {
    removeNow(path);
    throw error;
  }
  return path;
}

/** Version 2: whether children of this group get controllers. */
function delegates(base: string): boolean {
  const trial = join(base, `auraison-trial-${process.pid}`);
  try {
    writeFileSync(join(base, 'cgroup.subtree_control'), '+memory +pids +cpu');
    mkdirSync(trial);
    return ['memory.max', 'pids.max', 'cpu.max'].every((file) => existsSync(join(trial, file)));
  } catch {
    return false;
  } finally {
    removeNow(trial);
  }
}

function killAll(path: string): void {
  for (const pid of readText(join(path, 'cgroup.procs')).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It is over.
    }
  }
}

function removeNow(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
