import { useContext, useEffect, useRef, useState } from 'react';
import type { LiveSample } from '../link/sample.ts';
import { type SampleSource, Samples, useEvery } from '../link/use-live.ts';
import { CameraPace } from './camera-pace.ts';
import { pixelsOf, type RawImage } from './pixels.ts';

const REFRESH_MS = 500;
const STALE_MS = 2_000;
/** Bytes before the image in `compressedDepth`. */
const DEPTH_HEADER = 12;

type Figures = {
  readonly fps: number;
  readonly size: string;
  readonly fault: string;
  readonly silentMs: number;
  readonly isThin: boolean;
};

/** One camera, live: always the newest image. Images that come while one is decoded replace each other. */
export function CameraView({ topic, isLive }: { topic: string; isLive: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const feed = useRef<CameraFeed>(undefined);
  const [figures, setFigures] = useState<Figures>();
  const source = useContext(Samples);
  useEffect(() => {
    const made = new CameraFeed(topic, canvas.current!, source);
    feed.current = made;
    return () => made.close();
  }, [topic, source]);
  useEvery(REFRESH_MS, () => setFigures(feed.current?.figures()));
  const isSilent = !source.isRecorded && (figures === undefined || figures.silentMs > STALE_MS);
  const isOld = !isLive || isSilent;
  return (
    <figure className="camera">
      <canvas
        ref={canvas}
        className={isOld ? 'old' : ''}
        role="img"
        aria-label={`camera ${topic}`}
        width={16}
        height={9}
      />
      <figcaption>
        {topic}{' '}
        <span className={isOld && isLive ? 'bad' : 'soft'}>
          {figures ? textOf(figures, source.isRecorded) : 'no image yet'}
        </span>
        {figures?.fault && <span className="bad"> {figures.fault}</span>}
      </figcaption>
    </figure>
  );
}

function textOf({ fps, size, silentMs, isThin }: Figures, isRecorded: boolean): string {
  if (silentMs === Number.POSITIVE_INFINITY) return 'no image yet';
  if (isRecorded) return size;
  if (silentMs > STALE_MS) return `no image for ${Math.round(silentMs / 1000)} s`;
  return `${fps.toFixed(0)} images/s, ${size}${isThin ? ', fewer: the line or this browser is slow' : ''}`;
}

class CameraFeed {
  readonly #source: SampleSource;
  readonly #topic: string;
  readonly #canvas: HTMLCanvasElement;
  readonly #pace = new CameraPace();
  #end: (() => void) | undefined;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #waiting: LiveSample | undefined;
  #isDrawing = false;
  #closed = false;
  #fault = '';
  #drawn = 0;
  #countedMs = performance.now();
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(topic: string, canvas: HTMLCanvasElement, source: SampleSource) {
    this.#source = source;
    this.#topic = topic;
    this.#canvas = canvas;
    this.#follow();
  }

  /** Images drawn since the last call, in a second. */
  figures(): Figures {
    const nowMs = performance.now();
    const fps = (1000 * this.#drawn) / Math.max(1, nowMs - this.#countedMs);
    this.#drawn = 0;
    this.#countedMs = nowMs;
    const size = `${this.#canvas.width} × ${this.#canvas.height}`;
    return { fps, size, fault: this.#fault, silentMs: nowMs - this.#lastMs, isThin: this.#pace.isThin };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#end?.();
  }

  #follow(): void {
    this.#end ??= this.#source.follow(this.#topic, (sample) => this.#take(sample));
  }

  #take(sample: LiveSample): void {
    this.#lastMs = this.#source.isRecorded ? performance.now() : sample.atMs;
    const restMs = this.#source.isRecorded ? undefined : this.#pace.arrived(sample.timeS, sample.atMs);
    if (restMs !== undefined) {
      // What waits at the robot for a thin line is old: it is not asked for until there is room.
      this.#end?.();
      this.#end = undefined;
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => this.#follow(), restMs);
    }
    this.#waiting = sample;
    if (!this.#isDrawing) void this.#draw();
  }

  async #draw(): Promise<void> {
    this.#isDrawing = true;
    for (let sample = this.#waiting; sample && !this.#closed; sample = this.#waiting) {
      this.#waiting = undefined;
      this.#fault = await drawOn(this.#canvas, sample).catch((error: unknown) => String(error));
      if (this.#fault === '') this.#drawn += 1;
    }
    this.#isDrawing = false;
  }
}

/** Draws the image; resolves with why not. */
async function drawOn(canvas: HTMLCanvasElement, sample: LiveSample): Promise<string> {
  const { value } = sample;
  if (value === undefined) return sample.fault ?? '';
  const context = canvas.getContext('2d')!;
  if ('step' in value) {
    const image = value as unknown as RawImage;
    const pixels = pixelsOf(image);
    if (typeof pixels === 'string') return pixels;
    resize(canvas, image.width, image.height);
    context.putImageData(new ImageData(pixels, image.width, image.height), 0, 0);
    return '';
  }
  const { format, data } = value as unknown as { format: string; data: Uint8Array<ArrayBuffer> };
  const bytes = /compressedDepth/.test(format) ? data.subarray(DEPTH_HEADER) : data;
  const bitmap = await createImageBitmap(new Blob([bytes])).catch(() => undefined);
  if (!bitmap) return `this browser cannot show images in ${format || 'this format'}`;
  resize(canvas, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return '';
}

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
