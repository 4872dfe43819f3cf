import { type DatasetEpisode, EdgeError } from 'auraison-edge';
import type { Expert } from '../expert.ts';
import { HZ } from '../observation.ts';
import { datasetEpisode, type EpisodeKind, sourceOf } from './episode.ts';
import { supervise } from './intervene.ts';
import type { Answer, Pilot } from './pilot.ts';
import { type Rollout, rollOut } from './rollout.ts';
import { demonstration } from './teach.ts';
import { type Rate, wilson } from './wilson.ts';
import type { ArmWorld } from './world.ts';

export type FlywheelOptions = {
  /** The task in words, as the dataset has it. */
  readonly task: string;
  /** Demonstrations before the first policy. */
  readonly demos: number;
  /** Held-out starts that each policy is measured with. */
  readonly evaluations: number;
  /** Rounds of corrections after the first policy. */
  readonly rounds: number;
  /** Starts of each round that the policy is supervised at. */
  readonly supervised: number;
};

export type LoadedPolicy = { readonly hash: string; readonly answer: Answer; close(): Promise<void> };

/** Dependencies of the flywheel: everything that touches files, processes or the physics. */
export type FlywheelParts = {
  readonly world: ArmWorld;
  /** The way policies act while they are measured and while they are supervised. */
  readonly pilots: { readonly measure: Pilot; readonly supervise: Pilot };
  readonly expert: Expert;
  /** Seeds of starts: those for training and those held out have none in common. */
  readonly seeds: { training(index: number): number; heldOut(index: number): number };
  readonly dataset: {
    has(source: string): boolean;
    add(episode: DatasetEpisode): Promise<void>;
    /** Added episodes are durable. */
    commit(): Promise<void>;
  };
  /** Trains on the first `episodes` of the dataset; answers where the policy is. */
  train(round: number, episodes: number): Promise<string>;
  load(path: string): Promise<LoadedPolicy>;
  /** Results of finished stages by name; a later start finds them again. */
  readonly memory: { read(stage: string): unknown; write(stage: string, result: unknown): Promise<void> };
  readonly signal: AbortSignal;
  tell(progress: Progress): void;
};

export type Progress = {
  readonly stage: 'demonstrate' | 'train' | 'measure' | 'supervise';
  readonly round: number;
  readonly done: number;
  readonly of: number;
  /** Successes so far, where they are counted. */
  readonly successes?: number;
};

export type RoundResult = {
  readonly round: number;
  /** Episodes in the dataset of this policy. */
  readonly demonstrations: number;
  readonly interventions: number;
  readonly policy: string;
  readonly policy_sha256: string;
  readonly rate: Rate;
  /** Mean time of the successes, seconds of robot time. */
  readonly mean_s: number;
  readonly stuck: number;
  readonly timeouts: number;
  /** Held-out starts that failed, to look at. */
  readonly failed_seeds: readonly number[];
};

type Supervision = { readonly alone: number; readonly corrected: number; readonly lost: number };

/** Starts for corrections lie far beyond those for demonstrations. */
const SUPERVISED_FROM = 1_000_000;
const ROUND_STARTS = 100_000;
/** Episodes of one commit: at most this many are lost by a kill. */
const BATCH = 50;

/**
 * Teaches, trains, measures, corrects, trains and measures again. Each stage is remembered: a start that was cut goes
 * on where it was. Rejects with `run.cancelled` on abort; what is committed stays.
 */
export async function flywheel(options: FlywheelOptions, parts: FlywheelParts): Promise<RoundResult[]> {
  const results: RoundResult[] = [];
  await teach(options, parts);
  let corrected = 0;
  for (let round = 0; round <= options.rounds; round++) {
    const path = await trained(round, options.demos + corrected, parts);
    const policy = await parts.load(path);
    try {
      const counts = { demonstrations: options.demos, interventions: corrected };
      const known = remembered<RoundResult>(parts, `measure-controlled-${round}`, policy.hash);
      const same = known?.rate.trials === options.evaluations;
      const result = same ? known : await measured(round, path, policy, counts, options, parts);
      results.push(result);
      if (round === options.rounds) break;
      corrected += (await correctedBy(round, policy, options, parts)).corrected;
    } finally {
      await policy.close();
    }
  }
  return results;
}

async function teach({ demos, task }: FlywheelOptions, parts: FlywheelParts): Promise<void> {
  const { dataset, world, expert, seeds, signal, tell } = parts;
  let done = 0;
  let waiting = 0;
  // A start that the expert fails is replaced by the next one; there are always more than enough.
  const limit = 2 * demos + 20;
  for (let i = 0; i < limit && done < demos; i++) {
    await breath(signal);
    const seed = seeds.training(i);
    if (!dataset.has(sourceOf({ kind: 'demonstration', seed }))) {
      const episode = demonstration(world, expert, seed);
      if (!episode) continue;
      await dataset.add(datasetEpisode(episode, task));
      if (++waiting % BATCH === 0) await dataset.commit();
    }
    done++;
    tell({ stage: 'demonstrate', round: 0, done, of: demos });
  }
  if (waiting % BATCH !== 0) await dataset.commit();
  if (done < demos) {
    const message = `the expert did ${done} of ${limit} starts: this world is not the one that it knows`;
    throw new EdgeError('model.failed', { operation: 'demonstrate', subject: task, message });
  }
}

async function trained(round: number, episodes: number, parts: FlywheelParts): Promise<string> {
  const { memory, signal, tell } = parts;
  const known = memory.read(`train-${round}`) as { path: string } | undefined;
  if (known) return known.path;
  await breath(signal);
  tell({ stage: 'train', round, done: 0, of: 1 });
  const path = await parts.train(round, episodes);
  await memory.write(`train-${round}`, { path });
  return path;
}

async function measured(
  round: number,
  path: string,
  policy: LoadedPolicy,
  counts: Pick<RoundResult, 'demonstrations' | 'interventions'>,
  { evaluations }: FlywheelOptions,
  parts: FlywheelParts,
): Promise<RoundResult> {
  const { world, pilots, seeds, signal, memory, tell } = parts;
  const outcomes: (Rollout & { seed: number })[] = [];
  for (let i = 0; i < evaluations; i++) {
    await breath(signal);
    const seed = seeds.heldOut(i);
    outcomes.push({ ...(await rollOut(world, pilots.measure, policy.answer, seed)), seed });
    const successes = outcomes.filter(({ success }) => success).length;
    tell({ stage: 'measure', round, done: i + 1, of: evaluations, successes });
  }
  const good = outcomes.filter(({ success }) => success);
  const result: RoundResult = {
    round,
    ...counts,
    policy: path,
    policy_sha256: policy.hash,
    rate: wilson(good.length, outcomes.length),
    mean_s: good.reduce((sum, { steps }) => sum + steps / HZ, 0) / Math.max(1, good.length),
    stuck: outcomes.filter(({ end }) => end === 'stuck').length,
    timeouts: outcomes.filter(({ end }) => end === 'timeout').length,
    failed_seeds: outcomes.filter(({ success }) => !success).map(({ seed }) => seed),
  };
  await memory.write(`measure-controlled-${round}`, result);
  return result;
}

/** Lets the policy act under supervision; what the expert did where it failed becomes part of the dataset. */
async function correctedBy(
  round: number,
  policy: LoadedPolicy,
  { supervised, task }: FlywheelOptions,
  parts: FlywheelParts,
): Promise<Supervision> {
  const { world, pilots, expert, seeds, dataset, memory, signal, tell } = parts;
  const known = remembered<Supervision & { policy_sha256: string }>(parts, `supervise-${round}`, policy.hash);
  if (known) return known;
  const kind: EpisodeKind = 'intervention';
  const counts = { alone: 0, corrected: 0, lost: 0 };
  for (let i = 0; i < supervised; i++) {
    await breath(signal);
    const seed = seeds.training(SUPERVISED_FROM + round * ROUND_STARTS + i);
    const result = await supervise(world, pilots.supervise, expert, policy, seed);
    counts[result.outcome]++;
    if (result.outcome === 'corrected' && !dataset.has(sourceOf({ kind, seed, policy: policy.hash }))) {
      await dataset.add(datasetEpisode(result.episode, task));
    }
    tell({ stage: 'supervise', round, done: i + 1, of: supervised, successes: counts.alone });
  }
  if (counts.corrected > 0) await dataset.commit();
  await memory.write(`supervise-${round}`, { ...counts, policy_sha256: policy.hash });
  return counts;
}

/** A remembered result counts only for the very policy that it is about. */
function remembered<T extends { policy_sha256: string }>(
  { memory }: FlywheelParts,
  stage: string,
  hash: string,
): T | undefined {
  const known = memory.read(stage) as T | undefined;
  return known?.policy_sha256 === hash ? known : undefined;
}

/** Physics blocks the thread: signals and timers run between two episodes. */
async function breath(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (signal.aborted) throw new EdgeError('run.cancelled', { operation: 'flywheel', subject: 'flywheel' });
}
