import { IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, LIMITS, type Timer } from '../../contract/index.ts';
import type { Connections } from './connections.ts';
import { HeadTape } from './head-tape.ts';
import { ESTOP_PATH, meansStop, rawStopOf } from './raw-head.ts';

type Line = {
  readonly tape: HeadTape;
  readonly hear: (chunk: Buffer) => void;
  /** The newest answer of this connection that is not given yet, and whether it is to an emergency stop. */
  newest?: { readonly response: ServerResponse; readonly isStop: boolean } | undefined;
  /** What the parser refused is taken for an emergency stop, which its route answers. */
  isTaken: boolean;
  /** More of a head has come that was not whole. */
  more?: (() => void) | undefined;
};
type ClientError = Error & { readonly code?: string };

const faults = new WeakMap<IncomingMessage, string>();

/** What was wrong with the framing of this request, for a person; undefined where the parser took it. */
export function framingFault(request: IncomingMessage): string | undefined {
  return faults.get(request);
}

/**
 * Emergency stops that the HTTP parser refuses: broken framing, headers that are too large, names and values that it does
 * not know. Such a request is given to the routes as one without a body, so that host, origin, token and answer are those
 * of every emergency stop. All else that the parser refuses is answered as before. Nothing is ever released by this.
 */
export class BrokenStops {
  readonly #clock: Clock;
  readonly #connections: Pick<Connections, 'linger'>;
  readonly #lines = new WeakMap<Duplex, Line>();

  constructor(clock: Clock, connections: Pick<Connections, 'linger'>) {
    this.#clock = clock;
    this.#connections = connections;
  }

  /** Once, before the server listens, and after it has what answers errors of its clients. */
  watch(server: Server): void {
    const before = server.listeners('clientError') as ((error: Error, socket: Duplex) => void)[];
    server.removeAllListeners('clientError');
    server.on('clientError', (error: ClientError, socket) => {
      if (this.#takes(server, error, socket as Socket)) return;
      for (const answer of before) answer.call(server, error, socket);
    });
    server.on('connection', (socket) => this.#opened(socket));
    server.on('upgrade', (_request, socket) => this.#forget(socket));
    server.prependListener('request', (request, response) => this.#parsed(request, response));
    // What a client expects besides an answer keeps no stop from engaging.
    server.on('checkExpectation', (request, response) => {
      if (meansStop(request.method, request.url)) return server.emit('request', request, response);
      this.#lines.get(request.socket)?.tape.taken(request);
      return response.writeHead(417).end();
    });
  }

  #opened(socket: Socket): void {
    const tape = new HeadTape();
    const hear = (chunk: Buffer) => {
      tape.add(chunk);
      line.more?.();
    };
    const line: Line = { tape, hear, isTaken: false };
    this.#lines.set(socket, line);
    // Before the parser: it says in the same turn what it thinks of them.
    socket.prependListener('data', hear);
  }

  #forget(socket: Duplex): void {
    const line = this.#lines.get(socket);
    if (line) socket.off('data', line.hear);
    this.#lines.delete(socket);
  }

  #parsed(request: IncomingMessage, response: ServerResponse): void {
    const line = this.#lines.get(request.socket);
    // One that was made here was not parsed.
    if (!line || faults.has(request)) return;
    line.tape.taken(request);
    const newest = { response, isStop: meansStop(request.method, request.url) };
    line.newest = newest;
    response.once('close', () => {
      if (line.newest === newest) line.newest = undefined;
    });
  }

  /** True: this error of a client is answered here, or by the route. */
  #takes(server: Server, error: ClientError, socket: Socket): boolean {
    const line = this.#lines.get(socket);
    if (!line || socket.destroyed) return false;
    if (line.isTaken) return true;
    // It is engaged already, and its body is broken: the route answers.
    if (line.newest?.isStop === true) {
      line.newest.response.shouldKeepAlive = false;
      return true;
    }
    if (rawStopOf(line.tape.bytes) === undefined) return false;
    line.isTaken = true;
    this.#whenWhole(socket, line, () => this.#engage(server, socket, line, error));
    return true;
  }

  /** A header that decides may still come: it is waited for as long as for a body. */
  #whenWhole(socket: Socket, line: Line, done: () => void): void {
    const { tape } = line;
    const isOver = () => tape.isFull || socket.readableEnded || rawStopOf(tape.bytes)?.isWhole === true;
    if (isOver()) {
      done();
      return;
    }
    const leave = () => {
      timer.cancel();
      line.more = undefined;
      socket.off('close', leave).off('end', finish);
    };
    const finish = () => {
      leave();
      done();
    };
    const timer: Timer = this.#clock.after(LIMITS.STOP_BODY_MS, finish);
    line.more = () => {
      if (isOver()) finish();
    };
    socket.once('close', leave);
    // Before the server closes its side too.
    socket.prependOnceListener('end', finish);
  }

  #engage(server: Server, socket: Socket, line: Line, { code = 'unknown' }: ClientError): void {
    const request = new IncomingMessage(socket);
    Object.assign(request, { method: 'POST', url: ESTOP_PATH, complete: true });
    Object.assign(request, { httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1 });
    request.headers = rawStopOf(line.tape.bytes)?.headers ?? {};
    request.push(null);
    faults.set(request, `the request was broken (${code}): what it said of its reason was not read`);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.once('finish', () => {
      response.detachSocket(socket);
      this.#connections.linger(request);
      socket.destroySoon();
    });
    const answers = () => {
      if (!socket.destroyed) response.assignSocket(socket);
    };
    // Answers go out in the order of the requests; the stop does not wait for them.
    if (line.newest) line.newest.response.once('close', answers);
    else answers();
    server.emit('request', request, response);
  }
}
