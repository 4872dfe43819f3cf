import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DaemonUnderTest, type Mark, startDaemon } from './support/daemon-under-test.ts';
import {
  childrenOf,
  cpuSeconds,
  memoryAlone,
  memoryOf,
  ownCpuSeconds,
  titleOf,
  whileAlive,
} from './support/process-memory.ts';

/**
 * From starting the daemon's process to READY (all cells up, the API answers), and what its processes take when
 * no client asks for anything. The limit of the machine: as many bare Node processes. See README.md.
 *
 * Usage: node bench/start.ts [--repeat 3] [--idle SECONDS] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    repeat: { type: 'string', default: '3' },
    idle: { type: 'string', default: '90' },
    json: { type: 'boolean', default: false },
  },
});
const repeat = Number(flags.repeat);
const idleMs = Number(flags.idle) * 1_000;
const TARGET = { readyMs: 1_000, idleBytes: 220e6 };
/** Supervisor and four cells. */
const PROCESSES = 5;
const folder = mkdtempSync(join(tmpdir(), 'auraison-bench-'));

type Idle = {
  readonly processes: Readonly<Record<string, number>>;
  readonly own: Readonly<Record<string, number>>;
  /** Supervisor and cells, without the simulated robot. */
  readonly pss: number;
  readonly alone: number;
  readonly cpuPercent: number;
  /** Processes that were there when idling started, and not at its end: they are not counted. */
  readonly ended: readonly string[];
};
type Start = { readonly ready: Mark; readonly complete: Mark; readonly idle: Idle };
type Bare = { readonly ms: number; readonly cpuS: number; readonly pss: number; readonly alone: number };

async function measure(dataDir: string, cacheDir: string): Promise<Start> {
  const daemon = await startDaemon(dataDir, cacheDir);
  try {
    return { ready: daemon.ready, complete: daemon.complete, idle: await idle(daemon) };
  } finally {
    await daemon.stop();
  }
}

async function idle({ pid }: DaemonUnderTest): Promise<Idle> {
  const named = namesOf([pid, ...childrenOf(pid)]);
  const times = () =>
    new Map([...named].map(([name, one]) => [name, whileAlive(() => ownCpuSeconds(one))] as const));
  // What is done once after the start, such as collecting garbage and closing the lake, is not idling.
  await new Promise((resolve) => setTimeout(resolve, idleMs / 2));
  const [before, started] = [times(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, idleMs / 2));
  const seconds = (performance.now() - started) / 1e3;
  const after = times();
  const memory = new Map(
    [...named].flatMap(([name, one]) => {
      const held = whileAlive(() => memoryOf(one));
      return held && after.get(name) !== undefined ? [[name, held] as const] : [];
    }),
  );
  const ours = [...named].filter(([name]) => name !== 'sim' && memory.has(name));
  const cpuPercent =
    (100 * ours.reduce((sum, [name]) => sum + after.get(name)! - before.get(name)!, 0)) / seconds;
  return {
    ended: [...named.keys()].filter((name) => !memory.has(name)),
    processes: Object.fromEntries([...memory].map(([name, { pss }]) => [name, pss])),
    own: Object.fromEntries([...memory].map(([name, { own }]) => [name, own])),
    pss: ours.reduce((sum, [name]) => sum + memory.get(name)!.pss, 0),
    alone: memoryAlone(ours.map(([, one]) => one)),
    cpuPercent,
  };
}

/** Processes that are alive, by name. */
function namesOf(pids: readonly number[]): Map<string, number> {
  return new Map(
    pids.flatMap((one) => {
      const title = whileAlive(() => titleOf(one));
      return title ? [[nameOf(title), one] as const] : [];
    }),
  );
}

function nameOf(title: string): string {
  if (title.includes('sim/host')) return 'sim';
  return /^auraison-(execution|memory|runtime|link|lake)/.exec(title)?.[1] ?? 'supervisor';
}

/** Bare Node processes, started side by side: how fast and how small this machine lets anything be. */
async function bare(count: number): Promise<Bare> {
  const started = performance.now();
  const children: ChildProcess[] = [];
  for (let i = 0; i < count; i++) {
    const code = 'process.stdout.write("."); setInterval(() => {}, 1e6)';
    children.push(spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] }));
  }
  await Promise.all(children.map((child) => once(child.stdout!, 'data')));
  const ms = performance.now() - started;
  const pids = children.map((child) => child.pid!);
  const cpuS = pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const pss = pids.reduce((sum, pid) => sum + memoryOf(pid).pss, 0);
  const alone = memoryAlone(pids);
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(children.map((child) => once(child, 'exit')));
  return { ms, cpuS, pss, alone };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function run() {
  const cacheDir = join(folder, 'cache');
  const dataDir = mkdtempSync(join(folder, 'data-'));
  const cold = await measure(dataDir, cacheDir);
  const warm: Start[] = [];
  const one: Bare[] = [];
  const five: Bare[] = [];
  for (let i = 0; i < repeat; i++) {
    one.push(await bare(1));
    five.push(await bare(PROCESSES));
    warm.push(await measure(dataDir, cacheDir));
  }
  const of = (pick: (start: Start) => number) => median(warm.map(pick));
  // What ended in one start is left out of all: a median of the others would say nothing of it.
  const names = Object.keys(warm[0]!.idle.processes).filter((name) =>
    warm.every((s) => name in s.idle.processes),
  );
  const result = {
    repeat,
    load_average: loadavg()[0],
    ready_ms: { cold: cold.ready.ms, warm: of((s) => s.ready.ms), warm_all: warm.map((s) => s.ready.ms) },
    ready_cpu_s: { cold: cold.ready.cpuS, warm: of((s) => s.ready.cpuS) },
    complete_ms: { cold: cold.complete.ms, warm: of((s) => s.complete.ms) },
    idle_pss: Object.fromEntries(names.map((name) => [name, of((s) => s.idle.processes[name]!)])),
    idle_own: Object.fromEntries(names.map((name) => [name, of((s) => s.idle.own[name]!)])),
    idle_pss_sum: of((s) => s.idle.pss),
    idle_pss_sum_all: warm.map((s) => s.idle.pss),
    idle_alone: of((s) => s.idle.alone),
    idle_ended: [...new Set(warm.flatMap((s) => s.idle.ended))],
    idle_cpu_percent: of((s) => s.idle.cpuPercent),
    bare: { one: medians(one), five: medians(five) },
    target: { ready_ms: TARGET.readyMs, idle_bytes: TARGET.idleBytes },
  };
  return result;
}

function medians(values: readonly Bare[]): Bare {
  const of = (pick: (bare: Bare) => number) => median(values.map(pick));
  return { ms: of((b) => b.ms), cpuS: of((b) => b.cpuS), pss: of((b) => b.pss), alone: of((b) => b.alone) };
}

function print(result: Awaited<ReturnType<typeof run>>): void {
  const { ready_ms: ready, ready_cpu_s: cpu, complete_ms: complete, bare: limit } = result;
  const s = (ms: number) => `${(ms / 1e3).toFixed(2)} s`;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0).padStart(4)} MB`;
  const verdict = (ok: boolean) => (ok ? 'kept' : 'MISSED');
  const lines = [
    `Start and idle of the daemon, robot.source = sim; medians of ${repeat} starts, load average ${result.load_average!.toFixed(1)}`,
    '',
    '  start to ready              wall      processor time, all processes',
    `  warm                        ${s(ready.warm)}    ${cpu.warm.toFixed(2)} s     target < ${s(TARGET.readyMs)}: ${verdict(ready.warm < TARGET.readyMs)}`,
    `  cold (no compiled code)     ${s(ready.cold)}    ${cpu.cold.toFixed(2)} s`,
    `  lake open as well, warm     ${s(complete.warm)}`,
    `  one bare node               ${s(limit.one.ms)}    ${limit.one.cpuS.toFixed(2)} s     the daemon is ${(ready.warm / limit.one.ms).toFixed(1)}×`,
    `  five bare nodes at once     ${s(limit.five.ms)}    ${limit.five.cpuS.toFixed(2)} s     the daemon is ${(ready.warm / limit.five.ms).toFixed(1)}×, processor time ${(cpu.warm / limit.five.cpuS).toFixed(1)}×`,
    '',
    `  idle memory after ${idleMs / 1e3} s       PSS    written`,
    ...Object.entries(result.idle_pss)
      .sort(([a], [b]) => Number(a === 'sim') - Number(b === 'sim'))
      .map(
        ([name, pss]) =>
          `  ${name.padEnd(24)} ${mb(pss)}    ${mb(result.idle_own[name]!)}${name === 'sim' ? '    the robot: not counted below' : ''}`,
      ),
    `  cells and supervisor     ${mb(result.idle_pss_sum)}    target < ${mb(TARGET.idleBytes).trim()}: ${verdict(result.idle_pss_sum < TARGET.idleBytes)}`,
    `  the same, nothing shared ${mb(result.idle_alone)}    as on a machine where nothing else runs this Node`,
    `  one bare node            ${mb(limit.one.pss)}    alone ${mb(limit.one.alone).trim()}`,
    `  five bare nodes          ${mb(limit.five.pss)}    alone ${mb(limit.five.alone).trim()}; the daemon is ${(result.idle_alone / limit.five.alone).toFixed(1)}×`,
    ...(result.idle_ended.length > 0
      ? [`  ended meanwhile, not counted: ${result.idle_ended.join(', ')}`]
      : []),
    `  idle processor use       ${result.idle_cpu_percent.toFixed(1).padStart(4)} % of one core`,
    '',
  ];
  process.stdout.write(lines.join('\n'));
}

try {
  const result = await run();
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else print(result);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
