import { boundOf } from '../bounds.ts';
import type { Claim } from '../judge.ts';
import type { CommandEntry } from '../record.ts';
import { Hand, Program } from './askers.ts';
import type { Stage } from './run-trial.ts';
import { isRunAsker } from './ways.ts';

/** A program asks no more so long before a person's lease ends: what it asks for after that would be its right. */
const LULL_MS = 300;
const TAIL_MS = 1_500;
/** A lease that is there when the runtime cell is there again, milliseconds. */
const OUTLIVES_MS = 6_000;
/** Joints that a person does not name stay within this of where they were, radians. */
const STAYS = 0.03;
/** Of the joint that the person moves. */
const MOVED = 5;

/**
 * A person takes the robot while a program moves it, and the program goes on asking: for its motion, for the end of
 * its run, for controllers. The person only turns to the left, or moves one joint: whatever else moves is a program's.
 */
export async function takeOver(stage: Stage, killsRuntime = false): Promise<Claim> {
  const { daemon, trial, asker } = stage;
  const { random, robot } = trial;
  const wants =
    robot === 'arm'
      ? () => ({ joints: { joint_6: 0.5 * Math.sin(daemon.nowMs / 500) } })
      : () => ({ twist: { linear: 0, angular: 0.5 } });
  const person = new Hand(daemon, wants, {
    ttlMs: killsRuntime ? OUTLIVES_MS : 500 + Math.round(1_500 * random.float()),
  });
  person.steers = random.float() < 0.8;
  const faultAtMs = daemon.nowMs;
  const others = [
    new Program(daemon, robot === 'arm' ? 'trajectory' : 'drive', random, true),
    new Program(daemon, 'controller', random),
  ];
  for (const other of others) other.start();
  const taking = person.take();
  // It is had when the answer is there.
  for (let waited = 0; person.grantedMs === undefined && waited < 10_000; waited += 5) await daemon.run(5);
  if (person.grantedMs === undefined) throw new Error('the person never got the lease');
  const fromMs = await taking;
  await daemon.run(300 + 1_500 * random.float());
  if (killsRuntime) {
    // Its lease outlives the process that it asked: the runs that come back find somebody else at the robot.
    daemon.killApi();
    await daemon.run(OUTLIVES_MS / 2);
  }
  const returns = random.float() < 0.5;
  for (const one of [asker, ...others]) one?.end();
  // What they have open by then would be their right as well.
  if (isRunAsker(asker)) daemon.api.ask((runtime) => runtime.cancelAll('it is over')).catch(() => {});
  await daemon.run(LULL_MS);
  const endedMs = daemon.nowMs;
  if (returns) person.giveBack();
  person.linkLost = true;
  person.end();
  // The hand's last command counts for a moment, and then the robot stands, also beyond the end of the lease.
  const { commandsMs, restMs } = boundOf('expired', robot);
  const endMs = endedMs + Math.max(restMs!, person.ttlMs) + TAIL_MS;
  await daemon.run(endMs - daemon.nowMs);
  return {
    ...{ faultAtMs, endMs, quietFromMs: endedMs + commandsMs!, restByMs: endedMs + restMs! },
    taken: { fromMs, isTheirs: robot === 'arm' ? movesOneJoint() : turnsLeft },
  };
}

function turnsLeft({ values }: CommandEntry): boolean {
  return Math.abs(values[0]!) < 1e-9 && values[1]! >= 0;
}

/** Compared with the first set points that came after the person had it. */
function movesOneJoint(): (command: CommandEntry) => boolean {
  let first: readonly number[] | undefined;
  return ({ values }) => {
    first ??= values;
    return values.every((value, i) => i === MOVED || Math.abs(value - first![i]!) < STAYS);
  };
}
