import type { RunDetails } from '../../contract/index.ts';
import { balanceText } from '../balance.ts';
import type { Status } from '../status-view.ts';

/** The last line of `npm start -- --once --json`. */
export type Summary = {
  readonly reached: boolean;
  /** Robot time from start to exit, seconds. */
  readonly duration_s: number;
  readonly distance_m: number;
  readonly collisions: number;
  readonly received: number;
  readonly written: number;
  readonly dropped: number;
  readonly events: number;
  readonly run_id: string;
  readonly segments: readonly { readonly path: string; readonly sha256: string; readonly messages: number }[];
};

export function summarize(details: RunDetails, status: Status, events: number): Summary {
  const number = (key: string) =>
    typeof details.summary?.[key] === 'number' ? (details.summary[key] as number) : 0;
  const recorder = status.recorder;
  const counts = recorder.available ? recorder : { received: 0, written: 0, dropped: 0, segments: [] };
  return {
    reached: details.run.status === 'succeeded',
    duration_s: number('duration_s'),
    distance_m: number('distance_m'),
    collisions: number('bumps'),
    received: counts.received,
    written: counts.written,
    dropped: counts.dropped,
    events,
    run_id: details.run.run_id,
    segments: counts.segments.map(({ path, sha256, messages }) => ({ path, sha256, messages })),
  };
}

export function summaryText(
  summary: Summary,
  details: RunDetails,
  facts: { wallS: number; url: string; dataDir: string; command: string },
): string {
  const lines = [
    '',
    summary.reached
      ? `The robot found the exit: ${details.reason}`
      : `The robot did not find the exit: ${details.reason}`,
    '',
    `  time        ${summary.duration_s.toFixed(1)} s of robot time, ${facts.wallS.toFixed(1)} s on the clock`,
    `  distance    ${summary.distance_m.toFixed(1)} m`,
    `  collisions  ${summary.collisions}`,
    `  messages    ${balanceText(summary)}`,
    `  events      ${summary.events} of run ${summary.run_id}`,
    ...summary.segments.map(
      (s) => `  segment     ${s.path}  ${s.messages} messages  sha256 ${s.sha256.slice(0, 16)}…`,
    ),
    '',
    'Look further:',
    `  ${facts.command} runs events ${summary.run_id}`,
    `  ${facts.command} query "select kind, count(*) as n from events group by kind order by n desc"`,
    ...(summary.segments[0]
      ? [`  ${facts.command} bag info ${facts.dataDir}/${summary.segments[0].path}`]
      : []),
    `  ${facts.command} log verify`,
  ];
  return lines.join('\n');
}
