import { execFileSync, fork, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * How late control steps are while everything else runs on the same processors: a recorder at 30 MB/s in the same
 * process, processes that compute without pause as a model on the CPU does, and agents with scripted models. Beside it
 * a Python thread that controls as LeRobot's client does, all the time, under the same load. The scheduling class of
 * both threads changes block by block, so that both classes meet the same machine.
 *
 * Usage: node bench/jitter.ts [--minutes 10] [--hz 100] [--megabytes 30] [--load 2] [--agents 5] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    hz: { type: 'string', default: '100' },
    megabytes: { type: 'string', default: '30' },
    load: { type: 'string', default: '2' },
    agents: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    // Of Node, for the process that is measured: those that a cell with controllers is started with.
    flags: { type: 'string', default: '--max-semi-space-size=2 --single-threaded' },
  },
});
const BLOCK_MS = 15_000;
/** After a change of class this much is not counted, milliseconds. */
const SETTLE_MS = 1_000;
const hz = Number(flags.hz);
const periodMs = 1000 / hz;
const folder = mkdtempSync(join(tmpdir(), 'auraison-jitter-'));
const now = () => Number(process.hrtime.bigint()) / 1e6;

type Class = 'fifo' | 'other';
type Told = { dueMs: number; lateMs: number; netMs: number; sentMs: number };
type Counted = { raw: number[]; net: number[]; sent: number[]; gaps: number[] };
const counted = (): Counted => ({ raw: [], net: [], sent: [], gaps: [] });
const ours: Record<Class, Counted> = { fifo: counted(), other: counted() };
const python: Record<Class, Counted> = { fifo: counted(), other: counted() };
const blocks: { readonly from: number; readonly class: Class }[] = [];

const children = [
  ...Array.from({ length: Number(flags.load) }, () =>
    spawn(process.execPath, ['-e', COMPUTE()], { stdio: 'ignore' }),
  ),
  spawn(
    process.execPath,
    [join(import.meta.dirname, 'agents.ts'), '--minutes', flags.minutes, '--agents', flags.agents],
    { stdio: 'ignore' },
  ),
];
const cell = fork(join(import.meta.dirname, 'support/jitter-cell.ts'), [folder, flags.hz, flags.megabytes], {
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  execArgv: flags.flags === '' ? [] : flags.flags.split(' '),
});
const loop = spawn('python3', [join(import.meta.dirname, 'support/python_loop.py'), flags.hz], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const tids: { ours?: number; python?: number } = {};
let written = 0;
let lastDue: number | undefined;
let lastBegin: number | undefined;

cell.on('message', (message: { tid?: number; steps?: Told[]; written?: number }) => {
  if (message.tid !== undefined) tids.ours = message.tid;
  written = message.written ?? written;
  for (const { dueMs, lateMs, netMs, sentMs } of message.steps ?? []) {
    const into = blockAt(dueMs);
    const missed = lastDue === undefined ? 0 : Math.round((dueMs - lastDue) / periodMs) - 1;
    lastDue = dueMs;
    if (!into) continue;
    ours[into].raw.push(lateMs);
    ours[into].net.push(netMs);
    if (Number.isFinite(sentMs)) ours[into].sent.push(sentMs - dueMs);
    ours[into].gaps.push(missed);
  }
});
let text = '';
loop.stdout.on('data', (data: Buffer) => {
  text += data.toString();
  const lines = text.split('\n');
  text = lines.pop()!;
  for (const line of lines) {
    if (tids.python === undefined) {
      tids.python = Number(line);
      continue;
    }
    for (const begin of line.split(' ').map(Number)) {
      const since = lastBegin === undefined ? periodMs : begin - lastBegin;
      lastBegin = begin;
      const into = blockAt(begin);
      // It has no deadlines to be late for: it counts from its step before.
      if (into) python[into].raw.push(Math.max(0, since - periodMs));
    }
  }
});

try {
  await until(() => tids.ours !== undefined && tids.python !== undefined);
  await sleep(3_000);
  const end = now() + Number(flags.minutes) * 60_000 * 2;
  for (let i = 0; now() < end; i++) {
    const wanted: Class = i % 2 === 0 ? 'fifo' : 'other';
    for (const tid of [tids.ours!, tids.python!]) schedule(tid, wanted);
    blocks.push({ from: now(), class: wanted });
    await sleep(BLOCK_MS);
  }
  // What was measured last is still on its way.
  await sleep(6_000);
  report();
} finally {
  for (const child of [...children, cell, loop]) child.kill('SIGKILL');
  await sleep(500);
  rmSync(folder, { recursive: true, force: true });
}

function report(): void {
  const result = {
    minutes_each: Number(flags.minutes),
    hz,
    processors: availableParallelism(),
    load_average: loadavg()[0],
    recorded_messages: written,
    ...Object.fromEntries(
      (['fifo', 'other'] as const).map((one) => [one, { ours: told(ours[one]), python: told(python[one]) }]),
    ),
  };
  if (flags.json) {
    console.log(JSON.stringify(result, null, 2));
    return;
  }
  console.log(
    `${hz} Hz, ${flags.minutes} min of each class, ${result.processors} processors, load ${result.load_average?.toFixed(1)}`,
  );
  console.log(
    `beside: recorder ${flags.megabytes} MB/s, ${flags.load} computing processes, ${flags.agents} agents`,
  );
  for (const one of ['fifo', 'other'] as const) {
    const [us, them] = [told(ours[one]), told(python[one])];
    console.log(`\nSCHED_${one.toUpperCase()}`);
    line('this project, late at an absolute deadline', us.raw, us.steps);
    line('this project, net of waiting for a processor', us.net, us.steps);
    line('this project, command handed to the middleware', us.sent, us.steps);
    line('Python loop, beyond its period', them.raw, them.steps);
    console.log(
      `  steps missed: ${us.missed}; steps of the Python loop: ${them.steps} of ${us.steps + us.missed} due`,
    );
    console.log(
      `  ratio Python / this project: p50 ${ratio(them.raw.p50, us.raw.p50)}, p99 ${ratio(them.raw.p99, us.raw.p99)}, most ${ratio(them.raw.most, us.raw.most)}`,
    );
  }
}

function told({ raw, net, sent, gaps }: Counted) {
  return {
    steps: raw.length,
    raw: summary(raw),
    net: summary(net),
    sent: summary(sent),
    missed: gaps.reduce((sum, gap) => sum + Math.max(0, gap), 0),
    later_than_a_period: raw.filter((ms) => ms > periodMs).length,
  };
}

function summary(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), most: at(1) };
}

function line(what: string, { p50, p99, p999, most }: ReturnType<typeof summary>, steps: number): void {
  const ms = (value: number) => value.toFixed(3).padStart(8);
  console.log(
    `  ${what.padEnd(40)} p50 ${ms(p50)}  p99 ${ms(p99)}  p99.9 ${ms(p999)}  most ${ms(most)} ms  (${steps})`,
  );
}

function ratio(theirs: number, mine: number): string {
  return (theirs / mine).toFixed(1);
}

/** Class of the block that a moment is in; undefined: none, or it just changed. */
function blockAt(ms: number): Class | undefined {
  for (let i = blocks.length - 1; i >= 0; i--) {
    const { from, class: one } = blocks[i]!;
    if (ms >= from) return ms >= from + SETTLE_MS ? one : undefined;
  }
  return undefined;
}

/** Throws where the host does not let it: then there is nothing to compare. */
function schedule(tid: number, wanted: Class): void {
  const how = wanted === 'fifo' ? ['--fifo', '--pid', '10'] : ['--other', '--pid', '0'];
  execFileSync('chrt', [...how, String(tid)]);
  const got = readFileSync(`/proc/${tid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[38];
  if (got !== (wanted === 'fifo' ? '1' : '0')) throw new Error(`thread ${tid} is not SCHED_${wanted}`);
}

/** As a model that decodes on the CPU: products of matrices, without pause. */
function COMPUTE(): string {
  return `const n = 256, a = new Float32Array(n * n).fill(0.5), b = new Float32Array(n * n).fill(0.25), c = new Float32Array(n * n);
    for (;;) for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) { const x = a[i * n + k]; for (let j = 0; j < n; j++) c[i * n + j] += x * b[k * n + j]; }`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !what(); i++) await sleep(100);
  if (!what()) throw new Error('a part of the bench did not start');
}
