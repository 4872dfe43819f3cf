import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDaemon } from './support/daemon-under-test.ts';
import {
  childrenOf,
  memoryAlone,
  memoryOf,
  ownCpuSeconds,
  titleOf,
  whileAlive,
} from './support/process-memory.ts';

/**
 * What each process of an idle daemon holds, by the file that a page is mapped from, and which of its threads computes;
 * with cells as processes and with `cells = "inline"`. See README.md.
 *
 * Usage: node bench/idle.ts [--settle 45] [--seconds 60] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    settle: { type: 'string', default: '45' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const TARGET = { forked: 220e6, inline: 130e6, cpuPercent: 1 };
const LARGEST = 6;

type Named = Readonly<Record<string, number>>;
type Held = {
  readonly title: string;
  readonly pss: number;
  readonly own: number;
  readonly cpuPercent: number;
  /** PSS by file, bytes. */
  readonly mapped: Named;
  /** Percent of a core by thread. */
  readonly threads: Named;
};
type Idle = {
  readonly readyMs: number;
  readonly readyCpuS: number;
  readonly processes: readonly Held[];
  /** Supervisor and cells, without the simulated robot. */
  readonly pss: number;
  readonly alone: number;
  readonly cpuPercent: number;
  /** Processes that ended while it was measured: they are not counted. */
  readonly ended: readonly string[];
  readonly load: number;
};

const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const isRobot = (pid: number) => titleOf(pid).includes('sim/host');
const largest = (named: Named) =>
  Object.entries(named)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, LARGEST);

async function measure(cells: 'forked' | 'inline'): Promise<Idle> {
  const folder = mkdtempSync(join(tmpdir(), 'auraison-idle-'));
  const cache = join(folder, 'cache');
  const env = { AURAISON_DAEMON_CELLS: cells };
  try {
    // The first start of a checkout compiles its code: its processes stay larger.
    await (await startDaemon(folder, cache, 120_000, env)).stop();
    const daemon = await startDaemon(folder, cache, 120_000, env);
    try {
      await wait(Number(flags.settle));
      const pids = [daemon.pid, ...childrenOf(daemon.pid)];
      const before = new Map(
        pids.flatMap((pid) => {
          const was = whileAlive(() => ({
            title: titleOf(pid),
            cpuS: ownCpuSeconds(pid),
            threads: threadsOf(pid),
          }));
          return was ? [[pid, was] as const] : [];
        }),
      );
      const started = performance.now();
      await wait(Number(flags.seconds));
      const seconds = (performance.now() - started) / 1e3;
      const now = [...before].map(([pid, was]) => ({
        pid,
        was,
        held: whileAlive(() => heldBy(pid, was, seconds)),
      }));
      const held = now.flatMap((one) => one.held ?? []);
      const alive = now.flatMap(({ pid, held }) => (held ? [pid] : []));
      const counted = held.filter(({ title }) => title !== 'sim');
      return {
        ...{ readyMs: daemon.ready.ms, readyCpuS: daemon.ready.cpuS, processes: held, load: loadavg()[0]! },
        pss: counted.reduce((sum, { pss }) => sum + pss, 0),
        cpuPercent: counted.reduce((sum, one) => sum + one.cpuPercent, 0),
        alone: memoryAlone(alive.filter((pid) => !isRobot(pid))),
        ended: now.flatMap(({ was, held }) => (held ? [] : [was.title])),
      };
    } finally {
      await daemon.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Was = { readonly cpuS: number; readonly threads: Named };

/** Throws where the process ended. */
function heldBy(pid: number, was: Was, seconds: number): Held {
  const threads = Object.entries(threadsOf(pid)).map(
    ([name, s]) => [name, (100 * (s - (was.threads[name] ?? 0))) / seconds] as const,
  );
  const cpuPercent = (100 * (ownCpuSeconds(pid) - was.cpuS)) / seconds;
  const facts = { cpuPercent, threads: Object.fromEntries(threads), mapped: mappedBy(pid) };
  return { title: isRobot(pid) ? 'sim' : titleOf(pid), ...memoryOf(pid), ...facts };
}

/** Processor seconds of threads so far; those of one name are added. */
function threadsOf(pid: number): Record<string, number> {
  const found: Record<string, number> = {};
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    // A thread may end alone.
    const stat = whileAlive(() => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
    if (stat === undefined) continue;
    const name = thread === String(pid) ? 'main' : stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const [user, system] = stat
      .slice(stat.lastIndexOf(') ') + 2)
      .split(' ')
      .slice(11, 13);
    found[name] = (found[name] ?? 0) + (Number(user) + Number(system)) / 100;
  }
  return found;
}

function mappedBy(pid: number): Record<string, number> {
  const found: Record<string, number> = {};
  let name = '';
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const area = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (area) name = area[1]! === '' ? 'heaps' : basename(area[1]!);
    const [, kB] = /^Pss:\s+(\d+)/.exec(line) ?? [];
    if (kB !== undefined) found[name] = (found[name] ?? 0) + Number(kB) * 1024;
  }
  return found;
}

function print(cells: 'forked' | 'inline', idle: Idle): void {
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const kept = (ok: boolean) => (ok ? 'kept' : 'MISSED');
  const lines = [
    `cells = "${cells}": ready after ${(idle.readyMs / 1e3).toFixed(2)} s (${idle.readyCpuS.toFixed(2)} s of processor time); idle at load ${idle.load.toFixed(1)}`,
    ...idle.processes.flatMap(({ title, pss, own, cpuPercent, mapped, threads }) => [
      `  ${title.padEnd(20)} PSS ${mb(pss)}, written ${mb(own)}, ${cpuPercent.toFixed(2)} % of a core${title === 'sim' ? ' (the robot: not counted)' : ''}`,
      `    ${largest(mapped)
        .map(([name, bytes]) => `${name} ${mb(bytes)}`)
        .join(', ')}`,
      `    ${largest(threads)
        .map(([name, percent]) => `${name} ${percent.toFixed(2)} %`)
        .join(', ')}`,
    ]),
    ...(idle.ended.length > 0 ? [`  ended meanwhile, not counted: ${idle.ended.join(', ')}`] : []),
    `  in all: PSS ${mb(idle.pss)} (target < ${mb(TARGET[cells])}: ${kept(idle.pss < TARGET[cells])}), nothing shared ${mb(idle.alone)}, ${idle.cpuPercent.toFixed(2)} % of a core (target < ${TARGET.cpuPercent} %: ${kept(idle.cpuPercent < TARGET.cpuPercent)})`,
    '',
  ];
  process.stdout.write(lines.join('\n'));
}

const result = { forked: await measure('forked'), inline: await measure('inline') };
if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else for (const cells of ['forked', 'inline'] as const) print(cells, result[cells]);
