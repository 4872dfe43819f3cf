import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { bareFleet, ourFleet, type Steps } from './support/agent-fleet.ts';
import { DiskWatch } from './support/disk-watch.ts';
import { piSessionFleet } from './support/pi-session-fleet.ts';

/**
 * Agents side by side with scripted models: what a step costs in our runtime, every event of it durable, beside bare
 * pi-agent-core and beside Pi's own durable sessions, whether anybody starves, and whether memory grows. The limit of the machine: one page on this disk,
 * asked all the while. A step waits for the disk twice, one after the other: that the tool is called, how that ended.
 *
 * Usage: node bench/agents.ts [--minutes 1] [--agents 20] [--think 200] [--steps 60] [--json]
 * `--steps`: of one run; a longer conversation is a dearer one.
 */
const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    agents: { type: 'string', default: '20' },
    think: { type: 'string', default: '200' },
    steps: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const agents = Number(flags.agents);
const thinkMs = Number(flags.think);
const steps = Number(flags.steps);
const ms = Number(flags.minutes) * 60_000;
const TARGET = { p50Ms: 5, p99Ms: 25 };
const folder = mkdtempSync(join(tmpdir(), 'auraison-bench-'));

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Bytes per minute by least squares over the second half: the first fills caches. */
function slope(samples: readonly { readonly at: number; readonly bytes: number }[]): number {
  const late = samples.slice(Math.floor(samples.length / 2));
  const mean = (pick: (one: (typeof late)[number]) => number) =>
    late.reduce((sum, one) => sum + pick(one), 0) / late.length;
  const [at, bytes] = [mean((one) => one.at), mean((one) => one.bytes)];
  const over = late.reduce((sum, one) => sum + (one.at - at) * (one.bytes - bytes), 0);
  const under = late.reduce((sum, one) => sum + (one.at - at) ** 2, 0);
  return (over / under) * 60_000;
}

function told({ took, perAgent }: Steps) {
  const counts = [...perAgent.values()];
  return {
    steps: took.length,
    p50Ms: quantile(took, 0.5),
    p99Ms: quantile(took, 0.99),
    least: Math.min(...counts),
    most: Math.max(...counts),
  };
}

setFlagsFromString('--expose_gc');
const gc = runInNewContext('gc') as () => void;
/** What is really held, without what waits to be collected. */
function heldBytes(): number {
  gc();
  return process.memoryUsage().heapUsed;
}
/** Processor time of all threads of this process, milliseconds: on a shared machine it says more than wall time. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

const idleBytes = process.memoryUsage().rss;
const before = performance.now();
await import('@earendil-works/pi-coding-agent');
const load = { ms: performance.now() - before, bytes: process.memoryUsage().rss - idleBytes };
const disk = new DiskWatch();
await disk.start(join(folder, 'page'));
const bareCpu = cpuMs();
const bare = told(await bareFleet(agents, thinkMs, 3_000, Math.max(10_000, ms / 6), steps));
const cpu = { bare: (cpuMs() - bareCpu) / bare.steps, ours: 0 };
const piSession = async (flush: boolean) =>
  told(
    await piSessionFleet({
      ...{ agents, thinkMs, stepsPerRun: steps, warmMs: 3_000, ms: Math.max(10_000, ms / 6) },
      ...{ folder: mkdtempSync(join(folder, 'pi-')), flush },
    }),
  );
const pi = { asItIs: await piSession(false), flushed: await piSession(true) };
const held = { before: heldBytes(), after: 0 };
const oursCpu = cpuMs();
disk.reset();
const samples: { at: number; bytes: number }[] = [];
const fleet = await ourFleet({
  agents,
  thinkMs,
  stepsPerRun: steps,
  warmMs: 5_000,
  ms,
  dataDir: folder,
  clock: new SystemClock(),
  onSecond: () => samples.push({ at: performance.now(), bytes: process.memoryUsage().rss }),
});
const ours = told(fleet.steps);
await disk.stop();
const page = { p50Ms: quantile(disk.tookMs, 0.5), p99Ms: quantile(disk.tookMs, 0.99) };
cpu.ours = (cpuMs() - oursCpu) / ours.steps;
held.after = heldBytes();
const result = {
  agents,
  minutes: ms / 60_000,
  thinkMs,
  loadAverage: loadavg()[0],
  page,
  commits: fleet.commits,
  bare,
  pi,
  ours,
  overheadMs: { p50: ours.p50Ms - bare.p50Ms, p99: ours.p99Ms - bare.p99Ms },
  target: TARGET,
  cpuMsPerStep: cpu,
  heldBytes: held,
  runs: fleet.runs,
  failed: fleet.failed,
  events: fleet.events,
  rssBytes: samples.at(-1)?.bytes,
  slopeBytesPerMinute: slope(samples),
  loadPi: load,
};
rmSync(folder, { recursive: true, force: true });

if (!flags.json) {
  const row = (name: string, one: typeof ours) =>
    `${name.padEnd(20)} p50 ${one.p50Ms.toFixed(2)} ms, p99 ${one.p99Ms.toFixed(2)} ms, ${one.steps} steps, per agent ${one.least} to ${one.most}`;
  const lines = [
    `${agents} agents, models that think ${thinkMs} ms, ${result.minutes} min, load average ${result.loadAverage?.toFixed(1)}`,
    row('bare pi-agent-core', bare),
    row("Pi's own session", pi.asItIs),
    row('Pi, each write fsync', pi.flushed),
    row('daemon, durable', ours),
    `overhead per step    p50 ${result.overheadMs.p50.toFixed(2)} ms (target ${TARGET.p50Ms}), p99 ${result.overheadMs.p99.toFixed(2)} ms (target ${TARGET.p99Ms})`,
    `processor time       bare ${cpu.bare.toFixed(2)} ms per step, daemon ${cpu.ours.toFixed(2)} ms`,
    `one page on disk     p50 ${page.p50Ms.toFixed(2)} ms, p99 ${page.p99Ms.toFixed(2)} ms meanwhile; overhead is ${(result.overheadMs.p50 / page.p50Ms).toFixed(1)} and ${(result.overheadMs.p99 / page.p99Ms).toFixed(1)} of them`,
    `commits              ${fleet.commits}, ${(fleet.events / fleet.commits).toFixed(1)} events each`,
    `runs                 ${fleet.runs}, ${fleet.failed} failed; ${fleet.events} events`,
    `memory               ${((result.rssBytes ?? 0) / 1e6).toFixed(0)} MB, ${(result.slopeBytesPerMinute / 1e6).toFixed(2)} MB per minute over the second half; held after collection ${(held.before / 1e6).toFixed(0)} MB before, ${(held.after / 1e6).toFixed(0)} MB after`,
    `loading Pi           ${load.ms.toFixed(0)} ms, ${(load.bytes / 1e6).toFixed(0)} MB`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
process.stdout.write(`${JSON.stringify(result)}\n`);
