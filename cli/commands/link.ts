import type { Command } from 'commander';
import { EdgeError, LIMITS, type LinkStatus, type LinkSyncReply } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';
import { addDiskCommands } from './link-disk.ts';
import { addEnrolCommand } from './link-enrol.ts';

export function addLinkCommands(program: Command): void {
  const link = program.command('link').description('the way to central');
  link
    .command('status')
    .description(
      'what central has of logs and recordings, what is on its way, how fast, and how long it takes',
    )
    .addHelpText('after', '\nExamples:\n  auraison link status\n  auraison link status --json')
    .action(
      action(async ({ api, out }) => {
        const status = await api.get<LinkStatus>('/v1/link');
        out.result(status, () => linkText(status));
        return 0;
      }),
    );
  addEnrolCommand(link);
  addDiskCommands(link);
  link
    .command('sync')
    .description(
      'try central now, and wait until it acknowledged what was logged; exit code 1 when it has not',
    )
    .option('--timeout <seconds>', 'wait at most this long', '10')
    .addHelpText('after', '\nExamples:\n  auraison link sync\n  auraison link sync --timeout 60 --json')
    .action(
      action(async ({ api, out }, options: { timeout: string }) => {
        const timeoutMs = millisecondsOf(options.timeout);
        const done = await api.post<LinkSyncReply>(
          '/v1/link/sync',
          { timeout_ms: timeoutMs },
          timeoutMs + 5_000,
        );
        out.result(done, () =>
          [
            `${done.state}${done.reason === '' ? '' : `: ${done.reason}`}; ${done.behind} events not acknowledged`,
            table(
              ['LANE', 'SENT', 'LAST', 'FAULT'],
              Object.entries(done.lanes).map(([lane, l]) => [lane, `${l.sent}`, `${l.last}`, l.fault ?? '']),
            ),
          ].join('\n'),
        );
        return done.state === 'connected' && done.behind === 0 ? 0 : 1;
      }),
    );
}

function millisecondsOf(text: string): number {
  const ms = Math.round(Number(text) * 1000);
  if (ms >= 1 && ms <= LIMITS.LINK_SYNC_MS_MAX) return ms;
  throw new EdgeError('schema.invalid', {
    operation: 'link sync',
    subject: '--timeout',
    message: `--timeout ${text}: seconds from 0.001 to ${LIMITS.LINK_SYNC_MS_MAX / 1000} expected`,
  });
}

function linkText({ state, reason, lanes, files, broker }: LinkStatus): string {
  const lines = [
    `${state}${reason === '' ? '' : `: ${reason}`}`,
    table(
      ['LANE', 'SENT', 'LAST', 'FAULT'],
      Object.entries(lanes).map(([lane, l]) => [lane, `${l.sent}`, `${l.last}`, l.fault ?? '']),
    ),
  ];
  if (broker) lines.push(brokerText(broker));
  if (!files) return lines.join('\n');
  const rows = Object.entries(files.lanes).map(([lane, l]) => [
    ...[lane, `${l.waiting}`, size(l.waiting_bytes), `${l.held}`, size(l.held_bytes), `${l.gone}`],
  ]);
  lines.push(table(['FILES', 'WAIT', 'SIZE', 'AT CENTRAL', 'SIZE', 'GONE BEFORE'], rows));
  const { current, left_s, reason: why, faults } = files;
  if (current) {
    const share = current.bytes === 0 ? 100 : Math.floor((current.sent / current.bytes) * 100);
    const rest = left_s === undefined ? '' : `, ${duration(left_s)} left for all`;
    lines.push(`${current.path}: ${share} % of ${size(current.bytes)}, ${size(current.rate)}/s${rest}`);
  }
  if (why !== '') lines.push(`files wait: ${why}`);
  for (const [path, fault] of Object.entries(faults)) lines.push(`${path}: ${fault}`);
  return lines.join('\n');
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

function brokerText({ state, reason, refused }: NonNullable<LinkStatus['broker']>): string {
  const strange = refused === 0 ? '' : `; ${refused} messages that central did not sign`;
  return `broker: ${state}${reason === '' ? '' : `: ${reason}`}${strange}`;
}
