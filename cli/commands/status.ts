import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import type { AutoStartView, LinkStatus, QuotaView, RunLoad } from '../../contract/index.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { balanceText } from '../balance.ts';
import { action } from '../context.ts';
import { bytes, table } from '../output.ts';
import { isArmAlone, type Status } from '../status-view.ts';

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('cells, robot, runs, recorder, lakehouse and link of the running daemon')
    .option('--wait', 'first wait until the daemon answers and all its cells are up, at most 60 s')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison status --json | jq .recorder\n  auraison up & auraison status --wait',
    )
    .action(
      action(async ({ api, out }, options: { wait?: boolean }) => {
        const status = await (options.wait === true ? statusWhenUp(api) : api.get<Status>('/v1/status'));
        out.result(status, () => statusText(status, api.url));
        return status.cells.every((cell) => cell.state === 'up') ? 0 : 1;
      }),
    );
}

const WAIT_MS = 60_000;
const LOOK_MS = 250;

/** The first status with all cells up; after a minute whatever there is. Rejects where no daemon answers then. */
async function statusWhenUp(api: ApiClient): Promise<Status> {
  for (const end = performance.now() + WAIT_MS; ; ) {
    const status = await api.get<Status>('/v1/status').catch((thrown: unknown) => {
      // No daemon answers yet. Any other refusal stays one.
      if (performance.now() >= end || !isAbsent(thrown)) throw thrown;
      return undefined;
    });
    if (status && (status.cells.every(({ state }) => state === 'up') || performance.now() >= end))
      return status;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Not yet, as opposed to refused. */
function isAbsent(thrown: unknown): boolean {
  return thrown instanceof EdgeError && thrown.retryable;
}

/** The status for people: a table of the cells, and a line for each part. */
export function statusText(status: Status, url: string): string {
  const cells = table(
    ['CELL', 'STATE', 'PID', 'RESTARTS', 'MEMORY', 'REASON'],
    status.cells.map((c) => [
      c.name,
      c.state,
      String(c.pid ?? ''),
      String(c.restarts),
      bytes(c.rss_bytes),
      c.reason,
    ]),
  );
  return [
    `${status.robot_id}  Auraison Edge ${status.version}  ${url}`,
    '',
    cells,
    '',
    ...partLines(status),
  ].join('\n');
}

function connection(robot: Extract<Status['robot'], { available: true }>): string {
  const { connected, source } = robot;
  if (connected || isArmAlone(robot)) return 'connected';
  return `not connected${source.reason === '' ? '' : `: ${source.reason}`}`;
}

/** Battery, parts that report diagnostics, and the arm, where the robot has them. */
function partsOf({ battery, health, arm, lease }: Extract<Status['robot'], { available: true }>): string {
  const unwell = health.diagnostics.filter(({ level }) => level !== 'ok').length;
  return [
    battery === undefined ? '' : `, battery ${(100 * battery).toFixed(0)} %`,
    health.diagnostics.length === 0 ? '' : `, ${unwell} of ${health.diagnostics.length} parts not ok`,
    lease?.holder === undefined ? '' : `, lease ${lease.holder} (${lease.role ?? ''})`,
    arm ? `, arm ${arm.connected ? arm.motion : 'not connected'}` : '',
  ].join('');
}

/** Progress of central for each log, for example "events.runtime 118 of 120". */
function lanes({ lanes: found }: LinkStatus): string[] {
  return Object.entries(found).map(
    ([name, { sent, last, fault }]) =>
      `${name} ${sent} of ${last}${fault === undefined ? '' : ` (${fault})`}`,
  );
}

/** For example "models    local up; cloud down (ECONNREFUSED)". */
function modelLines(models: NonNullable<Status['models']>): string[] {
  const told = models.map(
    ({ name, state, reason }) => `${name} ${state}${reason === '' ? '' : ` (${reason})`}`,
  );
  return told.length === 0 ? [] : [`${'models'.padEnd(10)}${told.join('; ')}`];
}

/** For example "wires     openpi 127.0.0.1:8000, 2 clients, 180 questions". */
function wireLines(wires: NonNullable<Status['wires']>): string[] {
  const told = wires.map(
    ({ wire, host, port, clients, questions, failures }) =>
      `${wire} ${host}:${port}, ${clients} clients, ${questions} questions${failures === 0 ? '' : `, ${failures} failed`}`,
  );
  return told.length === 0 ? [] : [`${'wires'.padEnd(10)}${told.join('; ')}`];
}

/** For example "quotas    lab: 180000 of 200000 tokens per day". */
function quotaLines(quotas: readonly QuotaView[]): string[] {
  const told = quotas.map(
    ({ tenant, metric, window, used, limit, left }) =>
      `${tenant}: ${used} of ${limit} ${metric} ${window === 'total' ? 'in all' : `per ${window}`}${left > 0 ? '' : ' (nothing left)'}`,
  );
  return told.length === 0 ? [] : [`${'quotas'.padEnd(10)}${told.join('; ')}`];
}

function refusedOf(refused: Readonly<Record<string, string>> = {}): string {
  const told = Object.entries(refused).map(([app, reason]) => `${app} (${reason})`);
  return told.length === 0 ? '' : `; refused: ${told.join(', ')}`;
}

/** For example "; paused: 01a2… taken over by vera (teleoperation)". */
function pausedOf(load: RunLoad | undefined): string {
  const told = (load?.paused ?? []).map(({ run_id, reason }) => `${run_id} ${reason}`);
  return told.length === 0 ? '' : `; paused: ${told.join(', ')} (auraison runs resume)`;
}

/** For example "; runs.auto_start waits (3 tries): cedar: the hook gave no answer within 1000 ms". */
function autoStartOf(view: AutoStartView | undefined): string {
  if (!view) return '';
  return `; runs.auto_start ${view.state === 'waiting' ? 'waits' : 'was refused'}${view.tries > 0 ? ` (${view.tries} tries)` : ''}: ${view.reason}`;
}

/** For example "; 1 waits for the log: disk full". */
function unwrittenOf(load: RunLoad | undefined): string {
  const [first, ...more] = load?.unwritten ?? [];
  return first ? `; ${more.length + 1} waiting for the log: ${first.reason}` : '';
}

/** A line for each part; a part whose cell is down says so instead of hiding. */
function partLines({
  robot,
  runs,
  recorder,
  control,
  zenoh,
  lake,
  link,
  quotas,
  models,
  wires,
}: Status): string[] {
  const line = <P extends { readonly available: boolean }>(
    name: string,
    part: P,
    text: (value: Extract<P, { available: true }>) => string,
  ) => {
    const value = part.available
      ? text(part as Extract<P, { available: true }>)
      : `not available: ${(part as unknown as { reason: string }).reason}`;
    return `${name.padEnd(10)}${value}`;
  };
  return [
    line('robot', robot, (r) => {
      const pose = r.pose
        ? `at (${r.pose.x.toFixed(2)}, ${r.pose.y.toFixed(2)}) m, ${((r.pose.yaw * 180) / Math.PI).toFixed(0)} deg`
        : 'not localised';
      const base = isArmAlone(r) ? 'no base heard' : `${r.motion ?? ''}, ${pose}`;
      return `${r.source.kind} ${connection(r)}, ${base}${partsOf(r)}${r.degraded.length > 0 ? `; degraded: ${r.degraded.join('; ')}` : ''}`;
    }),
    line(
      'runs',
      runs,
      (r) =>
        `${r.runs.length} open; applications: ${r.apps.join(', ')}${refusedOf(r.refused)}${pausedOf(r.load)}${unwrittenOf(r.load)}${autoStartOf(r.auto_start)}`,
    ),
    line(
      'recorder',
      recorder,
      (r) =>
        `${r.state}${r.reason === '' ? '' : ` (${r.reason})`}, ${balanceText(r)}, ${r.messages_per_second.toFixed(0)} messages/s, ${r.segments.length} segments`,
    ),
    line('control', control, (c) =>
      // A robot with its own navigation has no control steps here.
      c.hz === 0
        ? c.policy
        : `${c.hz} Hz ${c.policy}, ${c.ticks} steps, starved ${c.starved}, refused ${c.refused}`,
    ),
    line('zenoh', zenoh, (z) => `${z.driver} ${z.connected ? 'open' : `not open: ${z.reason}`}`),
    line(
      'lake',
      lake,
      (l) =>
        `${l.kind ?? 'not open'}${l.place === 'remote' ? ` on ${l.path}` : ''}${l.ready ? '' : `: ${l.reason}`}, behind ${
          Object.entries(l.lag)
            .map(([cell, lag]) => `${cell} ${lag}`)
            .join(', ') || 'nothing'
        }`,
    ),
    line('link', link, (l) =>
      [`${l.state}${l.reason === '' ? '' : `: ${l.reason}`}`, ...lanes(l)].join('; '),
    ),
    ...modelLines(models ?? []),
    ...wireLines(wires ?? []),
    ...quotaLines(quotas ?? []),
  ];
}
