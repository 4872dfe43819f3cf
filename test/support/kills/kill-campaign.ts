import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../../bench/fuzz/random.ts';
import type { FromLife, Mission, Point, ToLife } from './kill-words.ts';
import { KillWorld } from './kill-world.ts';

/** Missions under way at a time. */
const OPEN = 3;
/** A life that has not come to its point by then never will, milliseconds; generous: machines are shared. */
const LIFE_MS = 180_000;

/** `starting`: while it reads its log; `stopping`: while it ends in good order; `time`: somewhere else. */
type Way = Point['at'] | 'starting' | 'stopping';
/** From outside: `words` after it is up (a busy machine lives slower), and then `ms`. */
type Plan = { readonly way: Way; readonly point: Point; readonly words: number; readonly ms: number };

/** What a campaign knows from outside: what was acknowledged, and what agents were told. */
export type Seen = {
  readonly accepted: Map<number, string>;
  readonly over: Set<string>;
  /** By run and call; more than one text is a lie. */
  readonly told: Map<string, Set<string>>;
  readonly faults: string[];
  readonly kills: Record<Way, number>;
  missions: number;
};

export type Campaign = { readonly world: KillWorld; readonly seen: Seen; readonly dataDir: string };

/** `cast`: flows alone, or agents beside them; Pi makes the start of a process three times as dear. */
export type Terms = {
  readonly points: number;
  readonly seed: number;
  readonly folder: string;
  readonly cast: 'flows' | 'flows and agents';
  /** No more kills after this time, milliseconds; what goes on is settled and judged. */
  readonly msMax?: number;
};

/**
 * Lives of a runtime cell one after the other, each killed (SIGKILL) at a random point of its missions, until so many
 * have been; then one that is left in peace until every run is over. The next process is loaded while one lives.
 */
export async function killTimes({
  points,
  seed,
  folder,
  cast,
  msMax = Number.POSITIVE_INFINITY,
}: Terms): Promise<Campaign> {
  const until = performance.now() + msMax;
  const random = new Random(seed);
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir, { recursive: true });
  const world = new KillWorld(new Random(seed, 1));
  const seen: Seen = {
    ...{ accepted: new Map(), over: new Set(), told: new Map(), faults: [], missions: 0 },
    kills: { time: 0, append: 0, effect: 0, starting: 0, stopping: 0 },
  };
  const open = new Map<number, Mission>();
  let spare = new Life(folder, cast);
  try {
    for (let i = 0, last = false; !last; i++) {
      const life = spare;
      await life.loaded;
      last = i >= points || performance.now() >= until;
      if (!last) spare = new Life(folder, cast);
      const plan = last ? undefined : planOf(random);
      const ask = () => (last ? undefined : nextMission(open, seen, cast));
      await live(life, { plan, world, seen, open, dataDir, ask });
    }
  } finally {
    spare.end();
  }
  return { world, seen, dataDir };
}

function nextMission(open: Map<number, Mission>, seen: Seen, cast: Terms['cast']): Mission | undefined {
  if (open.size >= OPEN) return undefined;
  const n = seen.missions++;
  const mission: Mission = { n, type: cast === 'flows' || n % 3 === 0 ? 'errand/go' : 'clerk/go' };
  open.set(n, mission);
  return mission;
}

function planOf(random: Random): Plan {
  const share = random.below(100);
  const outside = (way: Way, words: number, ms: number): Plan => ({
    ...{ way, point: { at: 'time' } },
    ...{ words: random.below(words), ms: random.below(ms) },
  });
  if (share < 35) return outside('time', 25, 15);
  if (share < 43) return outside('starting', 1, 120);
  if (share < 50) return outside('stopping', 12, 8);
  if (share < 80) {
    const when = random.pick(['before', 'during', 'after'] as const);
    return { way: 'append', point: { at: 'append', n: 1 + random.below(25), when }, words: 0, ms: 0 };
  }
  const when = random.pick(['sent', 'answered'] as const);
  return { way: 'effect', point: { at: 'effect', n: 1 + random.below(12), when }, words: 0, ms: 0 };
}

type Around = {
  readonly plan: Plan | undefined;
  readonly world: KillWorld;
  readonly seen: Seen;
  readonly open: Map<number, Mission>;
  readonly dataDir: string;
  readonly ask: () => Mission | undefined;
};

/** One life from its start to its end. Rejects when it ends otherwise than it was to. */
async function live(life: Life, { plan, world, seen, open, dataDir, ask }: Around): Promise<void> {
  for (let more = ask(); more; more = ask());
  const kill = (ms: number) => setTimeout(() => life.kill(), ms);
  const settled = () => {
    if (!plan && open.size === 0) life.send({ t: 'stop' });
  };
  let up = false;
  let words = 0;
  life.hear((message) => {
    if (message.t === 'order')
      void world.serve(message.order).then((answer) => life.send({ t: 'answer', id: message.id, answer }));
    if (message.t === 'fault') seen.faults.push(message.message);
    if (message.t === 'told') note(seen, message);
    if (message.t === 'accepted') {
      const known = seen.accepted.get(message.n);
      if (known !== undefined && known !== message.runId)
        seen.faults.push(`mission ${message.n} was acknowledged as two runs`);
      seen.accepted.set(message.n, message.runId);
    }
    if (message.t === 'over') seen.over.add(message.runId);
    if (message.t === 'accepted' || message.t === 'over') {
      for (const n of [...open.keys()]) if (seen.over.has(seen.accepted.get(n) ?? '')) open.delete(n);
      for (let mission = ask(); mission; mission = ask()) life.send({ t: 'ask', mission });
      settled();
    }
    up ||= message.t === 'up';
    if (!up || !plan || words++ !== plan.words) return;
    if (plan.way === 'stopping') life.send({ t: 'stop' });
    if (plan.way === 'stopping' || plan.way === 'time') kill(plan.ms);
  });
  life.send({ t: 'go', dataDir, point: plan?.point ?? { at: 'time' }, missions: [...open.values()] });
  if (plan?.way === 'starting') kill(plan.ms);
  settled();
  const signal = await life.ended();
  if (plan ? signal !== 'SIGKILL' && plan.way !== 'stopping' : signal !== null)
    throw new Error(
      `a life ended by ${signal ?? 'itself'} (${plan?.way ?? 'the last'}): ${seen.faults.join('; ')}`,
    );
  if (plan && signal === 'SIGKILL') seen.kills[plan.way]++;
}

function note(seen: Seen, { runId, callId, text }: Extract<FromLife, { t: 'told' }>): void {
  const name = `${runId} ${callId}`;
  const texts = seen.told.get(name) ?? new Set();
  seen.told.set(name, texts.add(text));
}

/** A process that has loaded everything and waits for its turn. */
class Life {
  readonly #process: ChildProcess;
  readonly loaded: Promise<void>;
  readonly #ended: Promise<NodeJS.Signals | null>;
  #hear: (message: FromLife) => void = () => {};

  constructor(folder: string, cast: Terms['cast']) {
    this.#process = fork(new URL('./kill-life-main.ts', import.meta.url), [cast], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.loaded = new Promise((resolve, reject) => {
      this.#process.on('message', (message: FromLife) => {
        if (message.t === 'loaded') resolve();
        else this.#hear(message);
      });
      this.#process.once('exit', (code) => reject(new Error(`a life ended with ${code} before it began`)));
    });
    this.loaded.catch(() => {});
    const exit = new Promise<NodeJS.Signals | null>((resolve) =>
      this.#process.once('exit', (_code, signal) => resolve(signal)),
    );
    // What it said before it died is heard before anything else is done.
    const silent = new Promise<void>((resolve) => this.#process.once('disconnect', resolve));
    this.#ended = silent.then(() => exit);
  }

  hear(listen: (message: FromLife) => void): void {
    this.#hear = listen;
  }

  send(message: ToLife): void {
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async ended(): Promise<NodeJS.Signals | null> {
    const late = setTimeout(() => this.#process.kill('SIGABRT'), LIFE_MS);
    return await this.#ended.finally(() => clearTimeout(late));
  }

  end(): void {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.kill();
  }
}
