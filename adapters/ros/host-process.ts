import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Clock, EdgeError, LIMITS, type Timer, withDeadline } from '../../contract/core.ts';
import {
  type ApiCall,
  type ApiNews,
  type ApiRequest,
  type ApiWord,
  decodeApiNews,
  encodeApi,
} from './api-wire.ts';
import { FrameReader } from './frame-reader.ts';
import type { RosPlace } from './locate.ts';
import { ROS_LIMITS } from './options.ts';
import {
  type Control,
  decodeJson,
  decodeSample,
  encodeFrame,
  encodeJson,
  FRAME,
  type Notice,
  publishHead,
  type QosEvent,
  type SampleFrame,
  type StartOptions,
} from './wire.ts';

export type HostEvents = {
  onSample(frame: SampleFrame): void;
  onEvent(level: 'info' | 'warn' | 'error', message: string): void;
  onApiNews(news: ApiNews): void;
  onQosEvent(event: QosEvent): void;
  /** Called once, when the process is gone, for whatever reason. */
  onExit(reason: string): void;
};

type Pending = { resolve(value?: unknown): void; reject(error: EdgeError): void };
type Request =
  | Omit<Extract<Control, { kind: 'subscribe' }>, 'id'>
  | Omit<Extract<Control, { kind: 'advertise' }>, 'id'>;

const HOST_SCRIPT = fileURLToPath(new URL('./host/main.ts', import.meta.url));
const SOCKET_FD = 3;
/** Looks without a frame after which the host counts as hung. Counting looks forgives our own pauses. */
const SILENT_LOOKS_MAX = LIMITS.HEARTBEAT_SILENT_MS / LIMITS.HEARTBEAT_MS;

/** One life of the ROS host: from spawn to exit. Starting it again is `RosHost`'s business. */
export class HostProcess {
  readonly #clock: Clock;
  readonly #events: HostEvents;
  readonly #child: ChildProcess;
  readonly #socket: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #channels = new Set<number>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #ready = Promise.withResolvers<void>();
  #isReady = false;
  #gone = false;
  #lost: Readonly<Record<string, number>> = {};
  #silentLooks = 0;
  #looks: Timer;
  #deadline: Timer;
  #stderr = '';
  #reason = '';

  constructor(place: RosPlace, start: StartOptions, clock: Clock, events: HostEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#ready.promise.catch(() => {});
    this.#child = spawn(process.execPath, [HOST_SCRIPT, place.rclnodejs], {
      env: place.env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.#socket = this.#child.stdio[SOCKET_FD] as Duplex;
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#onGone(`cannot be started: ${error.message}`, resolve));
      this.#child.once('exit', (code, signal) => this.#onGone(this.#explain(code, signal), resolve));
    });
    const reader = new FrameReader((kind, body) => this.#onFrame(kind, body));
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.kill(error instanceof Error ? error.message : String(error));
      }
    });
    this.#socket.on('error', () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#stderr = (this.#stderr + text).slice(-ROS_LIMITS.STDERR_CHARS_MAX);
      });
    }
    this.#deadline = clock.after(ROS_LIMITS.START_MS, () => this.kill('did not start within its time limit'));
    this.#looks = clock.every(LIMITS.HEARTBEAT_MS, () => this.#look());
    this.#control({ kind: 'start', ...start });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return !this.#gone;
  }

  /** Lost before they reached us, by topic, since this process started. */
  get lost(): Readonly<Record<string, number>> {
    return this.#lost;
  }

  /** Resolves when the node is in the graph; rejects with what the host said, or why it ended. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async request(request: Request): Promise<void> {
    const id = this.#nextId++;
    const answered = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#control({ ...request, id });
    try {
      await withDeadline(this.#clock, ROS_LIMITS.REQUEST_MS, answered, request.kind, request.spec.topic);
      this.#channels.add(request.channel);
    } finally {
      this.#pending.delete(id);
    }
  }

  /** A topic that is no longer wanted; what is on its way still comes. */
  forget(channel: number): void {
    this.#channels.delete(channel);
    this.#control({ kind: 'unsubscribe', channel });
  }

  /** One call of the API; `answer` rejects when this process ends. Its deadline is the caller's business. */
  apiCall(call: ApiCall): { readonly answer: Promise<unknown>; abort(): void } {
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    answer.catch(() => {});
    if (this.#gone || this.#socket.destroyed) {
      this.#pending.get(id)?.reject(this.#ended());
      this.#pending.delete(id);
    } else if (this.#socket.writableLength > ROS_LIMITS.OUTGOING_API_BYTES_MAX) {
      this.#pending.get(id)?.reject(this.#failed('the ROS host process cannot keep up with its calls'));
      this.#pending.delete(id);
    } else this.#api(FRAME.apiCall, { id, call });
    return {
      answer,
      abort: () => {
        if (this.#pending.delete(id)) this.apiWord({ op: 'abort', id });
      },
    };
  }

  apiWord(word: ApiWord): void {
    this.#api(FRAME.apiWord, word);
  }

  #api(kind: number, value: ApiRequest | ApiWord): void {
    if (!this.#socket.destroyed) this.#socket.write(encodeFrame(kind, encodeApi(value)));
  }

  /** False when the host does not take it now. */
  publish(channel: number, bytes: Uint8Array, expiresAtMs?: number): boolean {
    if (!this.#isReady || this.#socket.destroyed) return false;
    if (this.#socket.writableLength > ROS_LIMITS.OUTGOING_BYTES_MAX) return false;
    this.#socket.cork();
    this.#socket.write(publishHead(channel, bytes.length, expiresAtMs));
    this.#socket.write(bytes);
    this.#socket.uncork();
    return true;
  }

  /** Stops what is guarded, at once. */
  halt(): void {
    this.#control({ kind: 'halt' });
  }

  /** Whether this process has the topic of `channel`. */
  has(channel: number): boolean {
    return this.#channels.has(channel);
  }

  kill(reason: string): void {
    this.#reason ||= reason;
    this.#child.kill('SIGKILL');
  }

  /** Lets the host stop the robot and leave the graph; kills it when it takes too long. */
  async close(): Promise<void> {
    this.#reason ||= 'closed';
    this.#control({ kind: 'stop' });
    const timer = this.#clock.after(ROS_LIMITS.CLOSE_MS, () => this.kill('closed'));
    await this.#exited;
    timer.cancel();
  }

  #control(control: Control): void {
    if (!this.#socket.destroyed) this.#socket.write(encodeJson(FRAME.control, control));
  }

  #look(): void {
    this.#control({ kind: 'ping' });
    this.#silentLooks += 1;
    if (this.#isReady && this.#silentLooks > SILENT_LOOKS_MAX) this.kill('hung: no heartbeat');
  }

  #onFrame(kind: number, body: Buffer): void {
    this.#silentLooks = 0;
    if (kind === FRAME.sample) this.#events.onSample(decodeSample(body));
    else if (kind === FRAME.notice) this.#onNotice(decodeJson<Notice>(body));
    else if (kind === FRAME.apiNews) this.#onApiNews(decodeApiNews(body));
  }

  #onApiNews(news: ApiNews): void {
    if (news.op !== 'reply' && news.op !== 'error') {
      this.#events.onApiNews(news);
      return;
    }
    const pending = this.#pending.get(news.id);
    this.#pending.delete(news.id);
    if (news.op === 'reply') pending?.resolve(news.value);
    else pending?.reject(EdgeError.fromBody(news.error));
  }

  #onNotice(notice: Notice): void {
    switch (notice.kind) {
      case 'phase':
        this.#events.onEvent('info', notice.message);
        if (notice.phase === 'generating') {
          this.#deadline.cancel();
          this.#deadline = this.#clock.after(ROS_LIMITS.GENERATE_MS, () =>
            this.kill('did not start within its time limit'),
          );
        }
        return;
      case 'ready':
        this.#deadline.cancel();
        this.#isReady = true;
        this.#events.onEvent('info', `ROS ${notice.distro}, middleware ${notice.rmw}`);
        this.#ready.resolve();
        return;
      case 'unusable':
        this.#ready.reject(EdgeError.fromBody(notice.error));
        this.kill(notice.error.message);
        return;
      case 'done':
        this.#pending.get(notice.id)?.resolve();
        return;
      case 'failed':
        this.#pending.get(notice.id)?.reject(EdgeError.fromBody(notice.error));
        return;
      case 'beat':
        this.#lost = notice.lost;
        return;
      case 'qos':
        this.#events.onQosEvent(notice.event);
        return;
      case 'event':
        this.#events.onEvent(
          notice.level,
          notice.topic ? `${notice.topic}: ${notice.message}` : notice.message,
        );
    }
  }

  #explain(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.#reason) return this.#reason;
    const last = this.#stderr.trim().split('\n').slice(-3).join(' ');
    return `ended by ${signal ?? `exit code ${code}`}${last ? `: ${last}` : ''}`;
  }

  #ended(): EdgeError {
    return this.#failed(this.#reason || 'the ROS host ended');
  }

  #failed(message: string): EdgeError {
    return new EdgeError('ros.failed', { operation: 'run the ROS host', subject: 'rclnodejs', message });
  }

  #onGone(reason: string, resolve: () => void): void {
    this.#gone = true;
    this.#reason ||= reason;
    this.#isReady = false;
    this.#looks.cancel();
    this.#deadline.cancel();
    this.#socket.destroy();
    const error = this.#failed(reason);
    this.#ready.reject(error);
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    resolve();
    this.#events.onExit(reason);
  }
}
