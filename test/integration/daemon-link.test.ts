import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { type AgentEvent, CELL_NAMES, type CellName, type Submitted } from '../../contract/index.ts';
import {
  AURAISON,
  auraison,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';

/** The daemon and `auraison central`, both as their users run them. */
const MAZE = { AURAISON_SIM_WIDTH: '4', AURAISON_SIM_HEIGHT: '4', AURAISON_SIM_SEED: '11' };

/** The coordinator of the command line: killable, always at the same address. */
class CentralCommand {
  readonly url: string;
  readonly #dataDir: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(dataDir: string, port: number) {
    this.#dataDir = dataDir;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  get tokenFile(): string {
    return join(this.#dataDir, 'token');
  }

  async start(): Promise<void> {
    const args = ['central', '--data-dir', this.#dataDir, '--port', String(this.#port), '--json'];
    this.#child = spawn(AURAISON, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(this.#child.stdout!, 'data')) as [Buffer];
    expect(JSON.parse(line.toString())).toMatchObject({ url: this.url });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** All it holds of one lane, in its order. */
  async lane(robot: string, cell: CellName, epoch: string): Promise<AgentEvent[]> {
    const held: AgentEvent[] = [];
    for (;;) {
      const query = new URLSearchParams({ robot, epoch, lane: `events.${cell}`, limit: '1000' });
      query.set('after', String(held.length));
      const response = await fetch(`${this.url}/link/v1/events?${query}`, {
        headers: { authorization: `Bearer ${readFileSync(this.tokenFile, 'utf8').trim()}` },
      });
      expect(response.status).toBe(200);
      const { events } = (await response.json()) as { events: AgentEvent[] };
      if (events.length === 0) return held;
      held.push(...events);
    }
  }
}

let directory: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
let central: CentralCommand;
beforeEach(async () => {
  directory = freshDir('daemon-link');
  central = new CentralCommand(join(directory.path, 'central'), await freePort());
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await central.end('SIGKILL');
  directory.remove();
});

function logOf(dataDir: string, cell: CellName): AgentEvent[] {
  const reader = openEventReader(dataDir, cell);
  const events = reader.read(0, 1_000_000);
  reader.close();
  return events;
}

async function link(it: TestDaemon) {
  const { link: found } = await it.status();
  return found.available ? found : undefined;
}

/** The sequence numbers that central has acknowledged, once it has all there was when asked. */
async function shipped(it: TestDaemon): Promise<Record<string, number>> {
  const goal = await until(() => link(it), 'the link answers');
  return until(
    async () => {
      const { lanes } = (await link(it))!;
      const done = Object.entries(goal.lanes).every(([name, { last }]) => lanes[name]!.sent >= last);
      return done && Object.fromEntries(Object.entries(lanes).map(([name, { sent }]) => [name, sent]));
    },
    'central has everything',
    120_000,
  );
}

/** The decisions of a run from start to exit. */
async function mazeRun(it: TestDaemon, meanwhile: () => Promise<void> = async () => {}): Promise<string> {
  const { run } = await it.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  await meanwhile();
  const { run: ended, reason } = await finishedRun(it.api, run.run_id);
  expect(`${ended.status}: ${reason}`).toBe('succeeded: the exit is reached');
  return (await it.api.stream(`/v1/runs/${run.run_id}/decisions`)).text();
}

it('ships the logs of all cells once and in order to a central that is absent, late, killed and back', async () => {
  // The same robot without a central: what it decides does not depend on one.
  daemon = await testDaemon(join(directory.path, 'alone'), MAZE);
  expect(await link(daemon)).toMatchObject({ state: 'off' });
  const alone = await mazeRun(daemon);
  await daemon.stop();

  // Its first start makes the token; then it is away.
  await central.start();
  await central.end('SIGTERM');
  const dataDir = join(directory.path, 'data');
  const env = {
    ...MAZE,
    AURAISON_LINK_CENTRAL_URL: central.url,
    AURAISON_LINK_TOKEN_FILE: central.tokenFile,
  };
  const it = await testDaemon(dataDir, env);
  daemon = it;
  await until(async () => {
    const found = await link(it);
    const waiting = Object.values(found?.lanes ?? {}).filter(({ sent, last }) => sent === 0 && last > 0);
    return found?.state === 'disconnected' && /ECONNREFUSED/.test(found.reason) && waiting.length >= 3;
  }, 'the link says that central is absent, and what waits for it');
  const decided = await mazeRun(it, async () => {
    await central.start();
    await until(
      async () => ((await link(it))?.lanes['events.runtime']?.sent ?? 0) > 0,
      'central got something',
      60_000,
    );
    await central.end('SIGKILL');
  });
  expect(decided).toBe(alone);
  // Something that central does not have: a stop is an event.
  await it.api.post('/v1/robot/stop', {});
  // A person who knows that central is back does not wait for the end of the back-off.
  const refused = auraison(['link', 'sync', '--timeout', '2', '--data-dir', dataDir]);
  expect(refused.status).toBe(1);
  expect(refused.stdout).toMatch(/^disconnected: .*ECONNREFUSED.*; [1-9]\d* events not acknowledged$/m);
  await central.start();
  const synced = auraison(['link', 'sync', '--timeout', '120', '--json', '--data-dir', dataDir]);
  expect(synced.status).toBe(0);
  expect(JSON.parse(synced.stdout)).toMatchObject({ state: 'connected', behind: 0, reason: '' });
  const sent = await shipped(it);

  const text = auraison(['status', '--data-dir', dataDir]);
  expect(text.status).toBe(0);
  expect(text.stdout).toMatch(/^link +connected; events\.runtime \d+ of \d+; events\.execution \d+ of \d+/m);

  // A second life of the daemon ships what the first one wrote last.
  expect(await it.stop()).toBe(0);
  const lengths = Object.fromEntries(CELL_NAMES.map((cell) => [cell, logOf(dataDir, cell).length]));
  const again = await testDaemon(dataDir, env);
  daemon = again;
  await until(async () => (await link(again))?.state === 'connected', 'central is there at once');
  await shipped(again);
  expect(await again.stop()).toBe(0);

  for (const cell of CELL_NAMES) {
    const log = logOf(dataDir, cell);
    const held = await central.lane('robot', cell, log[0]!.event_id);
    expect(held.length, cell).toBeGreaterThanOrEqual(lengths[cell]!);
    expect(held.length, cell).toBeGreaterThanOrEqual(sent[`events.${cell}`]!);
    expect(held).toEqual(log.slice(0, held.length));
  }
  const receipts = logOf(dataDir, 'link').filter(({ kind }) => kind === 'link.receipt');
  const named = new Set(receipts.map((event) => (event.payload as { lane: string }).lane));
  expect([...named].sort()).toEqual(
    expect.arrayContaining(['events.execution', 'events.memory', 'events.runtime']),
  );
});
