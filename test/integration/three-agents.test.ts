import { afterAll, expect, it } from 'vitest';
import type { AgentEvent } from '../../contract/index.ts';
import { freshDir } from '../support/daemon.ts';
import { type ModelServer, startLlama } from '../support/model-servers.ts';
import { Random } from '../support/random.ts';
import { threeAgents, VICTIMS } from '../support/three-agents/campaign.ts';
import { AGENTS, deedsOf } from '../support/three-agents/packages.ts';
import { brokenIn } from '../support/three-agents/verdict.ts';

/** Another seed each time, said where it fails; `bench/three-agents.ts` has more kills. */
const seed = Date.now() % 1_000_000;
const folder = freshDir('three-agents');
let model: ModelServer | undefined;
afterAll(async () => {
  await model?.stop();
  folder.remove();
});

it('three agents of files and a real model, while everything is killed: nothing twice, every run ends', async () => {
  model = await startLlama();
  const random = new Random(seed);
  const victims = VICTIMS.map((victim) => ({ victim, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ victim }) => victim);
  const show = await threeAgents(folder.path, model, victims, random);
  const { events, runs, kills } = show;
  const facts = `seed ${seed}; ${kills.join('; ')}`;
  expect([facts, ...brokenIn(show, folder.path)]).toEqual([facts]);
  expect(kills).toHaveLength(VICTIMS.length);

  // Each did something by its own server, and its own tree holds what its model said.
  for (const agent of AGENTS)
    expect(deedsOf(folder.path, agent).length, `${agent}; ${facts}`).toBeGreaterThan(0);
  const entries = events.filter(
    (event): event is AgentEvent<'session.entry'> => event.kind === 'session.entry',
  );
  for (const [runId, agent] of runs) {
    const tree = entries.filter(({ run_id }) => run_id === runId).map(({ payload }) => payload);
    const ids = new Set(tree.map(({ entry_id }) => entry_id));
    if (agent !== 'walker') expect(tree.length, agent).toBeGreaterThan(1);
    expect(
      tree.filter(({ parent_id }) => parent_id != null && !ids.has(parent_id)),
      agent,
    ).toEqual([]);
  }
  // They were cut in the middle of their work.
  const attempts = events.filter((event): event is AgentEvent<'run.started'> => event.kind === 'run.started');
  expect(Math.max(...attempts.map(({ payload }) => payload.attempt)), facts).toBeGreaterThan(1);
}, 900_000);
