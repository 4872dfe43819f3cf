import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RunDetails, Submitted } from '../contract/index.ts';
import { allEvents, finishedRun, ROOT, type TestDaemon, testDaemon, until } from '../test/support/daemon.ts';
import { startLlama } from '../test/support/model-servers.ts';

/**
 * How often an agent made of files alone (`docs/examples/apps/maze-runner`) finds the exit, led by the small real model of
 * the tests (SmolLM2-135M on llama.cpp, plain processor), beside the shipped flow in the same mazes. The door sensor of
 * the simulator decides, not what the model says.
 *
 * Usage: node bench/mazes.ts [--mazes 20] [--first 1] [--size 3] [--minutes 600] [--only flow] [--json]
 * `--minutes`: no maze is started later.
 */
const { values: flags } = parseArgs({
  options: {
    mazes: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    size: { type: 'string', default: '3' },
    minutes: { type: 'string', default: '600' },
    only: { type: 'string', default: 'agent,flow' },
    json: { type: 'boolean', default: false },
  },
});
const size = Number(flags.size);
/** A run that takes longer counts as one that found nothing. */
const RUN_MS = 600_000;
const INTENTS = { agent: 'maze_runner/find_exit', flow: 'maze/find_exit' } as const;
const EXIT = '/maze/exit_reached';
type Who = keyof typeof INTENTS;
const folder = mkdtempSync(join(tmpdir(), 'auraison-mazes-'));
const wanted = flags.only.split(',') as Who[];
const model = wanted.includes('agent') ? await startLlama() : undefined;

type Row = {
  readonly who: Who;
  readonly seed: number;
  readonly out: boolean;
  readonly said: string;
  readonly reason: string;
  readonly seconds: number;
  readonly metres: number;
  readonly bumps: number;
  readonly turns: number;
};

async function maze(who: Who, seed: number): Promise<Row> {
  const config = join(folder, `${who}-${seed}.toml`);
  const models = model
    ? `[[models]]\nname = "smollm2"\nurl = "${model.url}"\nmodel = "smollm2"\ncontext = 4096\nsilence = "30 s"\n` +
      'probe_timeout = "5 s"\nfirst_token = "3 min"\nstall = "1 min"\ntimeout = "5 min"\n'
    : '';
  writeFileSync(
    config,
    `[apps]\ndirs = ["${join(ROOT, 'docs', 'examples', 'apps')}"]\n[sim]\nseed = ${seed}\nwidth = ${size}\nheight = ${size}\n${models}`,
  );
  const daemon = await testDaemon(join(folder, `${who}-${seed}`), { AURAISON_CONFIG: config });
  const began = performance.now();
  try {
    return await row(who, seed, daemon, began);
  } finally {
    await daemon.stop();
  }
}

async function row(who: Who, seed: number, { api, status }: TestDaemon, began: number): Promise<Row> {
  const { run } = await api.post<Submitted>('/v1/intents', { type: INTENTS[who], params: {} });
  let details: RunDetails | undefined;
  try {
    details = await finishedRun(api, run.run_id, RUN_MS);
  } catch {
    await api.post(`/v1/runs/${run.run_id}/cancel`, {}).catch(() => undefined);
  }
  const isOut = async () => {
    const { robot } = await status();
    return robot.available && robot.signals[EXIT] === true;
  };
  // The state that the API shows is a moment old.
  await until(isOut, 'the door sensor', 5_000).catch(() => undefined);
  const { robot } = await status();
  const seen = robot.available ? robot : undefined;
  return {
    ...{ who, seed, out: seen?.signals[EXIT] === true },
    ...{ said: details?.run.status ?? 'not over', reason: details?.reason ?? '' },
    seconds: (performance.now() - began) / 1_000,
    ...{ metres: seen?.distance ?? Number.NaN, bumps: seen?.bumps ?? Number.NaN },
    turns: (await allEvents(api)).filter(({ kind }) => kind === 'model.called').length,
  };
}

const rows: Row[] = [];
const load: number[] = [];
const began = performance.now();
for (let seed = Number(flags.first); seed < Number(flags.first) + Number(flags.mazes); seed++) {
  if (performance.now() - began > Number(flags.minutes) * 60_000) break;
  for (const who of wanted) {
    const found = await maze(who, seed);
    rows.push(found);
    load.push(loadavg()[0]!);
    const { out, said, seconds, metres, bumps, turns, reason } = found;
    process.stderr.write(
      `maze ${seed}, ${who}: ${out ? 'out' : 'NOT out'} (${said}), ${seconds.toFixed(0)} s, ${metres} m, ${bumps} bumps, ${turns} turns; ${reason.slice(0, 80)}\n`,
    );
  }
}
await model?.stop();
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const result = Object.fromEntries(
  wanted.map((who) => {
    const own = rows.filter((one) => one.who === who);
    const out = own.filter((one) => one.out);
    return [
      who,
      {
        ...{ mazes: own.length, out: out.length, metres: median(out.map(({ metres }) => metres)) },
        ...{
          bumps: own.reduce((sum, { bumps }) => sum + bumps, 0),
          turns: median(own.map(({ turns }) => turns)),
        },
        seconds: median(own.map(({ seconds }) => seconds)),
      },
    ];
  }),
);
if (!flags.json)
  for (const [who, { mazes, out, metres, bumps, turns, seconds }] of Object.entries(result))
    process.stdout.write(
      `${who.padEnd(6)} out of ${out} of ${mazes} mazes of ${size} by ${size} cells; median ${metres} m, ${turns} turns of a model, ${seconds?.toFixed(0)} s; ${bumps} bumps in all\n`,
    );
process.stdout.write(`${JSON.stringify({ size, loadAverage: median(load), result, rows })}\n`);
