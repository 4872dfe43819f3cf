import { connect, type Socket } from 'node:net';
import { type Clock, EdgeError, type Sample, type Timer } from '../contract/core.ts';
import {
  controlFrame,
  decodeControl,
  decodeSample,
  FRAME_CONTROL,
  FRAME_SAMPLE,
  type Frame,
  FrameReader,
  sampleFrameHead,
} from '../formats/sample-frame.ts';
import { type HostMessage, parseHostMessage } from './protocol.ts';

/** From connecting to the host's hello; it listens only once its world is loaded. */
const HELLO_MS = 2_000;
/** A host that owes a window and is silent for this long hangs; at the slowest pace one window is due each second. */
const SILENT_MS = 5_000;
/** Commands waiting for the socket; a thousand of them are minutes, and every one of them is too old. */
const SEND_QUEUE_BYTES_MAX = 64 * 1024;

export type LinkEvents = {
  onSample(sample: Sample): void;
  onMessage(message: HostMessage): void;
  /** Once, whatever ended it; `reason` is for a person. */
  onEnd(reason: string): void;
};

/** One connection to the host, from the attempt to its end. Never throws; every end is reported once. */
export class RobotLink {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  #deadline: Timer | undefined;
  #greeted = false;
  #ended = false;

  constructor(path: string, clock: Clock, events: LinkEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#expect(HELLO_MS, 'the simulation does not greet');
    this.#socket = connect(path);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.end(reasonOf(error)));
    this.#socket.on('close', () => this.end('the simulation closed the connection'));
  }

  get greeted(): boolean {
    return this.#greeted && !this.#ended;
  }

  /** The host owes the next window now. */
  expectWindow(): void {
    this.#expect(SILENT_MS, 'the simulation is silent');
  }

  /** False when the queue is full or there is no connection. */
  send(sample: Sample): boolean {
    if (!this.greeted || this.#socket.writableLength > SEND_QUEUE_BYTES_MAX) return false;
    this.#socket.write(Buffer.concat([sampleFrameHead(sample), sample.bytes]));
    return true;
  }

  tell(message: unknown): void {
    if (this.greeted) this.#socket.write(controlFrame(message));
  }

  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline?.cancel();
    this.#socket.destroy();
    this.#events.onEnd(reason);
  }

  #expect(ms: number, reason: string): void {
    this.#deadline?.cancel();
    this.#deadline = this.#clock.after(ms, () => this.end(`${reason} (${ms} ms)`));
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#ended) return;
        this.#handle(frame);
      }
    } catch (error) {
      this.end(EdgeError.from(error, 'sample.malformed', 'read-frame', 'simulation').message);
    }
  }

  #handle(frame: Frame): void {
    if (frame.kind === FRAME_SAMPLE) {
      this.#events.onSample(decodeSample(frame.body));
      return;
    }
    if (frame.kind !== FRAME_CONTROL) return;
    const message = parseHostMessage(decodeControl(frame.body));
    if (!message) return;
    if (message.kind === 'hello') this.#greeted = true;
    // After its tick the host owes nothing until it is answered; after its hello it owes the first window.
    if (message.kind === 'tick') this.#deadline?.cancel();
    this.#events.onMessage(message);
    if (message.kind === 'hello') this.expectWindow();
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return 'the simulation is not running';
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return 'the simulation went away';
  return error.message;
}
