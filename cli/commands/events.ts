import { type Command, Option } from 'commander';
import { type AgentEvent, EdgeError, EVENT_DOMAINS } from '../../contract/core.ts';
import { type ApiClient, isAway } from '../../daemon/client/api-client.ts';
import { clean } from '../chat/text.ts';
import { action } from '../context.ts';
import { toJson } from '../output.ts';

type EventsOptions = { follow?: boolean; run?: string; kind?: string; domain?: string; after?: string };

export function addEventsCommand(program: Command): void {
  program
    .command('events')
    .description(
      'the events of all cells; with --follow they continue until Ctrl-C, across restarts of the daemon',
    )
    .option('--follow', 'continue with new events')
    .option('--run <run>', 'only of this run')
    .option('--kind <kind>', 'only of this kind, for example run.phase')
    .addOption(new Option('--domain <domain>', 'only about this').choices([...EVENT_DOMAINS]))
    .option('--after <cursor>', 'continue after this cursor (the id of an earlier event)')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison events --kind run.phase\n  auraison events --domain governance\n  auraison events --follow --json | jq .kind',
    )
    .action(
      action(async ({ api, out }, options: EventsOptions) => {
        const print = (event: AgentEvent) =>
          process.stdout.write(`${out.json ? toJson(event) : eventLine(event)}\n`);
        const query = new URLSearchParams({ follow: String(options.follow === true) });
        if (options.run) query.set('run', options.run);
        if (options.kind) query.set('kind', options.kind);
        if (options.domain) query.set('domain', options.domain);
        if (options.follow) await follow(api, `/v1/events?${query}`, options.after, print, out.note);
        else await readOnce(api, `/v1/events?${query}`, options.after, print);
        return 0;
      }),
    );
}

/** Reads what there is, once. */
export async function readOnce(
  api: ApiClient,
  path: string,
  after: string | undefined,
  print: (event: AgentEvent) => void,
): Promise<void> {
  const response = await api.stream(path, {
    accept: 'application/x-ndjson',
    ...(after === undefined ? {} : { 'last-event-id': after }),
  });
  for await (const line of lines(response)) if (line.startsWith('{')) print(JSON.parse(line) as AgentEvent);
}

/**
 * Reads the stream and comes back from its cursor whenever the daemon is there again. Throws errors that a retry does
 * not fix: a wrong kind, a cursor of another data directory, a token that opens nothing. Errors of a proxy while the
 * daemon restarts do not count.
 */
export async function follow(
  api: ApiClient,
  path: string,
  after: string | undefined,
  print: (event: AgentEvent) => void,
  note: (text: string) => void,
): Promise<void> {
  let cursor = after;
  let told = false;
  for (;;) {
    try {
      const response = await api.stream(path, {
        accept: 'text/event-stream',
        ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
      });
      told = false;
      for await (const { id, event } of readMessages(response)) {
        if (event) print(event);
        cursor = id ?? cursor;
      }
    } catch (error) {
      if (error instanceof EdgeError && !error.retryable && !isAway(error)) throw error;
      if (!told) note(`waiting for the daemon: ${(error as Error).message}`);
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Messages of a stream of server-sent events: the cursor after each, and its event where it has one. */
export async function* readMessages(
  response: Response,
): AsyncGenerator<{ readonly id: string | undefined; readonly event: AgentEvent | undefined }> {
  let id: string | undefined;
  for await (const line of lines(response)) {
    if (line.startsWith('id:')) id = line.slice(3).trim();
    // Given only now: a stream may break off between the two lines.
    else if (line.startsWith('data:')) {
      const data = JSON.parse(line.slice(5)) as AgentEvent;
      yield { id, event: data.kind === undefined ? undefined : data };
    }
  }
}

async function* lines(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest !== '') yield rest;
}

/** One event for people: time, cell, kind and the short facts of its payload. */
export function eventLine(event: AgentEvent): string {
  const clock = new Date(Number(BigInt(event.ts) / 1_000_000n)).toISOString().slice(11, 23);
  const facts = Object.entries(event.payload as Record<string, unknown>)
    .filter(([, value]) => typeof value !== 'object' || value === null)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ');
  const line = `${clock}  ${event.cell.padEnd(9)} ${String(event.seq).padStart(6)}  ${event.kind.padEnd(16)} ${facts}`;
  return clean(line).replaceAll('\n', ' ').trimEnd();
}
