import { type AgentEvent, type Clock, EdgeError, LIMITS, withDeadline } from '../../contract/index.ts';
import { formatCursor } from './event-cursor.ts';
import type { EventMerge } from './event-merge.ts';
import type { LogReaders } from './log-readers.ts';

/** The target of a stream. `write` returns false when the caller has to wait for the reader. */
export type StreamSink = {
  write(text: string): boolean;
  /** Settles when the reader has taken what was written, or has gone. */
  drained(): Promise<void>;
  /** Aborts when the reader has gone or the server stops. */
  readonly gone: AbortSignal;
};

export type StreamOptions = {
  readonly clock: Clock;
  readonly logs: LogReaders;
  readonly merge: EventMerge;
  readonly sink: StreamSink;
  readonly format: 'sse' | 'ndjson';
  /** True: continues as the logs grow. Otherwise the stream ends after the last event. */
  readonly follow: boolean;
  /** The stream ends after an event for which this is true, and after the events that are there by then. */
  readonly last?: (event: AgentEvent) => boolean;
  /** False for an event that is read for its end alone: its reader did not ask for it. */
  readonly shown?: (event: AgentEvent) => boolean;
};

export type StreamEnd = 'complete' | 'gone' | 'stalled';

/** Events in a row without giving other requests of this process a turn. */
const TURN_EVENTS = 128;

/**
 * Gives a reader its events, each once and in order, as fast as it takes them and no faster. A reader that
 * takes nothing for `LIMITS.STREAM_STALLED_MS` is disconnected; it reconnects with its cursor and misses nothing.
 */
export async function streamEvents(options: StreamOptions): Promise<StreamEnd> {
  const { clock, logs, merge, sink, format, follow } = options;
  let turn = 0;
  let ending = false;
  let silentSince = clock.monotonicMs();
  try {
    while (!sink.gone.aborted) {
      const event = merge.next();
      if (event) {
        if (options.shown?.(event) !== false) await give(options, frame(event, merge, format));
        silentSince = clock.monotonicMs();
        if (options.last?.(event)) {
          // Another cell may have logged related events: sends those that are there, then ends.
          ending = true;
          merge.refresh();
        }
        if (++turn % TURN_EVENTS === 0) await turnOfOthers(clock);
        continue;
      }
      if (!follow || ending) return await end(options);
      if (format === 'sse' && clock.monotonicMs() - silentSince >= LIMITS.STREAM_HEARTBEAT_MS) {
        await give(options, ': still here\n\n');
        silentSince = clock.monotonicMs();
      }
      await logs.grown(clock, LIMITS.STREAM_POLL_MS, sink.gone);
      merge.refresh();
    }
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== 'deadline.exceeded') throw error;
    if (format === 'sse') sink.write(farewell(merge));
    return 'stalled';
  }
  return 'gone';
}

async function give(options: StreamOptions, text: string): Promise<void> {
  const { sink, clock } = options;
  if (sink.write(text)) return;
  await withDeadline(clock, LIMITS.STREAM_STALLED_MS, sink.drained(), 'stream events', 'slow reader');
}

async function end(options: StreamOptions): Promise<StreamEnd> {
  // It has an id even without an event: a client that reconnects continues from here.
  const id = formatCursor(options.merge.cursor());
  if (options.format === 'sse') await give(options, `event: end\nid: ${id}\ndata: {}\n\n`);
  return 'complete';
}

function frame(event: AgentEvent, merge: EventMerge, format: 'sse' | 'ndjson'): string {
  const json = JSON.stringify(event);
  return format === 'sse' ? `id: ${formatCursor(merge.cursor())}\ndata: ${json}\n\n` : `${json}\n`;
}

function farewell(merge: EventMerge): string {
  const body = new EdgeError('cell.overloaded', {
    operation: 'stream events',
    subject: formatCursor(merge.cursor()),
    message: `nothing was taken for ${LIMITS.STREAM_STALLED_MS} ms`,
    hint: 'connect again with the id of the last event received as Last-Event-ID',
  }).toBody();
  return `event: error\ndata: ${JSON.stringify(body)}\n\n`;
}

function turnOfOthers(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.after(0, resolve));
}
