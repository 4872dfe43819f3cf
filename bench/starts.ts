import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDaemon } from './support/daemon-under-test.ts';

/**
 * Starts the daemon again and again while other processes compute without pause, and counts the cells that the
 * supervisor killed although they were healthy. Nothing hangs here, so each death is one too many. Ends with 1 where a
 * cell died or a start failed. See README.md.
 *
 * `--parallel` daemons live at a time, each in a directory of its own: with as many starts at once most of the load is
 * theirs. `--load-nice 19` leaves the other users of the host their share. `--minutes`: after that nothing is started.
 *
 * Usage: node bench/starts.ts [--starts 20] [--parallel 1] [--load 20] [--load-nice 0] [--idle SECONDS]
 *   [--timeout SECONDS] [--minutes 60] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    starts: { type: 'string', default: '20' },
    parallel: { type: 'string', default: '1' },
    load: { type: 'string', default: '20' },
    'load-nice': { type: 'string', default: '0' },
    idle: { type: 'string', default: '5' },
    timeout: { type: 'string', default: '240' },
    minutes: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const starts = Number(flags.starts);
const parallel = Number(flags.parallel);
const load = Number(flags.load);
const lastStartMs = performance.now() + Number(flags.minutes) * 60_000;
const idleMs = Number(flags.idle) * 1_000;
const timeoutMs = Number(flags.timeout) * 1_000;
const folder = mkdtempSync(join(tmpdir(), 'auraison-starts-'));
const busy: ChildProcess[] = [];
/** Computes without pause, and ends when this bench is gone, however that ended. */
const BUSY =
  'const bench = process.ppid; for (let i = 1; ; i++) if (i % 1e7 === 0 && process.ppid !== bench) process.exit();';

type Line = { readonly msg?: string; readonly cell?: string; readonly reason?: string };
type Start = {
  readonly readyMs: number | undefined;
  /** Cell and reason of each death before the daemon was stopped. */
  readonly deaths: readonly string[];
  /** Times that a cell was silent for more than 1.75 s and was waited for. */
  readonly spared: number;
  /** Control threads that were started again. */
  readonly threads: number;
  readonly load: number;
};

async function startOnce(): Promise<Start> {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  const lines = (): Line[] =>
    readFileSync(join(dataDir, 'daemon.log'), 'utf8')
      .split('\n')
      .flatMap((text) => {
        try {
          return [JSON.parse(text) as Line];
        } catch {
          return [];
        }
      });
  let readyMs: number | undefined;
  let seen: Line[];
  try {
    const daemon = await startDaemon(dataDir, join(folder, 'cache'), timeoutMs);
    readyMs = daemon.ready.ms;
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    // What dies while everything is stopped is no concern of this bench.
    seen = lines();
    await daemon.stop();
  } catch (error) {
    process.stderr.write(`${(error as Error).message.slice(0, 400)}\n`);
    seen = lines();
  }
  rmSync(dataDir, { recursive: true, force: true });
  const count = (text: string) => seen.filter(({ msg }) => msg?.startsWith(text)).length;
  return {
    readyMs,
    deaths: seen.filter(({ msg }) => msg === 'down').map(({ cell, reason }) => `${cell}: ${reason}`),
    spared: count('the host gives it too little'),
    threads: count('the control thread is started'),
    load: loadavg()[0]!,
  };
}

const results: Start[] = [];
try {
  for (let i = 0; i < load; i++) {
    const child = spawn(process.execPath, ['-e', BUSY], { stdio: 'ignore' });
    busy.push(child);
    if (child.pid !== undefined) setPriority(child.pid, Number(flags['load-nice']));
  }
  let begun = 0;
  const seat = async () => {
    while (begun < starts && performance.now() < lastStartMs) {
      begun++;
      const one = await startOnce();
      results.push(one);
      const ready =
        one.readyMs === undefined ? 'NOT READY' : `ready after ${(one.readyMs / 1e3).toFixed(1)} s`;
      process.stderr.write(
        `${results.length}/${starts}: ${ready}, load ${one.load.toFixed(0)}, deaths ${one.deaths.length}, spared ${one.spared}, control threads again ${one.threads}\n`,
      );
    }
  };
  await Promise.all(Array.from({ length: parallel }, () => seat()));
} finally {
  for (const child of busy) child.kill('SIGKILL');
  await Promise.all(busy.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
  rmSync(folder, { recursive: true, force: true });
}

const sum = (pick: (start: Start) => number) => results.reduce((total, one) => total + pick(one), 0);
const ready = results.flatMap(({ readyMs }) => readyMs ?? []).sort((a, b) => a - b);
const result = {
  starts: results.length,
  busy_processes: load,
  busy_nice: Number(flags['load-nice']),
  parallel,
  load_average_median: results.map((one) => one.load).sort((a, b) => a - b)[results.length >> 1],
  load_average_max: Math.max(...results.map((one) => one.load)),
  not_ready: results.length - ready.length,
  healthy_cells_killed: sum(({ deaths }) => deaths.length),
  spared: sum(({ spared }) => spared),
  control_threads_again: sum(({ threads }) => threads),
  ready_ms: { median: ready[Math.floor(ready.length / 2)], most: ready.at(-1) },
  deaths: results.flatMap(({ deaths }) => deaths),
};
if (!flags.json) {
  const seconds = (ms: number | undefined) => (ms === undefined ? 'n/a' : `${(ms / 1e3).toFixed(1)} s`);
  process.stdout.write(
    [
      `${result.starts} starts, ${parallel} at a time, beside ${load} processes that compute (nice ${result.busy_nice}), load average up to ${result.load_average_max.toFixed(0)}`,
      `  healthy cells killed    ${result.healthy_cells_killed}     target 0`,
      `  not ready in time       ${result.not_ready}`,
      `  silent, waited for      ${result.spared}     for more than 1.75 s`,
      `  control threads again   ${result.control_threads_again}`,
      `  ready after             median ${seconds(result.ready_ms.median)}, most ${seconds(result.ready_ms.most)}`,
      ...result.deaths.map((death) => `  ${death}`),
      '',
    ].join('\n'),
  );
}
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = result.healthy_cells_killed + result.not_ready === 0 ? 0 : 1;
