import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type AgentEvent,
  CELL_NAMES,
  domainOf,
  EdgeError,
  type EventDomain,
  type EventKind,
  kindsOfDomain,
  LIMITS,
  type ReadFilter,
} from '../../contract/index.ts';
import { type Cursor, parseCursor, START, vector } from './event-cursor.ts';
import { EventMerge } from './event-merge.ts';
import { type StreamEnd, type StreamSink, streamEvents } from './event-stream.ts';
import type { HttpPorts } from './http-ports.ts';
import type { LogReaders } from './log-readers.ts';
import type { Metrics } from './metrics.ts';

export type StreamRequest = {
  readonly kind?: readonly EventKind[];
  readonly domain?: EventDomain;
  readonly follow?: boolean;
  readonly cursor?: string;
  readonly since?: 'start' | 'recent' | 'now';
  readonly run?: string;
  /** The stream ends with the `run.finished` of its run. */
  readonly endWithRun?: boolean;
  /** The run has ended already: a stream that has given its end has nothing more to give. */
  readonly finished?: boolean;
};

const END: EventKind = 'run.finished';

/** Opens, counts and ends the event streams of this server. */
export class Streams {
  readonly #ports: HttpPorts;
  readonly #logs: LogReaders;
  readonly #metrics: Metrics;
  readonly #open = new Set<AbortController>();

  constructor(ports: HttpPorts, logs: LogReaders, metrics: Metrics) {
    this.#ports = ports;
    this.#logs = logs;
    this.#metrics = metrics;
  }

  /** Answers with a stream; throws before the first byte where it cannot. */
  async serve(request: FastifyRequest, reply: FastifyReply, wanted: StreamRequest): Promise<void> {
    if (this.#open.size >= LIMITS.STREAMS_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'stream events',
        subject: 'streams',
        message: `${LIMITS.STREAMS_MAX} event streams are open already`,
        hint: 'close one, or read with follow=false',
      });
    }
    const follow = wanted.follow ?? true;
    const messages = follow || request.headers.accept?.includes('text/event-stream') === true;
    const format = messages ? 'sse' : 'ndjson';
    const last = this.#logs.lastSeqs();
    const from = this.#from(request, wanted, last);
    const { run, endWithRun } = wanted;
    const kinds = kindsOf(wanted);
    // The end of the run is the end of its stream, whatever kinds are shown.
    const read = endWithRun && kinds && !kinds.includes(END) ? [...kinds, END] : kinds;
    const filter: ReadFilter = {
      ...(run === undefined ? {} : { runId: run }),
      ...(read === undefined ? {} : { kinds: read }),
    };
    if (follow && wanted.finished && this.#nothingLeft(from, filter)) {
      // To an EventSource 204 means: do not come back.
      await reply.code(204).send();
      return;
    }
    const merge = new EventMerge(this.#logs, filter, from, follow ? undefined : last);
    const abort = new AbortController();
    this.#open.add(abort);
    this.#metrics.streamOpened();
    let end: StreamEnd = 'gone';
    try {
      reply.hijack();
      reply.raw.writeHead(200, headers(format, request.id));
      reply.raw.flushHeaders();
      end = await streamEvents({
        clock: this.#ports.clock,
        logs: this.#logs,
        merge,
        sink: socketSink(reply, abort),
        format,
        follow,
        ...(endWithRun ? { last: (event) => event.kind === END } : {}),
        ...(kinds ? { shown: (event) => kinds.includes(event.kind) && isOfDomain(event, wanted) } : {}),
      });
    } catch (error) {
      this.#ports.report('error', 'event stream failed', {
        error: (error as Error).message,
        request: request.id,
      });
    } finally {
      this.#open.delete(abort);
      this.#metrics.streamClosed(end === 'stalled');
      this.#finish(reply);
    }
  }

  /** Ends all streams; their readers come back with their cursors. */
  close(): void {
    for (const abort of this.#open) abort.abort();
  }

  #nothingLeft(from: Cursor, filter: ReadFilter): boolean {
    return CELL_NAMES.every((cell) =>
      this.#logs.with(cell, true, (reader) => reader.read(from[cell], 1, filter).length === 0),
    );
  }

  /** A stalled reader may still take its farewell; after a grace its socket is closed anyway. */
  #finish(reply: FastifyReply): void {
    const { raw } = reply;
    raw.end();
    if (raw.closed) return;
    const cut = this.#ports.clock.after(LIMITS.STREAM_FAREWELL_MS, () => raw.destroy());
    raw.once('close', () => cut.cancel());
  }

  #from(request: FastifyRequest, wanted: StreamRequest, last: Cursor): Cursor {
    const header = request.headers['last-event-id'];
    const text = typeof header === 'string' && header !== '' ? header : wanted.cursor;
    if (text === undefined) {
      if (wanted.since === 'recent') {
        const back = kindsOf(wanted) ? LIMITS.STREAM_RECENT_OF_KIND : LIMITS.STREAM_RECENT;
        return vector((cell) => Math.max(0, last[cell] - back));
      }
      return wanted.since === 'now' ? last : START;
    }
    const cursor = parseCursor(text);
    for (const cell of CELL_NAMES) {
      const behind = this.#logs.with(cell, false, (reader) => cursor[cell] > reader.lastSeq());
      if (!behind) continue;
      throw new EdgeError('schema.invalid', {
        operation: 'stream events',
        subject: 'Last-Event-ID',
        message: `/: the cursor is ahead of the ${cell} log: it belongs to another data directory`,
        hint: 'leave it out to start at the start',
      });
    }
    return cursor;
  }
}

/** The kinds to read; undefined: all of them. */
function kindsOf({ kind, domain }: StreamRequest): readonly EventKind[] | undefined {
  if (domain === undefined) return kind;
  const ofDomain = kindsOfDomain(domain);
  return kind ? ofDomain.filter((one) => kind.includes(one)) : ofDomain;
}

function isOfDomain(event: AgentEvent, { domain }: StreamRequest): boolean {
  return domain === undefined || domainOf(event) === domain;
}

function headers(format: 'sse' | 'ndjson', requestId: string): Record<string, string> {
  return {
    'content-type': `${format === 'sse' ? 'text/event-stream' : 'application/x-ndjson'}; charset=utf-8`,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
  };
}

function socketSink(reply: FastifyReply, abort: AbortController): StreamSink {
  const { raw } = reply;
  raw.on('close', () => abort.abort());
  raw.on('error', () => abort.abort());
  return {
    gone: abort.signal,
    write: (text) => raw.write(text),
    drained: () =>
      new Promise((resolve) => {
        if (abort.signal.aborted || !raw.writableNeedDrain) return resolve();
        const done = () => {
          raw.removeListener('drain', done);
          abort.signal.removeEventListener('abort', done);
          resolve();
        };
        raw.on('drain', done);
        abort.signal.addEventListener('abort', done, { once: true });
      }),
  };
}
