import {
  type CommandEntry,
  type Entry,
  isAtRest,
  moves,
  type RobotFacts,
  type StateEntry,
} from './record.ts';

/** What has to hold of one trial, in times of the host's monotonic clock, milliseconds. */
export type Claim = {
  readonly faultAtMs: number;
  /** What is recorded later is not judged. */
  readonly endMs: number;
  /** From then on no command may move the robot, whoever sends it. Absent: motion may go on. */
  readonly quietFromMs?: number;
  /** By then it is at rest, and stays so until the end. */
  readonly restByMs?: number;
  /** A person has the robot from then on: no command but this person's may move it. */
  readonly taken?: {
    readonly fromMs: number;
    isTheirs(command: CommandEntry, before: CommandEntry | undefined): boolean;
  };
  /** Contacts that may have been before the fault do not count. */
  readonly noCollisions?: boolean;
  /** Commands before it has gone by are still due to the fault before it: how late this host was, milliseconds. */
  readonly slackMs?: number;
};

export type Verdict = {
  /** Moving commands that the robot obeyed after the bound. */
  readonly lateCommands: number;
  /** Moving commands of a program while a person had the robot. */
  readonly strangeCommands: number;
  /** From the fault to the last moving command, and to rest; `undefined`: it moved to the end, or was never asked to rest. */
  readonly lastCommandMs: number | undefined;
  readonly restMs: number | undefined;
  readonly restedTooLate: boolean;
  readonly overspeed: number;
  readonly notFinite: number;
  readonly collisions: number;
  /** Why this trial failed, for a person; empty: it held. */
  readonly broken: readonly string[];
};

/** Measured speeds are noisy, and wheels slip: so much above the limit is still at it. */
const OVERSPEED_SHARE = 0.25;
/** Commands bear rounding only. */
const COMMAND_SHARE = 1e-3;

/** Judges one trial by the record of its robot alone. */
export function judge(facts: RobotFacts, record: readonly Entry[], claim: Claim): Verdict {
  const { faultAtMs, endMs, quietFromMs, restByMs, taken, slackMs = 0 } = claim;
  const seen = record.filter(({ atMs }) => atMs <= endMs);
  const commands = seen.filter((one): one is CommandEntry => one.kind === 'command' && one.refused === '');
  const states = seen.filter((one): one is StateEntry => one.kind === 'state');
  let lateCommands = 0;
  let strangeCommands = 0;
  let lastMoving: number | undefined;
  let overspeed = 0;
  let notFinite = 0;
  for (const [i, command] of commands.entries()) {
    const before = commands[i - 1];
    if (command.values.some((value) => !Number.isFinite(value))) notFinite++;
    if (facts.commands === 'speeds' && exceeds(command.values, facts.speedMax, COMMAND_SHARE)) overspeed++;
    if (!moves(facts, command, before)) continue;
    if (command.atMs >= faultAtMs) lastMoving = command.atMs;
    if (quietFromMs !== undefined && command.atMs > quietFromMs + slackMs) lateCommands++;
    if (taken && command.atMs > taken.fromMs && !taken.isTheirs(command, before)) strangeCommands++;
  }
  for (const { speeds } of states) if (exceeds(speeds, facts.speedMax, OVERSPEED_SHARE)) overspeed++;
  const after = states.filter(({ atMs }) => atMs >= faultAtMs);
  // What it was doing goes on until the next word of it, however long that is.
  const began = states.findLast(({ atMs }) => atMs < faultAtMs);
  const told = began ? [began, ...after] : after;
  const lastGoing = told.findLastIndex((state) => !isAtRest(facts, state));
  const rest = lastGoing < 0 ? faultAtMs : told[lastGoing + 1]?.atMs;
  const restAtMs = rest === undefined ? undefined : Math.max(rest, faultAtMs);
  const restedTooLate = restByMs !== undefined && (restAtMs === undefined || restAtMs > restByMs + slackMs);
  const atFault = states.findLast(({ atMs }) => atMs <= faultAtMs)?.collisions ?? 0;
  const collisions = (states.at(-1)?.collisions ?? 0) - atFault;
  const broken = [
    ...(lateCommands > 0 ? [`${lateCommands} moving commands after the bound`] : []),
    ...(strangeCommands > 0 ? [`${strangeCommands} commands of a program while a person had the robot`] : []),
    ...(restedTooLate
      ? [
          `not at rest by the bound: ${restAtMs === undefined ? 'never' : `${Math.round(restAtMs - faultAtMs)} ms`}`,
        ]
      : []),
    ...(overspeed > 0 ? [`${overspeed} times faster than its limit`] : []),
    ...(notFinite > 0 ? [`${notFinite} commands that are no numbers were obeyed`] : []),
    ...(claim.noCollisions && collisions > 0 ? [`${collisions} collisions`] : []),
    // A record that saw nothing proves nothing.
    ...(after.length === 0 ? ['the robot wrote nothing down after the fault'] : []),
  ];
  return {
    ...{ lateCommands, strangeCommands, restedTooLate, overspeed, notFinite, collisions, broken },
    lastCommandMs: lastMoving === undefined ? undefined : lastMoving - faultAtMs,
    restMs: restAtMs === undefined ? undefined : restAtMs - faultAtMs,
  };
}

function exceeds(values: readonly number[], most: readonly number[], share: number): boolean {
  return values.some((value, i) => Math.abs(value) > (most[i] ?? 0) * (1 + share));
}
