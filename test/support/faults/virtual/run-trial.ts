import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManualClock } from '../../../fakes/manual-clock.ts';
import { judge, type Verdict } from '../judge.ts';
import { ATTACHED, FAR_RUNS, type Motion } from '../motions.ts';
import type { Entry } from '../record.ts';
import { RUN_FAULTS } from '../run-faults.ts';
import type { Trial } from '../trial.ts';
import { type Asker, Hand, Play, Program } from './askers.ts';
import { AttachedClient, type AttachedKind } from './attached.ts';
import { type RunsOptions, VirtualDaemon } from './daemon.ts';
import { type FarKind, FarRuntime } from './far-runtime.ts';
import { inflict } from './inflict.ts';
import { Law } from './law.ts';
import { Network } from './network.ts';
import { Publisher, PublisherBeside } from './publisher.ts';
import { VIRTUAL_ROBOTS, type VirtualRobot } from './robots.ts';
import { intentsOf, Scheduled } from './ways.ts';

/** A cell is up and knows its robot by then, milliseconds. */
const UP_MS = 400;
/** A motion that was asked for moves the robot by then, milliseconds. */
const MOVES_MS = 6_000;
const LOOK_MS = 10;
/** Faults under which nothing moves from the start. */
const STANDS: ReadonlySet<string> = new Set(['law.forbids']);
/** So far above rest counts as moving. */
const MOVING = 4;

export type TrialResult = {
  readonly trial: Trial;
  readonly verdict: Verdict;
  /** It moved when the fault came, or had to stand anyway. */
  readonly moved: boolean;
  readonly record: readonly Entry[];
};

export type Stage = {
  readonly trial: Trial;
  readonly daemon: VirtualDaemon;
  readonly asker: Asker | undefined;
  /** The asker, where it is a person. */
  readonly hand: Hand | undefined;
  /** The policies of Cedar, where the fault is theirs. */
  readonly law: Law | undefined;
  /** Other machines, where runs are tried. */
  readonly network: Network | undefined;
  readonly simulation: Awaited<ReturnType<VirtualRobot['open']>>['simulation'];
};

/** One trial in virtual time, from a robot that stands to the verdict on its own record. */
export async function runVirtualTrial(trial: Trial): Promise<TrialResult> {
  if (trial.robot !== 'base' && trial.robot !== 'arm')
    throw new Error('the base over ROS has no virtual time');
  const robot = VIRTUAL_ROBOTS[trial.robot];
  const dataDir = mkdtempSync(join(tmpdir(), 'faults-'));
  const opened = await robot.open(trial.seed + trial.number);
  const isOfRuns = RUN_FAULTS.some(({ id }) => id === trial.fault.id);
  let scheduled: Scheduled | undefined;
  let network: Network | undefined;
  const law = trial.fault.id.startsWith('law.')
    ? await Law.open(trial.fault.id === 'law.forbids')
    : undefined;
  const daemon = new VirtualDaemon(robot, opened, dataDir, isOfRuns ? runsOf : undefined);
  function runsOf(host: ManualClock): RunsOptions {
    network = new Network(host);
    const hooks = law ? [law.hook] : [];
    return {
      robot: trial.robot as 'base' | 'arm',
      hooks,
      scheduled: () => scheduled?.isOn === true,
      network,
    };
  }
  try {
    await daemon.run(UP_MS);
    const asker = await askerOf(trial, daemon, network);
    if (asker instanceof Scheduled) scheduled = asker;
    const hand = asker instanceof Hand ? asker : undefined;
    const stage: Stage = { trial, daemon, asker, hand, law, network, simulation: opened.simulation };
    const begins = asker !== undefined && !STANDS.has(trial.fault.id);
    if (begins) asker.start();
    const moved = !begins || (await untilMoving(stage));
    await daemon.run(trial.afterMs);
    if (begins && moved) await untilMoving(stage);
    const claim = await inflict(stage);
    const verdict = judge(robot.facts, daemon.world.record, claim);
    return { trial, verdict, moved, record: daemon.world.record };
  } finally {
    daemon.close();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function askerOf(
  { motion, robot, random, fault }: Trial,
  daemon: VirtualDaemon,
  network: Network | undefined,
): Promise<Asker | undefined> {
  if (motion === 'idle') return undefined;
  if (motion === 'schedule') return new Scheduled(daemon);
  if ((FAR_RUNS as readonly Motion[]).includes(motion)) return FarRuntime.open(daemon, motion as FarKind);
  if ((ATTACHED as readonly Motion[]).includes(motion))
    return fault.id === 'attached.tries' ? undefined : new AttachedClient(daemon, motion as AttachedKind);
  if (motion === 'publish') {
    const program = new Program(daemon, robot === 'arm' ? 'trajectory' : 'navigate', random);
    const publisher = new Publisher(daemon, random);
    return fault.id === 'publish.tries' ? undefined : new PublisherBeside(publisher, program);
  }
  const intents = network && intentsOf(motion, daemon, random, network);
  if (intents) return intents;
  if (motion === 'play') return new Play(daemon);
  if (motion === 'teleop') {
    const wants =
      robot === 'arm'
        ? () => ({ joints: { joint_1: 0.8 * Math.sin(daemon.nowMs / 600), joint_4: 0.5 } })
        : () => ({ twist: { linear: 0.1, angular: 0.8 } });
    const role = fault.id === 'lease.taken' ? 'autonomy' : 'teleoperation';
    return new Hand(daemon, wants, { role, ttlMs: 600 + Math.round(2_000 * random.float()) });
  }
  return new Program(daemon, motion, random, random.float() < 0.5);
}

async function untilMoving({ daemon, trial }: Stage): Promise<boolean> {
  const { restSpeed } = VIRTUAL_ROBOTS[trial.robot as 'base' | 'arm'].facts;
  for (let waited = 0; waited < MOVES_MS; waited += LOOK_MS) {
    const state = daemon.world.record.findLast((one) => one.kind === 'state');
    if (state?.speeds.some((speed, i) => Math.abs(speed) > MOVING * restSpeed[i]!)) return true;
    await daemon.run(LOOK_MS);
  }
  return false;
}
