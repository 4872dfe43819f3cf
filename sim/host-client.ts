import type { Socket } from 'node:net';
import type { Nanoseconds, Sample } from '../contract/core.ts';
import { EdgeError } from '../contract/core.ts';
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
import { faultMessage, parseTock, tickMessage } from './protocol.ts';

/** Bytes waiting for a slow client; above it samples are dropped and counted. Some 800 windows. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** Clients send commands; a longer message comes from no valid client. */
const FRAME_BYTES_MAX = 64 * 1024;

/** The commanding client, as its connection. */
export class HostClient {
  readonly #socket: Socket;
  readonly #reader = new FrameReader(FRAME_BYTES_MAX);
  readonly #command: (sample: Sample) => string | undefined;
  readonly #queueBytesMax: number;
  readonly #lost: Record<string, number> = {};
  #ticked: Nanoseconds | undefined;
  #settle: (() => void) | undefined;
  #faultTold = false;
  #gone = false;

  /** `command` obeys, returns the reason of a refusal, or throws for an invalid sample; `onGone` is called once. */
  constructor(
    socket: Socket,
    command: (sample: Sample) => string | undefined,
    onGone: () => void,
    queueBytesMax: number = QUEUE_BYTES_MAX,
  ) {
    this.#socket = socket;
    this.#command = command;
    this.#queueBytesMax = queueBytesMax;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#gone = true;
      this.#settle?.();
      onGone();
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Samples beyond the queue's bound are dropped, whole windows at once, and counted by topic. */
  send(samples: readonly Sample[]): void {
    if (this.#gone) return;
    if (this.#socket.writableLength > this.#queueBytesMax) {
      for (const { topic } of samples) this.#lost[topic] = (this.#lost[topic] ?? 0) + 1;
      return;
    }
    this.#write(Buffer.concat(samples.flatMap((sample) => [sampleFrameHead(sample), sample.bytes])));
  }

  /** Control messages are small and few; they are never dropped. */
  tell(message: unknown): void {
    if (!this.#gone) this.#write(controlFrame(message));
  }

  /** Ends a window. Settles with the client's tock for it, or when the client is gone. */
  tick(time: Nanoseconds): Promise<void> {
    this.#faultTold = false;
    this.#ticked = time;
    if (this.#gone) return Promise.resolve();
    const settled = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    this.tell(tickMessage(time, this.#lost));
    return settled;
  }

  close(): void {
    this.#socket.destroySoon();
  }

  /** What is written in one turn goes out at once: the samples of a window and its tick wake the client one time. */
  #write(data: Uint8Array): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(data);
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#handle(frame);
    } catch (error) {
      // What follows can no longer be cut into frames.
      this.#fault(EdgeError.from(error, 'sample.malformed', 'read-frame', 'client'));
      this.close();
    }
  }

  #handle(frame: Frame): void {
    if (frame.kind === FRAME_CONTROL) {
      const time = parseTock(decodeControl(frame.body));
      if (time !== undefined && time === this.#ticked) this.#settle?.();
      return;
    }
    if (frame.kind !== FRAME_SAMPLE) return;
    try {
      this.#obey(decodeSample(frame.body));
    } catch (error) {
      this.#fault(EdgeError.from(error, 'sample.malformed', 'read-command', 'client'));
    }
  }

  #obey(sample: Sample): void {
    const refusal = this.#command(sample);
    if (refusal !== undefined) {
      throw new EdgeError('command.refused', { operation: 'obey', subject: sample.topic, message: refusal });
    }
  }

  /** At most one per window, whatever the client does. */
  #fault(error: EdgeError): void {
    if (this.#faultTold) return;
    this.#faultTold = true;
    this.tell(faultMessage(error.code, error.message));
  }
}
