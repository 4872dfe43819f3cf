import { join } from 'node:path';
import type { AgentEvent } from '../../../contract/index.ts';
import { simCommands } from '../sim-commands.ts';
import type { Show } from './campaign.ts';
import { AGENTS, deedsOf, TOOLS, TURN_RAD } from './packages.ts';

/** A turn ends this near to its angle, and a command that nothing follows counts for so long, radians and seconds. */
const SLACK_RAD = 0.3;
const COMMAND_S = 0.2;

type Of<K extends AgentEvent['kind']> = AgentEvent<K>;

/** What must not be: compares the log with what the servers of the agents and the simulator wrote down themselves. */
export function brokenIn({ events, runs }: Show, folder: string): readonly string[] {
  const of = <K extends AgentEvent['kind']>(kind: K) =>
    events.filter((event) => event.kind === kind) as Of<K>[];
  const ends = new Map(of('tool.returned').map((event) => [event.payload.call_id, event.payload]));
  const called = of('tool.called');
  return [
    ...[...runs.keys()].flatMap((runId) => brokenRun(runId, events)),
    ...called.flatMap(({ payload: { call_id, tool } }) =>
      ends.has(call_id) ? [] : [`${tool} ${call_id} has no end`],
    ),
    ...AGENTS.flatMap((agent) => {
      const calls = called.filter(({ payload }) => payload.tool === `mcp.${TOOLS[agent]}`);
      const deeds = Map.groupBy(deedsOf(folder, agent), ({ traceparent }) => traceparent);
      const known = new Set(calls.map(({ payload }) => payload.traceparent ?? ''));
      return [
        ...[...deeds.keys()]
          .filter((id) => !known.has(id))
          .map((id) => `${agent}: ${id} happened and is not in the log`),
        ...calls.flatMap(({ payload: { call_id, traceparent } }) => {
          const times = deeds.get(traceparent ?? '')?.length ?? 0;
          const isKnown = ends.get(call_id)?.ok === true;
          return times > 1 || (isKnown && times === 0)
            ? [`${agent}: ${call_id} happened ${times} times`]
            : [];
        }),
      ];
    }),
    ...brokenTurns(called, ends, folder),
  ];
}

function brokenRun(runId: string, events: readonly AgentEvent[]): string[] {
  const own = events.filter(({ run_id }) => run_id === runId).map(({ kind }) => kind);
  const ends = own.filter((kind) => kind === 'run.finished').length;
  return ends === 1 && own.at(-1) === 'run.finished'
    ? []
    : [`run ${runId} has ${ends} ends, the last event is ${own.at(-1)}`];
}

/** Between one call and the next the simulator was told to turn once at most, and as far as the answer says. */
function brokenTurns(
  called: readonly Of<'tool.called'>[],
  ends: ReadonlyMap<string, Of<'tool.returned'>['payload']>,
  folder: string,
): string[] {
  const turns = called.filter(({ payload }) => payload.tool === 'robot.maneuver');
  const times = turns.map(({ ts }) => Number(BigInt(ts) / 1_000_000n));
  const turned = times.map(() => 0);
  let before = 0;
  const commands = simCommands(join(folder, 'commands'));
  commands.forEach(({ atMs, worldS, angular }, index) => {
    // The clock of the events and that of the simulator are the same host's.
    const turn = times.findLastIndex((at) => at <= atMs);
    const next = commands[index + 1]?.worldS ?? worldS;
    // A simulator that was started again begins at its own zero.
    const seconds = next > worldS ? Math.min(next - worldS, COMMAND_S) : COMMAND_S;
    if (turn < 0) before += Math.abs(angular) * seconds;
    else turned[turn]! += Math.abs(angular) * seconds;
  });
  return [
    ...(before > 0 ? [`the robot turned by ${before.toFixed(2)} rad before anybody asked`] : []),
    ...turns.flatMap(({ payload: { call_id } }, index) => {
      const angle = turned[index]!;
      const isReached = ends.get(call_id)?.result?.['outcome'] === 'reached';
      return angle > TURN_RAD + SLACK_RAD || (isReached && angle < TURN_RAD - SLACK_RAD)
        ? [`turn ${call_id}: ${angle.toFixed(2)} rad of ${TURN_RAD}`]
        : [];
    }),
  ];
}
