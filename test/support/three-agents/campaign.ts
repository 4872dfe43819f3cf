import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentEvent, RunDetails, Submitted } from '../../../contract/index.ts';
import { allEvents, ROOT, type TestDaemon, testDaemon, until } from '../daemon.ts';
import type { ModelServer } from '../model-servers.ts';
import { descendants } from '../processes.ts';
import type { Random } from '../random.ts';
import { notingCommands } from '../sim-commands.ts';
import { AGENTS, type Agent, deedsOf, TURN_RAD, writePackages } from './packages.ts';

export const VICTIMS = ['daemon', 'runtime', 'execution', 'mind', 'server'] as const;
export type Victim = (typeof VICTIMS)[number];
const DELAY_MS = 500;
/** Generous: the model has one thread of a machine that others share. */
const RUN_MS = 600_000;

export type Show = {
  readonly events: readonly AgentEvent[];
  readonly runs: ReadonlyMap<string, Agent>;
  readonly kills: readonly string[];
};

/**
 * Three agents made of files alone, side by side, led by a real model; each victim in turn is killed (SIGKILL) a random
 * time after an agent has done something. An agent whose run is over gets another until the kills are over.
 */
export async function threeAgents(
  folder: string,
  model: ModelServer,
  victims: readonly Victim[],
  random: Random,
  // A kill waits for another deed, and no longer than this: the one before may be what hinders it.
  deedMs = 8_000,
): Promise<Show> {
  writePackages(folder);
  writeFileSync(join(folder, 'robot.toml'), configOf(folder, model));
  const start = () =>
    testDaemon(join(folder, 'data'), {
      ...notingCommands(join(folder, 'commands')),
      AURAISON_CONFIG: join(folder, 'robot.toml'),
    });
  let daemon = await start();
  const runs = new Map<string, Agent>();
  const kills: string[] = [];
  const count = () => AGENTS.reduce((sum, agent) => sum + deedsOf(folder, agent).length, 0);
  try {
    for (const victim of victims) {
      await sendTo(daemon, runs);
      const before = count();
      await until(() => count() > before, 'a deed', deedMs).catch(() => {});
      const ms = random.below(DELAY_MS);
      await new Promise((resolve) => setTimeout(resolve, ms));
      const at = count();
      if (victim === 'daemon') {
        process.kill(daemon.child.pid, 'SIGKILL');
        await daemon.child.ended;
        daemon = await start();
      } else process.kill(await pidOf(daemon, victim, random), 'SIGKILL');
      kills.push(`${victim} ${ms} ms after deed ${at}`);
    }
    const end = async () => {
      for (const runId of runs.keys())
        await until(async () => isOver(await detailsOf(daemon, runId)), `run ${runId} ends`, RUN_MS);
    };
    await end();
    // One that was killed each time before it did anything has a run in peace.
    const idle = AGENTS.filter((agent) => deedsOf(folder, agent).length === 0);
    if (idle.length > 0) {
      await sendTo(daemon, runs, idle);
      await end();
    }
    return { events: await until(() => allEvents(daemon.api), 'the events'), runs, kills };
  } finally {
    await daemon.stop();
  }
}

const configOf = (folder: string, { url }: ModelServer) => `
[apps]
dirs = ["${join(folder, 'apps')}"]
[[models]]
name = "smollm2"
url = "${url}"
model = "smollm2"
context = 4096
silence = "30 s"
probe_timeout = "5 s"
first_token = "3 min"
stall = "1 min"
timeout = "5 min"
[runtimes]
heartbeat = "1 s"
[[runtimes.accept]]
name = "mind"
command = ["python3", "${join(ROOT, 'test', 'peers', 'model_mind.py')}", "${url}", "smollm2", "${TURN_RAD}"]
sandbox = "none"
`;

/** Each agent without a run gets one. Sent again under the same key where the answer was lost. */
async function sendTo(
  daemon: TestDaemon,
  runs: Map<string, Agent>,
  agents: readonly Agent[] = AGENTS,
): Promise<void> {
  const busy = new Set<Agent>();
  for (const [runId, agent] of runs) if (!isOver(await detailsOf(daemon, runId))) busy.add(agent);
  for (const agent of agents.filter((one) => !busy.has(one))) {
    const asked = { type: `${agent}/go`, params: {}, idempotency_key: `${agent}-${runs.size}` };
    const { run } = await until(() => daemon.api.post<Submitted>('/v1/intents', asked), `${agent} is asked`);
    runs.set(run.run_id, agent);
  }
}

const detailsOf = (daemon: TestDaemon, runId: string) =>
  until(() => daemon.api.get<RunDetails>(`/v1/runs/${runId}`), `run ${runId} is known`);

const isOver = ({ run }: RunDetails) => ['succeeded', 'failed', 'cancelled'].includes(run.status);

async function pidOf(daemon: TestDaemon, victim: Exclude<Victim, 'daemon'>, random: Random): Promise<number> {
  if (victim === 'runtime' || victim === 'execution') return daemon.pidOf(victim);
  const name = victim === 'mind' ? /model_mind\.py/ : /server\.mjs/;
  const found = await until(() => {
    const pids = descendants(daemon.child.pid).filter(({ command }) => name.test(command));
    return pids.length > 0 && pids;
  }, `a process of the ${victim}`);
  return random.one(found).pid;
}
