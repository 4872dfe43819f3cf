import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type LakeInfo, type LakeMove, pause } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

/** How often the daemon is asked how far it is, milliseconds. */
const LOOK_MS = 500;

type LakeState = Partial<LakeInfo> & {
  readonly ready: boolean;
  readonly reason: string;
  readonly move?: LakeMove;
};

export function lakeState(api: ApiClient): Promise<LakeState> {
  return api.get<LakeState>('/v1/lake');
}

/** Where the lake lives, in a line. */
export function lakePlaceText({ place = 'embedded', kind, path, reason, ready }: LakeState): string {
  if (!ready) return `not open: ${reason}`;
  const what = kind === 'ducklake' ? 'DuckLake' : 'plain DuckDB';
  return `${what}, ${place === 'remote' ? 'on servers' : 'in the data directory'}: ${path}`;
}

export function addLakePromote(lake: Command): void {
  lake
    .command('promote')
    .description('move the lakehouse of the running daemon to PostgreSQL and S3, as configured')
    .option('--back', 'move it back into the data directory')
    .option('--no-wait', 'start the move only; `auraison lake tables` shows where the lakehouse is')
    .addHelpText(
      'after',
      '\nlake.catalog, lake.storage and their credentials say where to. The daemon works meanwhile, and continues' +
        '\nafter a restart. Each table is proven equal by a digest of its rows before the place changes.' +
        '\n\nExamples:\n  auraison lake promote\n  auraison lake promote --json\n  auraison lake promote --back',
    )
    .action(
      action(async ({ api, out }, options: { readonly back?: boolean; readonly wait: boolean }) => {
        const to = options.back ? 'embedded' : 'remote';
        let move = await api.post<LakeMove>('/v1/lake/move', { to });
        const clock = new SystemClock();
        let said = '';
        while (options.wait && move.state !== 'done') {
          const text =
            move.state === 'waiting'
              ? `not yet: ${move.reason}`
              : `${move.slices} of ${move.of} slices equal, ${move.copied} rows copied`;
          if (text !== said) out.note(text);
          said = text;
          await pause(clock, LOOK_MS);
          const next = (await lakeState(api)).move;
          // A daemon that was restarted continues; until its lake is open it knows of no move.
          if (next?.to === to) move = next;
          else if (next === undefined && (await isThere(api, to))) move = { ...move, state: 'done' };
        }
        const state = await lakeState(api);
        out.result({ ...move, place: state.place, path: state.path }, () =>
          move.state === 'done'
            ? [...proof(move), `the lakehouse is ${lakePlaceText(state)}`].join('\n')
            : 'the move is running; `auraison lake tables` shows where the lakehouse is',
        );
        return 0;
      }),
    );
}

async function isThere(api: ApiClient, to: string): Promise<boolean> {
  const { ready, place } = await lakeState(api);
  return ready && place === to;
}

/** Nothing, where the lake was there already. */
function proof({ tables }: LakeMove): string[] {
  if (tables.length === 0) return [];
  return [
    table(
      ['TABLE', 'ROWS', 'DIGEST ON BOTH SIDES'],
      tables.map(({ name, rows, digest }) => [name, String(rows), digest]),
    ),
  ];
}
