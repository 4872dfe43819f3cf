import { LIMITS } from '../../contract/limits.ts';
import { brokenFrame, FRAME_HEAD_BYTES } from './wire.ts';

/** The largest message plus what the frames add to it. */
const FRAME_BYTES_MAX = LIMITS.SAMPLE_BYTES_MAX + 1024;

/**
 * Cuts a byte stream into frames. A frame that lies within one chunk is passed as a view on it; one that
 * spans chunks is gathered once. The body handed to `onFrame` is valid during the call only.
 */
export class FrameReader {
  readonly #onFrame: (kind: number, body: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  /** A frame longer than the chunk it started in, gathered here. */
  #gathering: Buffer | undefined;
  #gathered = 0;

  constructor(onFrame: (kind: number, body: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Throws `ros.failed` when the stream is not made of frames; it cannot be read on then. */
  push(chunk: Buffer): void {
    let data = chunk;
    if (this.#gathering) {
      const taken = data.copy(this.#gathering, this.#gathered);
      this.#gathered += taken;
      if (this.#gathered < this.#gathering.length) return;
      const whole = this.#gathering;
      this.#gathering = undefined;
      this.#emit(whole);
      data = data.subarray(taken);
    }
    if (this.#rest.length > 0) {
      data = Buffer.concat([this.#rest, data]);
      this.#rest = Buffer.alloc(0);
    }
    let at = 0;
    while (data.length - at >= FRAME_HEAD_BYTES) {
      const length = 4 + data.readUInt32LE(at);
      if (length < FRAME_HEAD_BYTES || length > FRAME_BYTES_MAX) {
        throw brokenFrame(`the stream is not made of frames (length ${length})`);
      }
      if (at + length > data.length) {
        this.#gathering = Buffer.allocUnsafeSlow(length);
        this.#gathered = data.copy(this.#gathering, 0, at);
        return;
      }
      this.#emit(data.subarray(at, at + length));
      at += length;
    }
    if (at < data.length) this.#rest = Buffer.from(data.subarray(at));
  }

  #emit(frame: Buffer): void {
    this.#onFrame(frame.readUInt8(4), frame.subarray(FRAME_HEAD_BYTES));
  }
}
