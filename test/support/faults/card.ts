import { BOUNDS, type BoundKind } from './bounds.ts';
import type { Row, Worst } from './campaign.ts';
import { FAULTS, type FaultSpec, type Motion } from './faults.ts';
import { MOTION_WORDS } from './motions.ts';

export type CardParts = {
  readonly rows: readonly Row[];
  /** What was run, in the words of the command line. */
  readonly commands: readonly string[];
};

const KINDS = Object.keys(BOUNDS) as BoundKind[];

/** The page `docs/fault-card.md`: what was tried, how often, and what came of it. Without dates. */
export function faultCard({ rows, commands }: CardParts): string {
  const of = (pace: FaultSpec['pace']) => rows.filter(({ fault }) => fault.pace === pace);
  const total = sum(rows, ({ trials }) => trials);
  const [late, lost] = [sum(rows, (row) => row.lateCommands), sum(rows, (row) => row.takeoversLost)];
  const moved = total - sum(rows, ({ unmoved }) => unmoved);
  return [
    '# Fault card',
    '',
    `${number(total)} trials with faults drawn from a seed, judged by the record that the simulated robot writes itself: what`,
    'it was commanded, and how fast it truly was. Nothing that the daemon says is used.',
    '',
    '| | |',
    '| --- | --- |',
    `| trials | ${number(total)}, in ${number(moved)} of them the robot moved when the fault came, or had to stand anyway |`,
    `| moving commands after the declared bound | ${number(late)} |`,
    `| takeovers lost to a program | ${number(lost)} |`,
    `| at rest later than the bound | ${number(sum(rows, (row) => row.restedTooLate))} |`,
    `| faster than its limits, or commanded what is no number | ${number(sum(rows, (row) => row.overspeed))} |`,
    `| collisions with a covered lidar | ${number(sum(rows, (row) => row.collisions))} |`,
    '',
    'This page is made by',
    '',
    ...commands.map((command) => `    ${command}`),
    '',
    'A trial that fails prints the command that repeats it alone. What a seed draws changes with the campaign: after that',
    'these commands draw other trials. `npm test` runs 300 trials of the first kind and some of the second.',
    '',
    '## In accelerated time',
    '',
    'The real execution cell (desk of safety, lease, door, gates, control loop, controllers) and the real physics, in one',
    'process on a clock that the trial moves. Processes, threads, links and the supervisor are played by their rules: a',
    'frozen process runs nothing and finds its mail when it wakes up, before or after its timers; a killed one loses its',
    'sockets; a cell that is silent for 1.75 s is killed.',
    '',
    'Faults named `runs`, `peer`, `law`, `webhook`, `live`, `attached`, `broker` and `publish` have the real runtime cell too',
    '(intents, runs, tool gate, Cedar policies, packages, webhooks, schedules, foreign runtimes), the real protocols of ACP and A2A agents, and the real',
    'sessions of Foxglove and rosbridge clients. A program has the robot by `auraison-edge/sdk`. A broker of MQTT carries what the real desk of central and the real link of the robot sign. An agent asks again whatever it was answered, also after its run has ended.',
    '',
    ...table(of('virtual')),
    '',
    ...waysTable(of('virtual')),
    '## With real processes',
    '',
    'A daemon as it is shipped, with its processes, sockets and command line, on the clock of the host. `base` is the base in',
    'its maze, `arm` the arm at its table, `ros` a base on a real DDS that keeps to its last command for ever, `ros_zenoh` such a',
    'base on rmw_zenoh, with the bounds of `ros`. Programs by the Python client are processes of their own.',
    '',
    'What this host let the threads of the daemon wait for a processor, of all threads together, is its allowance: a robot has',
    'to be at rest by its bound and the allowance of the same trial. The table has the trial that used most of its bound, with',
    `the allowance of that trial. The largest of any trial was ${number(Math.round(Math.max(0, ...of('real').map(({ hostLateMs }) => hostLateMs))))} ms. On a quiet host it is next to nothing.`,
    '',
    ...table(of('real'), true),
    '',
    ...waysTable(of('real')),
    '## Bounds',
    '',
    'From the fault to the last command that may move the robot, and to rest, milliseconds. `test/support/faults/bounds.ts`',
    'derives them from the limits of the daemon and of the robots.',
    '',
    '| bound | base | arm | ros | why |',
    '| --- | --- | --- | --- | --- |',
    ...KINDS.map(
      (kind) =>
        `| ${kind} | ${boundCell(kind, 'base')} | ${boundCell(kind, 'arm')} | ${boundCell(kind, 'ros')} | ${BOUNDS[kind].why} |`,
    ),
    '',
    '## What is not covered',
    '',
    '- **In accelerated time** the kernel is a model: no scheduler, no socket buffers that fill up, no threads that run at the',
    '  same time. The routes of the HTTP API are reduced to the calls that they make; its guard after a freeze is the real one.',
    '- **The arm** is the simulated one: no arm behind ros2_control.',
    '- **Missions and prompts.** In accelerated time programs ask for motion again and again, and stop their run when it fails;',
    '  the mission of the maze and an agent whose model asks for motion in every turn are tried with real processes.',
    '- **Runs** in accelerated time: the log of the runtime cell is in memory and as strict as the real one; signatures of webhooks',
    '  are checked, and requests come in without sockets. Zenoh, ROS, MCP and orders of central are in memory. Sandboxes, extensions and',
    '  foreign MCP servers do not move the robot and are not in them; plans and sessions of agents are not in them either.',
    '- **A broker of MQTT** is one in memory: what it does with a message is played, not Mosquitto. Clocks of central and robot agree.',
    '- **`auraison lake promote`** moves tables of the lake in the memory cell: no way of it leads to the robot, and no trial has it.',
    '- **Routes and plays** have Zenoh and a recording in memory, not a second peer.',
    '- **The supervisor**: when it is killed the whole daemon ends, and what starts it again is not part of the trial. With real',
    '  processes freezes last 5 s at most.',
    '- **Covered lidars** are tried with the control loop of this daemon; a controller of `[[controllers]]` looks at no lidar.',
    '- **Nav2**, lockstep, several faults at once, power cuts, and hardware of any kind.',
    '- **A freeze shorter than a second** ends no motion, and one below 0.4 s no command of a hand. They are judged up to their end.',
    '- **A policy that repeats its answer** within the limits of the robot moves it: no check can see that it is wrong.',
    '',
  ].join('\n');
}

/** How often each way in was tried; empty where the counts do not say. */
function waysTable(rows: readonly Row[]): readonly string[] {
  const ways = new Map<string, { readonly trials: number; readonly faults: number }>();
  for (const row of rows)
    for (const [motion, trials] of Object.entries(row.ways)) {
      const key = `${MOTION_WORDS[motion as Motion]} | ${row.robot}`;
      const { trials: before, faults } = ways.get(key) ?? { trials: 0, faults: 0 };
      ways.set(key, { trials: before + trials, faults: faults + 1 });
    }
  if (ways.size === 0) return [];
  return [
    'What moved the robot when the fault came, or tried to, in the trials whose counts have it:',
    '',
    '| way in | robot | trials | faults |',
    '| --- | --- | --- | --- |',
    ...[...ways].sort().map(([key, { trials, faults }]) => `| ${key} | ${trials} | ${faults} |`),
    '',
  ];
}

/** `hasHost`: the clock is that of a host, which may be busy. */
function table(rows: readonly Row[], hasHost = false): readonly string[] {
  const added = hasHost ? ' allowance of the host |' : '';
  return [
    `| fault | what | robot | bound | trials | slowest to rest, and its bound |${added} commands after the bound | takeovers lost |`,
    `| --- | --- | --- | --- | --- | --- |${hasHost ? ' --- |' : ''} --- | --- |`,
    ...rows.map(({ fault, robot, trials, worst, lateCommands, takeoversLost }) => {
      const rest = worst ? `${Math.round(worst.restMs)} of ${worst.boundMs} ms` : '';
      const host = hasHost ? ` ${worst ? allowance(worst) : ''} |` : '';
      const bounds = typeof fault.bound === 'function' ? boundsOf(fault) : fault.bound;
      return `| \`${fault.id}\` | ${fault.what} | ${robot} | ${bounds} | ${trials} | ${rest} |${host} ${lateCommands} | ${takeoversLost} |`;
    }),
  ];
}

/** Rounded up, as what was measured is rounded to the next. */
function allowance({ allowanceMs }: Worst): string {
  return allowanceMs === undefined ? 'not kept' : `${Math.ceil(allowanceMs)} ms`;
}

function boundsOf({ bound, motions }: FaultSpec): string {
  const all = Object.values(motions).flat();
  return typeof bound === 'function' ? [...new Set(all.map(bound))].join(', ') : bound;
}

function boundCell(kind: BoundKind, robot: Row['robot']): string {
  const { commandsMs, restMs } = BOUNDS[kind].of({ robot });
  return commandsMs === undefined ? '' : `${commandsMs} / ${restMs}`;
}

const sum = (rows: readonly Row[], of: (row: Row) => number) => rows.reduce((all, row) => all + of(row), 0);
const number = (value: number) => value.toLocaleString('en-US');

/** Lines of a card whose robot was slower to rest than its bound and the allowance of the host allow. */
export function linesTooSlow(card: string): readonly string[] {
  return card.split('\n').filter((line) => {
    const [, restMs, boundMs, allowanceMs = '0'] =
      /\| (\d+) of (\d+) ms \|(?: (\d+) ms \|)?/.exec(line) ?? [];
    return restMs !== undefined && Number(restMs) > Number(boundMs) + Number(allowanceMs);
  });
}

/** Faults and robots that a card has lines for. */
export function linesOf(card: string): readonly string[] {
  return [...card.matchAll(/^\| `([^`]+)` \| [^|]+ \| (base|arm|ros|ros_zenoh) \|/gm)].map(
    ([, id, robot]) => `${id} ${robot}`,
  );
}

/** Those that it has to have. */
export function linesWanted(): readonly string[] {
  return FAULTS.flatMap(({ id, motions }) => Object.keys(motions).map((robot) => `${id} ${robot}`));
}
