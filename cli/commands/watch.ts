import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type AgentEvent, EdgeError, type RunDetails } from '../../contract/core.ts';
import { type ApiClient, isAway, nobodyListens } from '../../daemon/client/api-client.ts';
import { action, type CommandContext } from '../context.ts';
import { openScreen, type Screen } from '../screen.ts';
import type { Status } from '../status-view.ts';
import type { Look, WatchView } from '../watch/view.ts';
import { WatchBook } from '../watch/watch-book.ts';
import { watchText } from '../watch/watch-text.ts';
import { readMessages } from './events.ts';
import { between } from './top.ts';

const EVERY_S = 1;
const EVERY_S_MAX = 3_600;
/** After this time without an answer the view says so, while it still waits. */
const LATE_MS = 3_000;
const RUNS = 20;
const PLAIN_COLUMNS = 100;
const PLAIN_ROWS = 40;

/** Events of one line of `--json`. */
const EVENTS_MAX = 500;
const READ_MS = 15_000;

/** The newest events of a look, and how many came before them. */
type Heard = { readonly events: readonly AgentEvent[]; readonly left_out: number };

type WatchOptions = { readonly every: string; readonly count?: string };

export function addWatchCommand(program: Command): void {
  program
    .command('watch')
    .description('the robot at work: state, run with its last calls, alerts, events; q or Ctrl-C ends it')
    .option('--every <s>', 'seconds between two looks', String(EVERY_S))
    .option('--count <n>', 'end after so many looks')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison watch\n  auraison watch --json | jq -c .alerts\n\n' +
        'While the daemon is away it shows what was known, paler, and since when. With --json each look is one line,\n' +
        'with the events since the look before. auraison top shows the processes instead.',
    )
    .action(action(watch));
}

/** Exit code 1: the daemon did not answer at the last look. */
export async function watch(context: CommandContext, options: WatchOptions): Promise<number> {
  const { api, out } = context;
  const everyMs = 1_000 * between('--every', options.every, 0.1, EVERY_S_MAX, 'watch');
  const most =
    options.count === undefined
      ? Number.POSITIVE_INFINITY
      : between('--count', options.count, 1, Number.MAX_SAFE_INTEGER, 'watch');
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of SIGNALS) process.once(signal, end);
  const book = new WatchBook(api.url);
  const reader = new EventsReader(api);
  const screen = process.stdout.isTTY === true && !out.json ? openScreen(end) : undefined;
  const draw = () => screen && drawOn(screen, book.view(Date.now()), out.colour);
  screen?.onResize(() => draw());
  let isUp = false;
  try {
    for (let looks = 0; looks < most && !ending.signal.aborted; looks++) {
      const from = Date.now();
      const looking = lookAt(api, reader, book);
      // A daemon that takes the request and is silent must be seen too.
      for (;;) {
        const waited = await Promise.race([looking, sleep(everyMs), ended(ending.signal)]);
        if (waited || ending.signal.aborted) break;
        if (Date.now() - from > LATE_MS) book.missed('the daemon takes requests and does not answer', from);
        draw();
      }
      if (ending.signal.aborted) {
        looking.catch(() => {});
        break;
      }
      const heard = await looking;
      const view = book.view(Date.now());
      isUp = view.away === undefined;
      if (screen) drawOn(screen, view, out.colour);
      else
        out.result(
          { ...view, events: heard.events, events_left_out: heard.left_out },
          () => `${watchText(view, PLAIN_COLUMNS, PLAIN_ROWS, out.colour)}\n`,
        );
      if (looks + 1 < most) await sleep(everyMs, undefined, { signal: ending.signal }).catch(() => {});
    }
  } finally {
    screen?.close();
    for (const signal of SIGNALS) process.off(signal, end);
  }
  return isUp ? 0 : 1;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function drawOn(screen: Screen, view: WatchView, colour: boolean): void {
  screen.draw(watchText(view, screen.columns, screen.rows, colour));
}

/** The new events. A daemon that is away is noted in the book; any other refusal rejects. */
async function lookAt(api: ApiClient, reader: EventsReader, book: WatchBook): Promise<Heard> {
  try {
    const [status, { runs }] = await Promise.all([
      api.get<Status>('/v1/status'),
      // While the runtime cell restarts there is no list, but a status.
      api.get<Pick<Look, 'runs'>>(`/v1/runs?limit=${RUNS}`).catch((thrown: unknown) => {
        if (isAbsent(thrown)) return { runs: [] as readonly RunDetails[] };
        throw thrown;
      }),
    ]);
    const heard = await reader.read((event) => book.take(event));
    book.seen({ status, runs }, Date.now());
    return heard;
  } catch (thrown) {
    if (!isAbsent(thrown)) throw thrown;
    book.missed((thrown as EdgeError).message, Date.now());
    return { events: [], left_out: 0 };
  }
}

/** Away, and may come back. */
function isAbsent(thrown: unknown): boolean {
  return thrown instanceof EdgeError && (thrown.retryable || nobodyListens(thrown) || isAway(thrown));
}

/** Events since the read before, each once; at first the last ones of each cell. */
class EventsReader {
  readonly #api: ApiClient;
  #cursor: string | undefined;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  /** Gives every event to `take`, and returns the newest ones. What broke off is continued at the next read. */
  async read(take: (event: AgentEvent) => void): Promise<Pick<Heard, 'events' | 'left_out'>> {
    let events: AgentEvent[] = [];
    let left_out = 0;
    for await (const { id, event } of readMessages(await this.#open())) {
      this.#cursor = id ?? this.#cursor;
      if (!event) continue;
      take(event);
      events.push(event);
      if (events.length < 2 * EVENTS_MAX) continue;
      left_out += EVENTS_MAX;
      events = events.slice(EVENTS_MAX);
    }
    const more = Math.max(0, events.length - EVENTS_MAX);
    return { events: events.slice(more), left_out: left_out + more };
  }

  async #open(): Promise<Response> {
    const ask = () =>
      this.#api.stream(
        '/v1/events?follow=false&since=recent',
        {
          accept: 'text/event-stream',
          ...(this.#cursor === undefined ? {} : { 'last-event-id': this.#cursor }),
        },
        AbortSignal.timeout(READ_MS),
      );
    try {
      return await ask();
    } catch (thrown) {
      const isForeign = thrown instanceof EdgeError && thrown.code === 'schema.invalid';
      if (!isForeign || this.#cursor === undefined) throw thrown;
      // The daemon came back with another data directory, whose events are others.
      this.#cursor = undefined;
      return ask();
    }
  }
}

/** Resolves to nothing when the signal aborts. */
async function ended(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return undefined;
}
