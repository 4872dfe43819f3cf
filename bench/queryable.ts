import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../adapters/onnx/onnx-policy.ts';
import { NativeKeySpace } from '../adapters/zenoh/native-key-space.ts';
import { ZENOH_CELL_FLAGS } from '../daemon/compose/cell-flags.ts';
import { ExecutionPolicyDesk } from '../daemon/execution/serving/policy-desk.ts';
import { PolicyDoor } from '../daemon/execution/serving/policy-door.ts';
import { VlaQueryable } from '../daemon/execution/serving/vla-queryable.ts';
import type { AskReport } from './support/queryable-asker.ts';

/**
 * What it costs to ask `ai/inference/vla` over Zenoh from another process, beside a direct call to the same policy in
 * that process: both take turns, one question at a time. The echo is what Zenoh itself takes for such a round trip. One
 * process asks over a socket of the host (`unixsock-stream`), as a node on the robot can, one over TCP; by turns too.
 *
 * Usage: node bench/queryable.ts [--rounds 50] [--warmup ROUNDS] [--count 100] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    // Both sides run for long where it counts: V8 compiles their code anew at some of the first twenty thousand.
    warmup: { type: 'string', default: '200' },
    count: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
});
const [rounds, warmup, count] = [Number(flags.rounds), Number(flags.warmup), Number(flags.count)];
const DRIVE = join(import.meta.dirname, '../apps/turtlebot-maze/policy/drive.onnx');
/** More than a direct call takes, at most, milliseconds. */
const GOAL = { p50: 0.3, p99: 1 } as const;
const KEY = 'bench/ai/inference/vla';

const clock = new SystemClock();
const policy = await OnnxPolicy.load(DRIVE, clock);
const desk = new ExecutionPolicyDesk({
  clock,
  report: () => {},
  policies: [
    {
      ...{
        name: 'drive',
        kind: 'onnx',
        revision: '',
        sha256: undefined,
        memory: 'own',
        sessionsMax: 8,
        queueMax: 8,
      },
      make: async () => policy,
    },
  ],
});
await desk.start();
const folder = mkdtempSync(join(tmpdir(), 'queryable-'));
const endpoints = {
  unixsock: `unixsock-stream/${join(folder, 'zenoh.sock')}`,
  tcp: `tcp/127.0.0.1:${await freePort()}`,
};
const listen = Object.values(endpoints);
const keySpace = await NativeKeySpace.open({ mode: 'router', listen }, { clock });
await new VlaQueryable({ prefix: 'bench', clock, desk, door: new PolicyDoor(desk, clock) }).attach(keySpace);
await keySpace.queryable(`${KEY}-echo`, async ({ payload, encoding }) => ({ payload: payload!, encoding }));

const askers = await Promise.all(
  Object.entries(endpoints).map(async ([link, endpoint]) => {
    const script = join(import.meta.dirname, 'support/queryable-asker.ts');
    const process = fork(script, [endpoint, KEY, DRIVE], { execArgv: [...ZENOH_CELL_FLAGS] });
    await once(process, 'message');
    const [direct, asked, echo]: [number[], number[], number[]] = [[], [], []];
    return { link, process, direct, asked, echo };
  }),
);
let unequal = 0;
for (let round = -warmup; round < rounds; round++) {
  // Who comes first changes from round to round.
  const turns = round % 2 === 0 ? askers : askers.toReversed();
  for (const { process, direct, asked, echo } of turns) {
    process.send({ seed: (round + warmup + 1) * 10_000, count });
    const [report] = (await once(process, 'message')) as [AskReport];
    unequal += report.unequal;
    if (round < 0) continue;
    direct.push(...report.directMs);
    asked.push(...report.askedMs);
    echo.push(...report.echoMs);
  }
}
for (const { process } of askers) process.disconnect();
await keySpace.close();
await desk.close();
rmSync(folder, { recursive: true });

const links = askers.map(({ link, ...lists }) => {
  const [direct, asked, echo] = [quantiles(lists.direct), quantiles(lists.asked), quantiles(lists.echo)];
  return {
    link,
    ...{ direct, asked, echo, questions: lists.asked.length },
    more: { p50: asked.p50 - direct.p50, p99: asked.p99 - direct.p99 },
    asked_to_direct: { p50: asked.p50 / direct.p50, p99: asked.p99 / direct.p99 },
    more_to_echo: { p50: (asked.p50 - direct.p50) / echo.p50 },
  };
});
const isGood = (more: { p50: number; p99: number }) => more.p50 <= GOAL.p50 && more.p99 <= GOAL.p99;
const good = unequal === 0 && links.every(({ more }) => isGood(more));
if (flags.json) console.log(JSON.stringify({ links, unequal }));
else {
  const line = (name: string, { p50, p99 }: { p50: number; p99: number }) =>
    console.log(`  ${name.padEnd(38)} p50 ${p50.toFixed(3)}  p99 ${p99.toFixed(3)}`);
  console.log(
    `${rounds * count} questions over each link, asked, echoed and direct in turns, load ${loadavg()[0]!.toFixed(1)}; ms`,
  );
  for (const { link, direct, asked, echo, more, asked_to_direct, more_to_echo } of links) {
    console.log(link);
    line('direct call', direct);
    line('over ai/inference/vla', asked);
    line('echo of Zenoh alone (the limit)', echo);
    line(`more than direct (goal ${GOAL.p50} / ${GOAL.p99})`, more);
    line('ratio to direct', asked_to_direct);
    console.log(`  more than direct, in echoes: p50 ${more_to_echo.p50.toFixed(2)}`);
    console.log(`  ${isGood(more) ? 'within the goal' : 'NOT within the goal'}`);
  }
  console.log(`actions with other bits: ${unequal}`);
}
process.exit(good ? 0 : 1);

function quantiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length * 0.5)]!, p99: sorted[Math.floor(sorted.length * 0.99)]! };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
