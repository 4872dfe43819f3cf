import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startLlama } from '../test/support/model-servers.ts';
import { Random } from '../test/support/random.ts';
import { threeAgents, VICTIMS } from '../test/support/three-agents/campaign.ts';
import { AGENTS, deedsOf } from '../test/support/three-agents/packages.ts';
import { brokenIn } from '../test/support/three-agents/verdict.ts';

/**
 * Three agents made of files alone, led by a real small model on the processor, while the daemon, its cells, the foreign
 * runtime and the MCP servers are killed (SIGKILL) at random. Counted outside of the daemon: in what the servers and the
 * simulator wrote down. Ends with 1 when anything happened twice, is not in the log, or did not end.
 *
 * Usage: node bench/three-agents.ts [--kills 30] [--seed N] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
  },
});
/** Generous, so that runs come to something between the kills. */
const DEED_MS = 60_000;
const seed = Number(flags.seed);
const random = new Random(seed);
const victims = Array.from({ length: Number(flags.kills) }, () => random.one(VICTIMS));
const folder = mkdtempSync(join(tmpdir(), 'auraison-three-agents-'));
process.stderr.write(`seed ${seed}\n`);
const began = performance.now();
const model = await startLlama();
try {
  const show = await threeAgents(folder, model, victims, random, DEED_MS);
  const broken = brokenIn(show, folder);
  const count = (kind: string) => show.events.filter((event) => event.kind === kind).length;
  const ends = show.events.flatMap((event) => (event.kind === 'run.finished' ? [event.payload.status] : []));
  const interrupted = show.events.filter(
    (event) => event.kind === 'tool.returned' && event.payload.error?.code === 'run.interrupted',
  ).length;
  const result = {
    ...{ seed, loadAverage: loadavg()[0], seconds: (performance.now() - began) / 1_000 },
    kills: Object.fromEntries(
      VICTIMS.map((victim) => [victim, victims.filter((one) => one === victim).length]),
    ),
    ...{ runs: show.runs.size, attempts: count('run.started'), interrupted },
    ends: Object.fromEntries([...Map.groupBy(ends, (end) => end)].map(([end, all]) => [end, all.length])),
    deeds: Object.fromEntries(AGENTS.map((agent) => [agent, deedsOf(folder, agent).length])),
    turns: show.events.filter(
      (event) => event.kind === 'tool.called' && event.payload.tool === 'robot.maneuver',
    ).length,
    broken,
  };
  if (!flags.json)
    process.stdout.write(
      `${victims.length} kills in ${result.seconds.toFixed(0)} s: ${JSON.stringify(result.kills)}\n` +
        `  runs       ${result.runs}, ${result.attempts} attempts, ended ${JSON.stringify(result.ends)}; ${interrupted} calls interrupted\n` +
        `  deeds      ${JSON.stringify(result.deeds)}, ${result.turns} turns of the robot\n` +
        `broken       ${[broken.length, ...broken.slice(0, 20)].join('\n')}\n`,
    );
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
  if (broken.length === 0) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  else process.stderr.write(`kept for a look: ${folder}\n`);
} finally {
  await model.stop();
}
