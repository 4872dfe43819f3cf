import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { ExportEnd, ExportProgress, ExportRange } from '../../adapters/event-log/index.ts';
import { CELL_NAMES, type CellName, EdgeError, isUuidv7 } from '../../contract/core.ts';
import type { Settings } from '../../daemon/settings.ts';
import { eachPage } from '../../history/each-event.ts';
import { action } from '../context.ts';
import { bytes, type Output, table } from '../output.ts';

type Options = {
  readonly cell?: string;
  readonly first?: string;
  readonly through?: string;
  readonly run?: string;
  readonly sign: boolean;
};

/** Progress is shown when another twentieth of a log is written. */
const STEPS = 20;

export function addLogExport(log: Command): void {
  log
    .command('export')
    .argument('<file>', 'where to: one file of JSON lines, which must not exist yet')
    .description(
      'write logs with their hash chain and the signature of this robot; works while the daemon runs',
    )
    .option('--cell <cell>', `only of this cell: ${CELL_NAMES.join(', ')}`)
    .option('--first <seq>', 'of one cell: from this position')
    .option('--through <seq>', 'of one cell: to this position')
    .option('--run <run>', 'from the first to the last event of this run, with those of others in between')
    .option('--no-sign', 'without a signature, where the key of this robot cannot be read')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison log export evidence.jsonl\n  auraison log export run.jsonl --run <run>\n' +
        '  auraison log export part.jsonl --cell runtime --first 1000 --through 2000 --json\n\n' +
        'auraison log verify FILE checks it anywhere; docs/log-export.md has the format and a reader in Python.',
    )
    .action(
      action(async ({ settings, out }, file: string, options: Options) => {
        const { checkpointKey, exportLogs, signed } = await import('../../adapters/event-log/index.ts');
        const ranges = await rangesOf(settings, options);
        const key = options.sign ? keyOf(() => checkpointKey(settings.dataDir)) : undefined;
        const ends = await exportLogs(file, {
          ...{ dataDir: settings.dataDir, ranges, onProgress: progress(out) },
          madeNs: BigInt(Date.now()) * 1_000_000n,
          ...(key ? { sign: (end: ExportEnd) => signed(key, end) } : {}),
        });
        out.result({ ok: true, file, signed: key !== undefined, logs: ends }, () =>
          table(
            ['CELL', 'FIRST', 'LAST', 'EVENTS', 'HASH'],
            ends.map((end) => [
              ...[
                end.cell,
                String(end.first),
                String(end.through),
                String(end.events),
                end.hash.slice(0, 16),
              ],
            ]),
          ),
        );
        return 0;
      }),
    );
}

function progress(out: Output): (now: ExportProgress) => void {
  let shown = '';
  return (now) => {
    const step = `${now.cell} ${Math.floor((STEPS * now.events) / now.of)}`;
    if (step === shown) return;
    shown = step;
    if (out.json) out.result({ progress: now }, () => '');
    else out.note(`${now.cell}  ${now.events} of ${now.of} events  ${bytes(now.bytes)}`);
  };
}

async function rangesOf(settings: Settings, options: Options): Promise<readonly ExportRange[]> {
  const { cell, run } = options;
  const first = position('--first', options.first);
  const through = position('--through', options.through);
  if (run !== undefined) {
    if (first ?? through ?? cell)
      throw wrong('--run', '--run says the cell and the range: leave out the others');
    return [await rangeOfRun(settings, run)];
  }
  if (cell !== undefined) {
    return [{ cell: cellOf(cell), ...(first ? { first } : {}), ...(through ? { through } : {}) }];
  }
  if (first ?? through) throw wrong('--first', 'positions count within one log: add --cell');
  const { logPath } = await import('../../adapters/event-log/index.ts');
  const present = CELL_NAMES.filter((name) => existsSync(logPath(settings.dataDir, name)));
  if (present.length === 0) throw wrong('data directory', `no event log in ${settings.dataDir} yet`);
  return present.map((name) => ({ cell: name }));
}

async function rangeOfRun({ dataDir }: Settings, run: string): Promise<ExportRange> {
  const { openEventReader } = await import('../../adapters/event-log/index.ts');
  if (!isUuidv7(run)) throw wrong('--run', 'expected the id of a run, a UUIDv7');
  const reader = openEventReader(dataDir, 'runtime');
  try {
    let first = 0;
    let through = 0;
    for (const page of eachPage(reader, { runId: run })) {
      first ||= page[0]!.seq;
      through = page.at(-1)!.seq;
    }
    if (first > 0) return { cell: 'runtime', first, through };
    throw new EdgeError('run.not_found', {
      ...{ operation: 'log export', subject: run, message: `the log has no event of run ${run}` },
      hint: 'auraison runs list; old events are removed ([log] keep)',
    });
  } finally {
    reader.close();
  }
}

function position(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw wrong(option, `expected a position from 1, found ${text}`);
}

/** Throws with what helps where the key is not readable. */
function keyOf<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new EdgeError('log.failed', {
      ...{ operation: 'log export', subject: 'keys/log-checkpoints.pem', retryable: false, cause },
      message: `the key of this robot cannot be read: ${(cause as Error).message}`,
      hint: 'run it as the user of the daemon, or with --no-sign',
    });
  }
}

/** Throws `schema.invalid` for what is no cell. */
export function cellOf(name: string): CellName {
  const cell = CELL_NAMES.find((one) => one === name);
  if (cell) return cell;
  throw wrong('--cell', `expected one of ${CELL_NAMES.join(', ')}, found ${name}`);
}

export function wrong(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'auraison log', subject, message });
}
