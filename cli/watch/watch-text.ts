import { isArmAlone } from '../status-view.ts';
import { type Line, type Look, type Piece, painted } from './painted.ts';
import type { Alert, CallSeen, RunSeen, WatchView } from './view.ts';

const CALLS = 5;
const DECISIONS = 3;
const ALERTS = 6;
const BACK_SHOWN_MS = 60_000;
const COLUMNS_MIN = 20;
/** From here on a line says more. */
const WIDE = 72;

/** The view in lines of at most `columns`, at most `rows` of them: events have what the rest leaves. Pure. */
export function watchText(view: WatchView, columns: number, rows: number, colour: boolean): string {
  const width = Math.max(COLUMNS_MIN, columns);
  const isOld = view.away !== undefined;
  const head = [...headLines(view)];
  const body = [...robotLines(view), ...alertLines(view.alerts), ...runLines(view, width)];
  const events = view.events.map(
    ({ at_ms, cell, kind, text }): Line => [
      { text: `  ${clock(at_ms)} `, look: 'dim' },
      { text: width >= WIDE ? `${cell.padEnd(9)} ${kind} ` : `${kind} ` },
      { text, look: 'dim' },
    ],
  );
  const fixed = head.length + body.length;
  const room = Math.max(0, rows - fixed - 1);
  const shown = room === 0 ? [] : events.slice(-room);
  const lines = [...head, ...(isOld ? body.map(faded) : body)];
  if (shown.length > 0) lines.push([{ text: 'events', look: 'bold' }], ...shown);
  const kept =
    lines.length <= rows
      ? lines
      : [...lines.slice(0, rows - 1), [{ text: `… ${lines.length - rows + 1} more lines` }]];
  return kept.map((line) => painted(line, width, colour)).join('\n');
}

const faded = (line: Line): Line => line.map(({ text }) => ({ text, look: 'dim' as const }));

function headLines({ now_ms, as_of_ms, away, back, status, url }: WatchView): Line[] {
  const name: Piece = { text: status?.robot_id ?? url, look: 'bold' };
  const time: Piece = { text: `  ${clock(now_ms)}`, look: 'dim' };
  if (away) {
    const of: Line[] =
      as_of_ms === undefined
        ? []
        : [[{ text: `shown is what was known at ${clock(as_of_ms)}; waiting for it`, look: 'warn' }]];
    return [
      [name, { text: `  no answer for ${duration(now_ms - away.since_ms)}`, look: 'bad' }, time],
      [{ text: away.reason, look: 'dim' }],
      ...of,
    ];
  }
  if (as_of_ms === undefined) return [[name, { text: '  connecting' }, time]];
  const line: Line = [name, { text: '  live', look: 'good' }, time];
  return back && now_ms - back.at_ms < BACK_SHOWN_MS
    ? [line, [{ text: `back at ${clock(back.at_ms)} after ${duration(back.after_ms)}`, look: 'warn' }]]
    : [line];
}

function robotLines({ status }: WatchView): Line[] {
  if (!status) return [];
  const { robot } = status;
  if (!robot.available) return [named('robot', [{ text: `not available: ${robot.reason}`, look: 'bad' }])];
  const { connected, source, motion, pose, twist, battery, lease, arm, map_coverage } = robot;
  const alone = isArmAlone(robot);
  const state = connected ? (motion ?? 'idle') : alone ? 'connected, no base heard' : 'not connected';
  const lines = [
    named('robot', [
      { text: state, look: connected || alone ? 'bold' : 'bad' },
      { text: ` (${source.kind})` },
      ...(battery === undefined ? [] : [{ text: `  battery ${(100 * battery).toFixed(0)} %` }]),
    ]),
  ];
  const at = pose
    ? `${pose.x.toFixed(2)}, ${pose.y.toFixed(2)} m  ${((pose.yaw * 180) / Math.PI).toFixed(0)}°`
    : 'not localised';
  const speed = twist ? `  ${twist.linear.toFixed(2)} m/s ${twist.angular.toFixed(2)} rad/s` : '';
  const map = map_coverage === undefined ? '' : `  map ${(100 * map_coverage).toFixed(0)} %`;
  if (connected && (pose || !arm)) lines.push(named('pose', [{ text: `${at}${speed}${map}` }]));
  if (arm) lines.push(named('arm', [{ text: arm.connected ? arm.motion : 'not connected' }]));
  if (lease?.holder !== undefined)
    lines.push(named('lease', [{ text: `${lease.holder} (${lease.role ?? ''})` }]));
  return lines;
}

function alertLines(alerts: readonly Alert[]): Line[] {
  const shown = alerts.slice(0, ALERTS).map(
    ({ level, text }, index): Line =>
      // A sign too: colours are not seen everywhere.
      named(index === 0 ? 'alerts' : '', [{ text: `${level === 'bad' ? '!!' : '!'} ${text}`, look: level }]),
  );
  const more = alerts.length - shown.length;
  return more > 0 ? [...shown, named('', [{ text: `and ${more} more` }])] : shown;
}

function runLines({ run, others, now_ms, as_of_ms, away }: WatchView, width: number): Line[] {
  if (!run) return as_of_ms === undefined ? [] : [named('run', [{ text: 'none yet', look: 'dim' }])];
  const end = run.finished_ms ?? (away ? (as_of_ms ?? now_ms) : now_ms);
  const since = run.started_ms === undefined ? '' : `  ${duration(end - run.started_ms)}`;
  const lines: Line[] = [
    named('run', [
      { text: run.intent, look: 'bold' },
      { text: ` ${run.status}`, look: lookOf(run) },
      { text: since },
      ...(width >= WIDE ? [{ text: `  ${run.run_id}`, look: 'dim' as const }] : []),
    ]),
  ];
  const step = [run.phase, run.reason].filter((text) => text !== '').join(': ');
  if (step !== '') lines.push(named(run.finished_ms === undefined ? 'step' : 'end', [{ text: step }]));
  lines.push(...run.calls.slice(-CALLS).map(callLine));
  for (const { decision, point, subject, reason } of run.decisions.slice(-DECISIONS))
    lines.push(
      named('', [
        { text: `${decision} `, look: decision === 'deny' ? 'bad' : 'warn' },
        { text: `${point} ${subject}: ${reason}` },
      ]),
    );
  if (others.length > 0)
    lines.push(
      named('', [
        {
          text: `and ${others.length} more: ${others.map(({ intent, status }) => `${intent} ${status}`).join(', ')}`,
          look: 'dim',
        },
      ]),
    );
  return lines;
}

function callLine({ tool, args, ok, result, duration_ms }: CallSeen): Line {
  const sign = ok === undefined ? '▸' : ok ? '✓' : '✗';
  const look: Look = ok === undefined ? 'bold' : ok ? 'good' : 'bad';
  const after = duration_ms === undefined ? ' runs' : ` ${(duration_ms / 1_000).toFixed(1)} s`;
  return named('', [
    { text: `${sign} ${tool}`, look },
    { text: after },
    // What went wrong says more than what was asked for.
    { text: ok === false ? ` ${result ?? ''}` : ` ${args}`, look: 'dim' },
  ]);
}

function lookOf({ status }: RunSeen): Look {
  return status === 'failed' ? 'bad' : status === 'running' || status === 'succeeded' ? 'good' : 'warn';
}

function named(name: string, rest: Line): Line {
  return [{ text: name.padEnd(7), look: 'dim' }, ...rest];
}

/** Local time of day. */
function clock(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1_000));
  return s < 120
    ? `${s} s`
    : s < 7_200
      ? `${Math.floor(s / 60)} min ${s % 60} s`
      : `${Math.floor(s / 3_600)} h`;
}
