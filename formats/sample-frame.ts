import { EdgeError, LIMITS, type Sample } from '../contract/core.ts';

/**
 * Frames on a local stream socket between a cell and a process that owns a robot (simulation, ROS client).
 * Little endian: u32 length of the rest, u8 kind, then the body. Kind 1 is a sample: i64 stamp, i64
 * received, f64 expiry (NaN: none), u16 topic length, u16 type length, topic, type (UTF-8), message bytes. Every other kind carries
 * a body whose meaning the two ends agree on (JSON in UTF-8 for `CONTROL`).
 */
export const FRAME_SAMPLE = 1;
export const FRAME_CONTROL = 2;

const HEADER = 5;
const SAMPLE_HEADER = 28;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const names = new Map<string, Uint8Array>();

function nameBytes(name: string): Uint8Array {
  let bytes = names.get(name);
  if (!bytes) {
    bytes = encoder.encode(name);
    if (names.size < 10_000) names.set(name, bytes);
  }
  return bytes;
}

/** The frame's head; the message bytes follow it on the wire unchanged, so a large message is not copied. */
export function sampleFrameHead(sample: Sample): Uint8Array {
  const topic = nameBytes(sample.topic);
  const type = nameBytes(sample.type);
  const head = new Uint8Array(HEADER + SAMPLE_HEADER + topic.length + type.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, head.length - 4 + sample.bytes.length, true);
  view.setUint8(4, FRAME_SAMPLE);
  view.setBigInt64(5, sample.stamp, true);
  view.setBigInt64(13, sample.received, true);
  view.setFloat64(21, sample.expiresAtMs ?? Number.NaN, true);
  view.setUint16(29, topic.length, true);
  view.setUint16(31, type.length, true);
  head.set(topic, HEADER + SAMPLE_HEADER);
  head.set(type, HEADER + SAMPLE_HEADER + topic.length);
  return head;
}

export function controlFrame(message: unknown): Uint8Array {
  const body = encoder.encode(JSON.stringify(message));
  const frame = new Uint8Array(HEADER + body.length);
  new DataView(frame.buffer).setUint32(0, 1 + body.length, true);
  frame[4] = FRAME_CONTROL;
  frame.set(body, HEADER);
  return frame;
}

export type Frame = { readonly kind: number; readonly body: Uint8Array };

export function decodeSample(body: Uint8Array): Sample {
  if (body.length < SAMPLE_HEADER) throw malformed('the sample header is truncated');
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const topicEnd = SAMPLE_HEADER + view.getUint16(24, true);
  const typeEnd = topicEnd + view.getUint16(26, true);
  if (typeEnd > body.length) throw malformed('the names are truncated');
  const expiresAtMs = view.getFloat64(16, true);
  return {
    topic: decoder.decode(body.subarray(SAMPLE_HEADER, topicEnd)),
    type: decoder.decode(body.subarray(topicEnd, typeEnd)),
    stamp: view.getBigInt64(0, true),
    received: view.getBigInt64(8, true),
    bytes: body.subarray(typeEnd),
    ...(Number.isNaN(expiresAtMs) ? {} : { expiresAtMs }),
  };
}

export function decodeControl(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch (cause) {
    throw malformed('the control message is not JSON', cause);
  }
}

/** Cuts a byte stream into frames. Each frame's body is its own memory, so its receiver may keep it. */
export class FrameReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #max: number;

  constructor(maxBytes: number = LIMITS.SAMPLE_BYTES_MAX + 4096) {
    this.#max = maxBytes;
  }

  /** Throws `sample.malformed` on a length that cannot be; the stream is then beyond repair. */
  push(chunk: Uint8Array): Frame[] {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    const frames: Frame[] = [];
    while (this.#bytes >= 4) {
      const head = this.#peek(4);
      const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
      if (length < 1 || length > this.#max) throw malformed(`a frame of ${length} bytes`);
      if (this.#bytes < 4 + length) break;
      const frame = this.#take(4 + length);
      frames.push({ kind: frame[4]!, body: frame.subarray(5) });
    }
    return frames;
  }

  #peek(count: number): Uint8Array {
    if (this.#parts[0]!.length >= count) return this.#parts[0]!;
    const joined = this.#join();
    this.#parts = [joined];
    return joined;
  }

  #take(count: number): Uint8Array {
    const out = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const part = this.#parts[0]!;
      const piece = part.subarray(0, count - filled);
      out.set(piece, filled);
      filled += piece.length;
      if (piece.length === part.length) this.#parts.shift();
      else this.#parts[0] = part.subarray(piece.length);
    }
    this.#bytes -= count;
    return out;
  }

  #join(): Uint8Array {
    const joined = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}

function malformed(message: string, cause?: unknown): EdgeError {
  return new EdgeError('sample.malformed', { operation: 'read-frame', subject: 'socket', message, cause });
}
