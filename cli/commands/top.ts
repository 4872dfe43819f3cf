import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { nobodyListens } from '../../daemon/client/api-client.ts';
import { action, type CommandContext } from '../context.ts';
import { fitted, openScreen } from '../screen.ts';
import type { Status } from '../status-view.ts';
import { statusText } from './status.ts';

const EVERY_S = 1;
const EVERY_S_MAX = 3_600;

type TopOptions = { readonly every: string; readonly count?: string };

export function addTopCommand(program: Command): void {
  program
    .command('top')
    .description('the status of the daemon, drawn again each second; q or Ctrl-C ends it')
    .option('--every <s>', 'seconds between two looks', String(EVERY_S))
    .option('--count <n>', 'end after so many looks')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison top\n  auraison top --every 5\n  auraison top --json --count 10 | jq .recorder.written\n\n' +
        'It waits while the daemon restarts. Without a terminal, and with --json, each look follows the one before.',
    )
    .action(action(top));
}

/** Exit code 1: at the last look a cell was not up, or no daemon answered. */
export async function top(context: CommandContext, options: TopOptions): Promise<number> {
  const everyMs = 1_000 * between('--every', options.every, 0.1, EVERY_S_MAX);
  const most =
    options.count === undefined
      ? Number.POSITIVE_INFINITY
      : between('--count', options.count, 1, Number.MAX_SAFE_INTEGER);
  const ending = new AbortController();
  const end = () => ending.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const isLive = process.stdout.isTTY === true && !context.out.json;
  const screen = isLive ? openScreen(end) : undefined;
  let isUp = false;
  let awaySince: number | undefined;
  try {
    for (let looks = 0; looks < most && !ending.signal.aborted; looks++) {
      const found = await look(context);
      isUp = !(found instanceof EdgeError) && found.cells.every(({ state }) => state === 'up');
      awaySince = found instanceof EdgeError ? (awaySince ?? Date.now()) : undefined;
      const text =
        found instanceof EdgeError
          ? awayText(found, Date.now() - awaySince!)
          : statusText(found, context.api.url);
      if (screen) screen.draw(fitted(text, screen.columns, screen.rows));
      else if (found instanceof EdgeError) context.out.note(text);
      else context.out.result(found, () => `${text}\n`);
      if (looks + 1 < most) await sleep(everyMs, undefined, { signal: ending.signal }).catch(() => {});
    }
  } finally {
    screen?.close();
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
  return isUp ? 0 : 1;
}

/** The error where the daemon is away and may come back. Rejects with any other refusal. */
async function look({ api }: CommandContext): Promise<Status | EdgeError> {
  try {
    return await api.get<Status>('/v1/status');
  } catch (thrown) {
    if (thrown instanceof EdgeError && (thrown.retryable || nobodyListens(thrown))) return thrown;
    throw thrown;
  }
}

function awayText({ message }: EdgeError, forMs: number): string {
  return `${message}\nfor ${Math.round(forMs / 1_000)} s; waiting for it (auraison up starts a daemon)`;
}

/** The number of an option, between these bounds; throws `schema.invalid` otherwise. */
export function between(
  option: string,
  text: string,
  least: number,
  most: number,
  operation = 'top',
): number {
  const value = Number(text);
  if (value >= least && value <= most) return value;
  throw new EdgeError('schema.invalid', {
    operation,
    subject: option,
    message: `${option}: expected a number from ${least} to ${most}, found ${text}`,
  });
}
