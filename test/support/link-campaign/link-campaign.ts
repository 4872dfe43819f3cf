import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { openEventReader } from '../../../adapters/event-log/index.ts';
import { CUSTODY_FILE, CustodyBook } from '../../../central-link/custody-book.ts';
import type { AgentEvent, CellName } from '../../../contract/index.ts';
import { CentralProcess } from '../central-process.ts';
import { randomOf } from './contents.ts';
import { RoughLine } from './rough-line.ts';

export type LinkCampaignOptions = {
  readonly folder: string;
  readonly seed: number;
  readonly segments: number;
  readonly segmentBytes: number;
  readonly events: number;
  readonly bitPerSecond: number;
  /** How long faults come, seconds; then the line is left alone until everything is at central. */
  readonly faultSeconds: number;
  /** Longest and shortest time between two faults, milliseconds. */
  readonly everyMs: readonly [number, number];
  /** Share of faults that kill robot or central. */
  readonly kills: number;
  readonly drainSeconds: number;
};

export type LinkCampaign = {
  readonly events: {
    readonly written: number;
    readonly lost: number;
    readonly twice: number;
    readonly own: number;
  };
  readonly files: {
    readonly written: number;
    readonly lost: number;
    readonly twice: number;
    readonly wrong: number;
  };
  readonly line: {
    readonly up: number;
    readonly down: number;
    readonly payload: number;
    readonly ratio: number;
  };
  readonly faults: {
    readonly cuts: number;
    readonly repeats: number;
    readonly robotKills: number;
    readonly centralKills: number;
  };
  readonly seconds: number;
};

const CELLS: readonly CellName[] = ['execution', 'runtime', 'memory', 'link'];

/** One robot and one central, both killed at random, with a rough line in between; then both sides are compared. */
export async function runLinkCampaign(options: LinkCampaignOptions): Promise<LinkCampaign> {
  const { seed, folder, everyMs } = options;
  const random = randomOf(seed);
  const central = new CentralProcess(join(folder, 'central'));
  await central.start();
  const line = new RoughLine({ targetPort: () => central.port, random, bitPerSecond: options.bitPerSecond });
  const robot = new Robot(options, await line.start(), join(folder, 'central', 'token'));
  const startMs = performance.now();
  const seconds = () => (performance.now() - startMs) / 1_000;
  const faults = { cuts: 0, repeats: 0, robotKills: 0, centralKills: 0 };
  try {
    robot.start();
    while (seconds() < options.faultSeconds) {
      await sleep(everyMs[0] + random() * (everyMs[1] - everyMs[0]));
      const what = random();
      if (what < options.kills / 2) {
        await robot.kill();
        faults.robotKills += 1;
        robot.start();
      } else if (what < options.kills) {
        await central.kill();
        faults.centralKills += 1;
        await central.start();
      } else if (what < options.kills + (1 - options.kills) * 0.7) {
        line.cut();
        await sleep(random() * everyMs[0]);
        line.open();
      } else await line.repeat();
    }
    await robot.drained(options.drainSeconds);
  } finally {
    await robot.kill();
  }
  const result = await compare(options, central);
  faults.cuts = line.cuts;
  faults.repeats = line.repeats;
  await line.stop();
  await central.kill();
  const { payload, ...sets } = result;
  const ratio = (line.up + line.down) / payload;
  return { ...sets, line: { up: line.up, down: line.down, payload, ratio }, faults, seconds: seconds() };
}

/** The process of the robot; a killed one is started again on the same data. */
class Robot {
  readonly #args: readonly string[];
  readonly #dataDir: string;
  readonly #options: LinkCampaignOptions;
  #child: ChildProcess | undefined;

  constructor(options: LinkCampaignOptions, url: string, tokenFile: string) {
    this.#options = options;
    this.#dataDir = join(options.folder, 'robot');
    const { seed, segments, events, segmentBytes } = options;
    this.#args = [
      join(import.meta.dirname, 'robot-main.ts'),
      ...[this.#dataDir, url, tokenFile],
      ...[seed, segments, events, segmentBytes].map(String),
    ];
  }

  start(): void {
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...this.#args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Everything was written and is at central, as the robot has it in writing. Rejects after `most` seconds. */
  async drained(most: number): Promise<void> {
    const { segments, events } = this.#options;
    for (let i = 0; i < most * 4; i++) {
      const log = logOf(this.#dataDir, 'runtime').length;
      const book = new CustodyBook(join(this.#dataDir, CUSTODY_FILE));
      const held = Object.values(book.totals()).reduce((sum, lane) => sum + lane.held, 0);
      book.close();
      if (log >= events && held >= segments && this.#receipts() >= events) return;
      await sleep(250);
    }
    throw new Error(`not everything is at central after ${most} s`);
  }

  #receipts(): number {
    const found = logOf(this.#dataDir, 'link').findLast(
      ({ kind, payload }) => kind === 'link.receipt' && payload.lane === 'events.runtime',
    );
    return found?.kind === 'link.receipt' ? found.payload.seq : 0;
  }
}

async function compare(options: LinkCampaignOptions, central: CentralProcess) {
  const { folder, segments } = options;
  const dataDir = join(folder, 'robot');
  const get = async (path: string, token: string) => {
    const response = await fetch(central.url + path, { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return (await response.json()) as Record<string, never[]>;
  };
  const events = { written: 0, lost: 0, twice: 0, own: 0 };
  let payload = 0;
  for (const cell of CELLS) {
    const log = logOf(dataDir, cell);
    const epoch = log[0]?.event_id ?? '';
    const held: AgentEvent[] = [];
    while (epoch !== '') {
      const query = `robot=tb1&epoch=${epoch}&lane=events.${cell}&after=${held.length}&limit=1000`;
      const page = (await get(`/link/v1/events?${query}`, central.token()!))['events'] as AgentEvent[];
      if (page.length === 0) break;
      held.push(...page);
    }
    events.written += log.length;
    // The newest events of the link's own log are about the last thing it sent.
    const due = cell === 'link' ? log.filter(({ seq }) => seq <= (held.at(-1)?.seq ?? 0)) : log;
    const hashes = new Set(held.map(({ hash }) => hash));
    events.lost += due.filter(({ hash }) => !hashes.has(hash)).length;
    events.twice += held.length - hashes.size;
    if (cell === 'link') events.own = log.length;
    for (let i = 0; i < held.length; i += 64)
      payload += zstdCompressSync(JSON.stringify(held.slice(i, i + 64))).length;
  }
  const files = { written: 0, lost: 0, twice: 0, wrong: 0 };
  const operator = readFileSync(join(folder, 'central', 'operator-token'), 'utf8').trim();
  type Listed = { name: string; sha256: string; state: string };
  const listed = (await get('/objects/v1?robot=tb1&limit=1000', operator))['objects'] as Listed[];
  for (const event of logOf(dataDir, 'execution')) {
    if (event.kind !== 'segment.sealed') continue;
    files.written += 1;
    const { path, sha256 } = event.payload;
    const bytes = readFileSync(join(dataDir, path));
    payload += Math.min(bytes.length, zstdCompressSync(bytes).length);
    const found = listed.filter(({ name }) => name === path);
    if (found.length > 1) files.twice += 1;
    if (found[0]?.state !== 'held') {
      files.lost += 1;
      continue;
    }
    const stored = readFileSync(join(folder, 'central', 'objects', 'tb1', sha256.slice(0, 2), sha256));
    if (createHash('sha256').update(stored).digest('hex') !== sha256) files.wrong += 1;
  }
  files.lost += Math.max(0, segments - files.written);
  return { events, files, payload };
}

function logOf(dataDir: string, cell: CellName): AgentEvent[] {
  const reader = openEventReader(dataDir, cell);
  try {
    const events: AgentEvent[] = [];
    for (let page = reader.read(0, 1_000); page.length > 0; page = reader.read(events.length, 1_000))
      events.push(...page);
    return events;
  } finally {
    reader.close();
  }
}
