/** The first page: where the robot is, what it does, what is recorded, and the newest events. */
import { useEffect, useState } from 'react';
import { AskPanel } from '../ask/ask-panel.tsx';
import { read } from '../lib/api.ts';
import { type Fact, Facts, Panel } from '../lib/facts.tsx';
import { count, number } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { nameOf } from '../lib/run-name.ts';
import { useStatus } from '../lib/status.ts';
import type {
  Cell,
  Model,
  Part,
  RecorderPart,
  RobotPart,
  RunDetails,
  RunState,
  RunsPart,
} from '../lib/views.ts';
import { ArmPanel, useArm } from './arm-panel.tsx';
import { useEvents } from './event-book.ts';
import { MapPanel } from './map-panel.tsx';

export function LivePage() {
  const { data: status, old } = useStatus();
  const arm = useArm();
  const run = useLastRun(status?.runs);
  return (
    <div className="page" id="page-live">
      <AskPanel />
      <MapPanel onlyDrawn={!!arm.data} />
      <ArmPanel arm={arm} />
      <Panel title="Run">
        <Facts id="run" old={old} rows={status ? runRows(status.runs, run) : []} />
      </Panel>
      <Panel title="Robot">
        <Facts id="pose" old={old} rows={status ? rowsIn(status.robot, robotRows) : []} />
      </Panel>
      <Panel title="Recording">
        <Facts id="data" old={old} rows={status ? rowsIn(status.recorder, recorderRows) : []} />
      </Panel>
      <Panel title="Cells">
        <table>
          <thead>
            <tr>
              <th scope="col">cell</th>
              <th scope="col">state</th>
              <th scope="col">restarts</th>
              <th scope="col">events</th>
            </tr>
          </thead>
          <tbody id="cells" className={old ? 'old' : ''}>
            {(status?.cells ?? []).map((cell) => (
              <CellRow key={cell.name} cell={cell} events={status?.log_seq?.[cell.name]} />
            ))}
          </tbody>
        </table>
      </Panel>
      {status?.models && (
        <Panel title="Models" id="models-panel">
          <Facts id="models" old={old} rows={status.models.map(modelRow)} />
        </Panel>
      )}
      <EventsPanel />
    </div>
  );
}

function EventsPanel() {
  const events = useEvents();
  return (
    <Panel title="Events" className="events">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <ol id="events" tabIndex={0} aria-label="newest events, the newest first">
        {events.map(({ key, text, title }) => (
          <li key={key} title={title}>
            {text}
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function rowsIn<T>(part: Part<T>, rows: (part: T) => Fact[]): Fact[] {
  return part.available ? rows(part) : [['not available', part.reason ?? '', 'bad']];
}

type LastRun = { readonly run: RunState; readonly phase?: string; readonly reason?: string };

/** The status knows runs until they are over; how the last one ended is asked for once. */
function useLastRun(part: Part<RunsPart> | undefined): LastRun | undefined {
  const [last, setLast] = useState<LastRun>();
  const runs = part?.available ? (part.runs ?? []) : undefined;
  const newest = runs && [...runs].sort((a, b) => (a.run_id < b.run_id ? 1 : -1))[0];
  const id = last?.run.run_id;
  const ended = runs !== undefined && newest === undefined && id !== undefined;
  useEffect(() => {
    if (!part?.available || !newest) return;
    const reason = part.load?.paused?.find(({ run_id }) => run_id === newest.run_id)?.reason;
    const phase = part.phases?.[newest.run_id];
    setLast({ run: newest, ...(phase ? { phase } : {}), ...(reason ? { reason } : {}) });
  }, [part, newest]);
  useEffect(() => {
    if (!ended) return;
    const gone = new AbortController();
    read<RunDetails>(`/v1/runs/${id}`, undefined, gone.signal)
      .then(({ run, phase }) => setLast({ run, ...(phase ? { phase } : {}) }))
      .catch(() => {});
    return () => gone.abort();
  }, [ended, id]);
  return last;
}

function runRows(part: Part<RunsPart>, last: LastRun | undefined): Fact[] {
  if (!part.available) return rowsIn(part, () => []);
  if (!last)
    return [
      ['run', 'none running'],
      [
        'before',
        <a key="all" href="#/runs">
          all runs
        </a>,
      ],
    ];
  const { run, phase, reason } = last;
  const href = `#/runs/${run.run_id}`;
  return [
    ['run', <RunLink key="run" id={run.run_id} />],
    ['status', run.status, run.status === 'failed' ? 'bad' : ''],
    ...(reason ? [['paused', <a key="why" href={href}>{`${reason}: look and resume`}</a>] as const] : []),
    ['phase', phase ?? '–'],
    ['attempt', String(run.attempt)],
  ];
}

const NAME_MS = 60_000;

/** A run by its name; by its id until that is known. */
function RunLink({ id }: { id: string }) {
  const { data } = usePolled<RunDetails>(`/v1/runs/${id}`, NAME_MS, { version: 'name' });
  return (
    <a href={`#/runs/${id}`} title={id}>
      {data ? nameOf(data) : id}
    </a>
  );
}

function robotRows(robot: RobotPart): Fact[] {
  const here = robot.pose;
  const arm: Fact[] = robot.arm ? [armRow(robot.arm)] : [];
  // An arm on a table has no base that could be missed.
  if (robot.arm && !here && !robot.connected) return [...arm, ['base', 'none heard']];
  const share = robot.map_coverage;
  return [
    ['connected', robot.connected ? 'yes' : 'no', robot.connected ? 'ok' : 'bad'],
    ...arm,
    ['pose', here ? `${number(here.x, 2)} m, ${number(here.y, 2)} m, ${number(here.yaw, 2)} rad` : 'unknown'],
    ['motion', robot.motion ?? '–'],
    ['speed', robot.twist ? `${number(robot.twist.linear, 2)} m/s` : '–'],
    ['driven', `${number(robot.distance, 1)} m`],
    ['bumps', count(robot.bumps), (robot.bumps ?? 0) > 0 ? 'bad' : ''],
    ['map known', typeof share === 'number' ? `${number(share * 100, 0)} %` : '–'],
  ];
}

const armRow = ({ connected, motion }: { connected: boolean; motion: string }): Fact =>
  connected ? ['arm', motion, 'ok'] : ['arm', 'not connected', 'bad'];

function recorderRows(part: RecorderPart): Fact[] {
  return [
    ['state', part.state + (part.reason ? `: ${part.reason}` : ''), part.state === 'failed' ? 'bad' : ''],
    ['received', count(part.received)],
    ['written', count(part.written)],
    ['dropped', count(part.dropped), part.dropped > 0 ? 'bad' : 'ok'],
    ['rate', `${number(part.messages_per_second, 0)} messages/s`],
    ['segments', count(part.segments?.length)],
  ];
}

/** What is known of a model: a failing one is still asked, one that is down is asked last. */
function modelRow({ name, state, reason }: Model): Fact {
  const looks: Readonly<Record<string, string>> = { up: 'ok', down: 'bad', failing: 'bad' };
  return [name, reason ? `${state}: ${reason}` : state, looks[state] ?? ''];
}

function CellRow({ cell, events }: { cell: Cell; events: number | undefined }) {
  const up = cell.state === 'up';
  return (
    <tr>
      <td>{cell.name}</td>
      <td className={up ? 'ok' : 'bad'}>
        {up || !cell.reason ? cell.state : `${cell.state}: ${cell.reason}`}
      </td>
      <td>{count(cell.restarts)}</td>
      <td>{count(events)}</td>
    </tr>
  );
}
