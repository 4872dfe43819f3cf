import type { Command } from 'commander';
import type { LedgerLine, RouteStatus } from '../../contract/core.ts';
import { action } from '../context.ts';
import { bytes, table } from '../output.ts';

type Answer = { readonly routes: readonly RouteStatus[]; readonly ledger: readonly LedgerLine[] };

const WATCH_MS = 1_000;

export function addRoutesCommand(program: Command): void {
  program
    .command('routes')
    .description('routes of samples between ROS topics, Zenoh keys and the bus: state, rates, losses')
    .option('--watch', 'look again every second, until interrupted')
    .addHelpText('after', '\nExample:\n  auraison routes --json | jq ".ledger[] | select(.dropped != {})"')
    .action(
      action(async ({ api, out }, options: { watch?: boolean }) => {
        for (;;) {
          const answer = await api.get<Answer>('/v1/routes');
          out.result(answer, () => routesText(answer));
          if (options.watch !== true) return answer.routes.some(({ state }) => state === 'down') ? 1 : 0;
          await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
        }
      }),
    );
}

function routesText({ routes, ledger }: Answer): string {
  if (routes.length === 0) return 'no routes: [[routes]] in the configuration, see docs/routes.md';
  const rows = routes.map((route) => [
    route.name,
    route.state,
    `${route.from} -> ${route.to}`,
    String(route.messages),
    bytes(route.bytes),
    `${route.messages_per_second.toFixed(1)} Hz`,
    route.age_ms === null ? '' : `${(route.age_ms / 1_000).toFixed(1)} s`,
    String(route.queued),
    String(route.rebuilds),
    route.reason,
  ]);
  const losses = ledger.map(({ topic, hop = 'recorder', received, forwarded = 0, written, dropped }) => [
    topic,
    hop,
    String(received),
    String(forwarded),
    String(written),
    Object.entries(dropped)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', '),
  ]);
  return [
    table(
      ['ROUTE', 'STATE', 'WAY', 'MESSAGES', 'BYTES', 'RATE', 'NEWEST', 'QUEUED', 'REBUILT', 'REASON'],
      rows,
    ),
    '',
    table(['TOPIC', 'HOP', 'RECEIVED', 'FORWARDED', 'WRITTEN', 'DROPPED'], losses),
  ].join('\n');
}
