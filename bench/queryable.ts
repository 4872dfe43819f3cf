import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../adapters/lerobot/onnx-policy.ts';
import { NativeKeySpace } from '../adapters/zenoh/native-key-space.ts';
import { ZENOH_CELL_FLAGS } from '../daemon/compose/cell-flags.ts';
import { ExecutionPolicyDesk } from '../daemon/execution/serving/policy-desk.ts';
import { PolicyDoor } from '../daemon/execution/serving/policy-door.ts';
import { VlaQueryable } from '../daemon/execution/serving/vla-queryable.ts';
import type { AskReport } from './support/queryable-asker.ts';

/**
 * What it costs to ask `ai/inference/vla` over Zenoh from another process, beside a direct call to the same policy in
 * that process: both take turns, one question at a time. The echo is what Zenoh itself takes for such a round trip.
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
const endpoint = `tcp/127.0.0.1:${await freePort()}`;
const keySpace = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, { clock });
await new VlaQueryable({ prefix: 'bench', clock, desk, door: new PolicyDoor(desk, clock) }).attach(keySpace);
await keySpace.queryable(`${KEY}-echo`, async ({ payload, encoding }) => ({ payload: payload!, encoding }));

const asker = fork(join(import.meta.dirname, 'support/queryable-asker.ts'), [endpoint, KEY, DRIVE], {
  execArgv: [...ZENOH_CELL_FLAGS],
});
await once(asker, 'message');
const [direct, asked, echo]: [number[], number[], number[]] = [[], [], []];
let unequal = 0;
for (let round = -warmup; round < rounds; round++) {
  asker.send({ seed: (round + warmup + 1) * 10_000, count });
  const [report] = (await once(asker, 'message')) as [AskReport];
  unequal += report.unequal;
  if (round < 0) continue;
  direct.push(...report.directMs);
  asked.push(...report.askedMs);
  echo.push(...report.echoMs);
}
asker.disconnect();
await keySpace.close();
await desk.close();

const figures = {
  direct: quantiles(direct),
  asked: quantiles(asked),
  echo: quantiles(echo),
  more: {
    p50: quantiles(asked).p50 - quantiles(direct).p50,
    p99: quantiles(asked).p99 - quantiles(direct).p99,
  },
  asked_to_direct: {
    p50: quantiles(asked).p50 / quantiles(direct).p50,
    p99: quantiles(asked).p99 / quantiles(direct).p99,
  },
  more_to_echo: { p50: (quantiles(asked).p50 - quantiles(direct).p50) / quantiles(echo).p50 },
  questions: asked.length,
  unequal,
};
const good = unequal === 0 && figures.more.p50 <= GOAL.p50 && figures.more.p99 <= GOAL.p99;
if (flags.json) console.log(JSON.stringify(figures));
else {
  const line = (name: string, { p50, p99 }: { p50: number; p99: number }) =>
    console.log(`${name.padEnd(40)} p50 ${p50.toFixed(3)}  p99 ${p99.toFixed(3)}`);
  console.log(
    `${asked.length} questions, asked, echoed and direct in turns, load ${loadavg()[0]!.toFixed(1)}; ms`,
  );
  line('direct call', figures.direct);
  line('over ai/inference/vla', figures.asked);
  line('echo of Zenoh alone (the limit)', figures.echo);
  line(`more than direct (goal ${GOAL.p50} / ${GOAL.p99})`, figures.more);
  line('ratio to direct', figures.asked_to_direct);
  console.log(`more than direct, in echoes: p50 ${figures.more_to_echo.p50.toFixed(2)}`);
  console.log(`actions with other bits: ${unequal}`);
  console.log(good ? 'within the goal' : 'NOT within the goal');
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
