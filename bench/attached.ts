import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LIMITS } from '../contract/index.ts';
import type { ReaderReport } from './support/attached-reader.ts';
import { memoryOf } from './support/process-memory.ts';

/**
 * A Foxglove client that stops reading for a minute, while a camera of 20 MB/s is sent to it and to a client that reads.
 * Measured before, during and after: memory of the execution cell, which holds what waits for clients; how late the small
 * topic and the camera come to the client that reads, and whether it lost any; and how long an order to the main thread of
 * the cell and back takes, which is the way of a stop. Afterwards: when the small topic comes to the client that stalled.
 *
 * Usage: node bench/attached.ts [--calm 20] [--stall 60] [--json]; exit code 1 where a target is missed
 */
const { values: flags } = parseArgs({
  options: {
    calm: { type: 'string', default: '20' },
    stall: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const [calmS, stallS, afterS] = [Number(flags.calm), Number(flags.stall), 10];
const IMAGE = { bytes: 700_000, hz: 30 } as const;
const SMALL_HZ = 100;
const MB = 1024 * 1024;
/** The queue of the client, what is on its way to the thread, and as much again that waits for the collector. */
const MEMORY_MAX = 2 * (16 * MB + LIMITS.ATTACH_IN_FLIGHT_BYTES_MAX);

const port = await freePort();
const child = (name: string, ...args: unknown[]) =>
  fork(join(import.meta.dirname, 'support', name), args.map(String), { execArgv: ['--expose-gc'] });
const cell = child('attached-cell.ts', port, IMAGE.bytes, IMAGE.hz, SMALL_HZ);
await once(cell, 'message');
const [reads, stalls] = [child('attached-reader.ts', port), child('attached-reader.ts', port)];
for (const one of [reads, stalls]) await untilReading(one);

const calm = await phase(calmS);
stalls.send('stall');
const stall = await phase(stallS);
await report(stalls);
stalls.send('resume');
const after = await phase(afterS);
const resumed = await report(stalls);
for (const one of [reads, stalls]) one.send('end');
cell.send({ kind: 'end' });
await once(cell, 'exit');

const grown = Math.max(...stall.memory) - Math.max(...calm.memory);
const rows = { calm, stall, after };
const result = {
  camera_mb_per_s: (IMAGE.bytes * IMAGE.hz) / 1e6,
  memory_grown_mb: round(grown / MB),
  ...Object.fromEntries(Object.entries(rows).map(([name, one]) => [name, shown(one)])),
  stalled_client: {
    small_per_s: round((resumed.topics['/joint_states']?.count ?? 0) / afterS),
    small_late_ms: quantiles(resumed.topics['/joint_states']?.lateMs.slice(-SMALL_HZ) ?? []),
    lost: resumed.lost,
  },
  load: round(loadavg()[0]!),
};
const missed = [
  ...(grown > MEMORY_MAX
    ? [`memory grew by ${round(grown / MB)} MB, at most ${MEMORY_MAX / MB} expected`]
    : []),
  ...(stall.reader.lost > calm.reader.lost ? ['the client that reads lost messages'] : []),
  ...(result.stalled_client.small_per_s < SMALL_HZ / 2
    ? ['the small topic does not flow after the stall']
    : []),
];
if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else {
  for (const [name, one] of Object.entries(rows)) {
    const { camera, small, order, memory_mb } = shown(one);
    process.stdout.write(
      `${name.padEnd(6)} memory ${memory_mb} MB   camera ${text(camera)}   small topic ${text(small)}   order ${text(order)}   lost ${one.reader.lost}\n`,
    );
  }
  process.stdout.write(`memory of the cell grew by ${result.memory_grown_mb} MB; the client that stalled: `);
  process.stdout.write(`${JSON.stringify(result.stalled_client)}; load ${result.load}\n`);
}
for (const one of missed) process.stderr.write(`target missed: ${one}\n`);
process.exit(missed.length > 0 ? 1 : 0);

type Phase = {
  readonly seconds: number;
  readonly memory: readonly number[];
  readonly orders: readonly number[];
  readonly reader: ReaderReport;
};

/** Looks at memory each second and sends 20 orders a second, one after the other. */
async function phase(seconds: number): Promise<Phase> {
  await report(reads);
  const [memory, orders]: [number[], number[]] = [[], []];
  const until = performance.now() + seconds * 1_000;
  for (let n = 0; performance.now() < until; n++) {
    if (n % 20 === 0) memory.push(memoryOf(cell.pid!).own);
    const begin = performance.now();
    cell.send({ kind: 'ping' });
    await once(cell, 'message');
    orders.push(performance.now() - begin);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { seconds, memory, orders, reader: await report(reads) };
}

function shown({ seconds, memory, orders, reader }: Phase) {
  const of = (topic: string) => ({
    per_s: round((reader.topics[topic]?.count ?? 0) / seconds),
    ...quantiles(reader.topics[topic]?.lateMs ?? []),
  });
  return {
    memory_mb: round(Math.max(...memory) / MB),
    camera: of('/camera'),
    small: of('/joint_states'),
    order: { per_s: round(orders.length / seconds), ...quantiles(orders) },
    lost: reader.lost,
  };
}

async function report(of: ChildProcess): Promise<ReaderReport> {
  of.send('report');
  const [found] = (await once(of, 'message')) as [ReaderReport];
  return found;
}

async function untilReading(of: ChildProcess): Promise<void> {
  for (;;) {
    const { topics } = await report(of);
    if (topics['/camera'] && topics['/joint_states']) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function quantiles(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN);
  return { p50_ms: at(0.5), p99_ms: at(0.99), most_ms: at(1) };
}

function text({
  per_s,
  p50_ms,
  p99_ms,
  most_ms,
}: { readonly per_s: number } & ReturnType<typeof quantiles>): string {
  return `${per_s}/s p50 ${p50_ms} p99 ${p99_ms} most ${most_ms} ms`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as { port: number };
  server.close();
  return free;
}
