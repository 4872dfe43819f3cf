import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { type BenchDriver, LIMIT, OTHERS, OURS, PEER } from './support/zenoh-drivers.ts';
import { runPair } from './support/zenoh-pair.ts';
import type { PeerOptions } from './support/zenoh-peer-roles.ts';

/**
 * Zenoh against eclipse-zenoh for Python and a bare socket, two processes each over loopback; medians of one run.
 * See README.md.
 *
 * Usage: node bench/zenoh.ts [--repeat 3] [--only query,small,shared,tcp] [--warmup QUERIES] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    repeat: { type: 'string', default: '3' },
    // A daemon is measured as it runs: V8 compiles its code again at some of the first twenty thousand queries.
    warmup: { type: 'string', default: '30000' },
    only: { type: 'string', default: 'query,small,shared,tcp' },
    json: { type: 'boolean', default: false },
  },
});
const repeat = Number(flags.repeat);

type Figures = Readonly<Record<string, number>>;
type Line = {
  readonly name: string;
  readonly title: string;
  readonly options: PeerOptions;
  readonly tcp: boolean;
  readonly roles: readonly ['serve', 'ask'] | readonly ['sink', 'source'];
  /** The ratio of this project's driver to the peer that is allowed: at most for times, at least for rates. */
  readonly target: Readonly<Record<string, number>>;
};

const base = { count: 0, warmup: 0, bytes: 0, shared: true, allocate: false };
const FRAME = 640 * 480 * 3;
const LINES: readonly Line[] = [
  {
    name: 'query',
    title: 'query round trip, 1 KB, ms',
    options: { ...base, bytes: 1_024, count: 10_000, warmup: Number(flags.warmup) },
    tcp: true,
    roles: ['serve', 'ask'],
    target: { p50: 1.2, p99: 1.2 },
  },
  {
    name: 'small',
    title: '1 KB messages/s',
    options: { ...base, bytes: 1_024, count: 300_000, warmup: 50_000 },
    tcp: true,
    roles: ['sink', 'source'],
    target: { rate: 1 },
  },
  {
    name: 'shared',
    title: '921,600-byte frames/s, shared memory',
    options: { ...base, bytes: FRAME, count: 4_000, warmup: 500, allocate: true },
    tcp: false,
    roles: ['sink', 'source'],
    target: { rate: 1 },
  },
  {
    name: 'tcp',
    title: '921,600-byte frames/s, TCP',
    options: { ...base, bytes: FRAME, count: 2_000, warmup: 300, shared: false },
    tcp: true,
    roles: ['sink', 'source'],
    target: { rate: 1 },
  },
];

async function once(driver: BenchDriver, line: Line): Promise<Figures> {
  // What is allocated is heap memory here: this project's driver still makes no copy to send it.
  const options = { ...line.options, allocate: line.options.allocate || line.name === 'tcp' };
  const result = await runPair(driver, line.roles, driver === PEER ? line.options : options);
  if (line.roles[0] === 'sink') {
    const [count, ms] = [result['count'] as number, result['ms'] as number];
    return { rate: (count / ms) * 1e3, dropped: result['dropped'] as number };
  }
  const ms = (result['ms'] as number[]).sort((a, b) => a - b);
  return { p50: ms[Math.floor(ms.length * 0.5)]!, p99: ms[Math.floor(ms.length * 0.99)]! };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How fast this machine copies one frame: what sharing memory at one copy per frame is limited by. */
function copyRate(): number {
  const [from, to] = [Buffer.alloc(FRAME, 1), Buffer.alloc(FRAME)];
  const begin = performance.now();
  for (let i = 0; i < 2_000; i++) from.copy(to);
  return 2_000 / ((performance.now() - begin) / 1e3);
}

async function measure(line: Line) {
  const drivers = [PEER, OURS, ...OTHERS, ...(line.tcp ? [LIMIT] : [])].filter((d) => line.tcp || !d.tcpOnly);
  const runs = new Map(drivers.map((driver) => [driver.name, [] as Figures[]] as const));
  // By turns, so that a neighbour who works for a while disturbs all alike; each time another one starts, so that
  // none is always the one behind the same other.
  for (let i = 0; i < repeat; i++) {
    const first = i % drivers.length;
    for (const driver of [...drivers.slice(first), ...drivers.slice(0, first)]) {
      const all = runs.get(driver.name);
      if (!all) continue;
      try {
        all.push(await once(driver, line));
      } catch (error) {
        if (!OTHERS.includes(driver)) throw error;
        // A further driver that hangs is left out, and said to be: the comparison continues.
        process.stderr.write(`${driver.name}, ${line.name}: ${(error as Error).message}\n`);
        runs.delete(driver.name);
      }
    }
  }
  const medians = new Map(
    [...runs].map(([name, all]) => {
      const keys = Object.keys(all[0]!);
      return [name, Object.fromEntries(keys.map((key) => [key, median(all.map((f) => f[key]!))]))] as const;
    }),
  );
  if (!line.tcp) medians.set('one copy', { rate: copyRate() });
  const [peer, ours] = [medians.get(PEER.name)!, medians.get(OURS.name)!];
  const ratios = Object.fromEntries(Object.keys(line.target).map((key) => [key, ours[key]! / peer[key]!]));
  return {
    name: line.name,
    title: line.title,
    target: line.target,
    medians: Object.fromEntries(medians),
    ratios,
  };
}

function print(results: readonly Awaited<ReturnType<typeof measure>>[]): void {
  const number = (value: number) =>
    value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  const lines = [
    `Zenoh, two processes over loopback; medians of ${repeat} runs by turns, load average ${loadavg()[0]!.toFixed(1)}`,
  ];
  for (const { title, target, medians, ratios } of results) {
    lines.push('', `  ${title}`);
    for (const [name, figures] of Object.entries(medians)) {
      const shown = Object.entries(figures)
        .filter(([key, value]) => key !== 'dropped' || value > 0)
        .map(([key, value]) => `${key} ${number(value).padStart(9)}`)
        .join('   ');
      const ours = medians[OURS.name]!;
      const [first] = Object.keys(target);
      const times =
        name === OURS.name ? '' : `   this project is ${(ours[first!]! / figures[first!]!).toFixed(2)}×`;
      lines.push(`    ${name.padEnd(16)} ${shown}${times}`);
    }
    for (const [key, limit] of Object.entries(target)) {
      const kept = key === 'rate' ? ratios[key]! >= limit : ratios[key]! <= limit;
      const word = key === 'rate' ? 'at least' : 'at most';
      lines.push(
        `    ${key}: ${ratios[key]!.toFixed(2)}× of the peer, target ${word} ${limit}×: ${kept ? 'kept' : 'MISSED'}`,
      );
    }
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

const results = [];
for (const line of LINES.filter(({ name }) => flags.only.split(',').includes(name))) {
  results.push(await measure(line));
}
if (flags.json) process.stdout.write(`${JSON.stringify({ repeat, load_average: loadavg()[0], results })}\n`);
else print(results);
