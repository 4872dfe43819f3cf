import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';

/** A process that takes no byte, or gives none, for this long is killed, milliseconds. A frame costs a few. */
const STALL_MS = 60_000;
/** Of its complaints the end is kept. */
const STDERR_CHARS = 2_000;

export type VideoCodec = 'h264' | 'av1';

export type Ffmpeg = {
  readonly path: string;
  readonly clock: Clock;
};

const ENCODERS: Readonly<Record<VideoCodec, readonly string[]>> = {
  // Every second image is a keyframe, as LeRobot's own: training reads frames at random.
  h264: ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '18', '-bf', '0', '-g', '2'],
  av1: ['-c:v', 'libsvtav1', '-preset', '10', '-crf', '24', '-g', '2'],
};

/** Which of the codecs this ffmpeg can write, h264 first. Rejects with `host.missing` where there is no ffmpeg. */
export async function chooseCodec(ffmpeg: Ffmpeg, wanted: VideoCodec | 'auto'): Promise<VideoCodec> {
  const text = (await collect(ffmpeg, ['-hide_banner', '-loglevel', 'error', '-encoders'])).toString();
  const has = (codec: VideoCodec) => text.includes(` ${ENCODERS[codec][1]} `);
  const codec = wanted === 'auto' ? (['h264', 'av1'] as const).find(has) : has(wanted) ? wanted : undefined;
  if (codec) return codec;
  throw new EdgeError('host.missing', {
    operation: 'encode video',
    subject: ffmpeg.path,
    message: `${ffmpeg.path} has no encoder for ${wanted === 'auto' ? 'h264 or av1' : wanted}`,
    hint: 'install an ffmpeg with libx264 or libsvtav1 (Debian: apt-get install ffmpeg), or set dataset.ffmpeg',
  });
}

/** Half of the colours are thrown away only where the size allows it: odd sides keep all. */
export function pixelFormat(height: number, width: number): string {
  return height % 2 === 0 && width % 2 === 0 ? 'yuv420p' : 'yuv444p';
}

/** Encodes rgb8 frames of one size at a constant rate into an mp4. */
export class VideoEncoder {
  readonly #ffmpeg: Ffmpeg;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #path: string;
  frames = 0;

  constructor(
    ffmpeg: Ffmpeg,
    path: string,
    options: { height: number; width: number; fps: number; codec: VideoCodec },
  ) {
    const { height, width, fps, codec } = options;
    const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps)];
    this.#path = path;
    this.#ffmpeg = ffmpeg;
    this.#child = start(ffmpeg, [
      ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...input, '-i', 'pipe:0', '-an'],
      ...[...ENCODERS[codec], '-pix_fmt', pixelFormat(height, width), '-threads', '1'],
      ...['-movflags', '+faststart', '-f', 'mp4', path],
    ]);
    this.#ended = ended(this.#child, ffmpeg.path);
    // A caller that writes or finishes gets the error. An aborted encoder reports none.
    this.#ended.catch(() => {});
    this.#child.stdin!.on('error', () => {});
  }

  /** The bytes may change when it resolves. Rejects when the encoder died or stalls. */
  async write(rgb: Uint8Array): Promise<void> {
    this.frames += 1;
    if (this.#child.stdin!.write(Buffer.from(rgb))) return;
    const room = Promise.race([once(this.#child.stdin!, 'drain'), this.#ended.then(() => gone(this.#path))]);
    await withDeadline(this.#ffmpeg.clock, STALL_MS, room, 'encode video', this.#path);
  }

  /** Resolves when the file is whole (not yet durable). */
  async finish(): Promise<void> {
    this.#child.stdin!.end();
    // The last images and the index of a long video take their time.
    await withDeadline(this.#ffmpeg.clock, 10 * STALL_MS, this.#ended, 'encode video', this.#path).catch(
      (error) => {
        this.#child.kill('SIGKILL');
        throw error;
      },
    );
  }

  async abort(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended.catch(() => {});
  }
}

/**
 * The frames of a video from `from` seconds on, `count` of them, as rgb8 of [height, width, 3]. Throws
 * `schema.invalid` when the video holds fewer, `host.missing` without ffmpeg, `tool.failed` with its complaint.
 */
export async function* decodeFrames(
  ffmpeg: Ffmpeg,
  path: string,
  options: { from: number; count: number; fps: number; height: number; width: number },
): AsyncGenerator<Uint8Array> {
  const { from, count, fps, height, width } = options;
  // Half a frame before it: a time is never exactly that of an image.
  const seek = Math.max(0, from - 0.5 / fps).toFixed(6);
  const child = start(ffmpeg, [
    ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-threads', '1', '-ss', seek],
    // A dataset may be foreign. A playlist with the name of an mp4 file would make ffmpeg read other files and hosts.
    ...['-protocol_whitelist', 'file', '-f', 'mov', '-i', path, '-an'],
    ...['-frames:v', String(count), '-fps_mode', 'passthrough', '-s', `${width}x${height}`],
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'],
  ]);
  const done = ended(child, ffmpeg.path);
  done.catch(() => {});
  const size = height * width * 3;
  let given = 0;
  try {
    let frame = new Uint8Array(size);
    let filled = 0;
    const pieces = child.stdout![Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const piece = await withDeadline(ffmpeg.clock, STALL_MS, pieces.next(), 'decode video', path);
      if (piece.done) break;
      for (let at = 0; at < piece.value.length; ) {
        const take = Math.min(size - filled, piece.value.length - at);
        frame.set(piece.value.subarray(at, at + take), filled);
        filled += take;
        at += take;
        if (filled < size) continue;
        given += 1;
        yield frame;
        frame = new Uint8Array(size);
        filled = 0;
      }
    }
    await done;
  } finally {
    child.kill('SIGKILL');
  }
  if (given === count) return;
  throw new EdgeError('schema.invalid', {
    operation: 'decode video',
    subject: path,
    message: `${path}: found ${given} frames from ${from.toFixed(3)} s on; expected ${count}`,
  });
}

function start(ffmpeg: Ffmpeg, args: readonly string[]): ChildProcess {
  return spawn(ffmpeg.path, args, { stdio: ['pipe', 'pipe', 'pipe'] });
}

async function collect(ffmpeg: Ffmpeg, args: readonly string[]): Promise<Buffer> {
  const child = start(ffmpeg, args);
  const done = ended(child, ffmpeg.path);
  const chunks: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin!.end();
  try {
    await withDeadline(ffmpeg.clock, STALL_MS, done, 'ask ffmpeg', ffmpeg.path);
  } finally {
    child.kill('SIGKILL');
  }
  return Buffer.concat(chunks);
}

/** Resolves at exit 0. Rejects with `host.missing` where it cannot be started, else with what it complained about. */
function ended(child: ChildProcess, path: string): Promise<void> {
  let complaints = '';
  child.stderr!.on('data', (data: Buffer) => {
    complaints = (complaints + data.toString()).slice(-STDERR_CHARS);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(missing(path, cause)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(failed(path, complaints.trim() || `it ended with ${signal ?? code}`));
    });
  });
}

function gone(path: string): never {
  throw failed(path, 'the encoder ended before its last image');
}

function failed(subject: string, message: string): EdgeError {
  const hint = /No space left/i.test(message) ? 'the disk is full' : '';
  return new EdgeError('tool.failed', {
    operation: 'run ffmpeg',
    subject,
    message: `ffmpeg: ${message}`,
    hint,
  });
}

function missing(path: string, cause: Error): EdgeError {
  return new EdgeError('host.missing', {
    operation: 'run ffmpeg',
    subject: path,
    message: `${path} cannot be run: ${cause.message}`,
    hint: 'install ffmpeg (Debian: apt-get install ffmpeg), or set its path with dataset.ffmpeg or --ffmpeg; an export goes without images by --no-cameras',
    cause,
  });
}
