import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { SharpEncoder } from '../../adapters/images/sharp-encoder.ts';
import { type ImageReply, METHODS, type Picture, type ScanReply } from '../../contract/index.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { ENCODINGS, toPixels } from '../../daemon/execution/looking/pixels.ts';
import { serveLooking } from '../../daemon/execution/looking/serve-looking.ts';
import {
  COMPRESSED_IMAGE,
  decodeImage,
  encodeCompressedImage,
  encodeImage,
  IMAGE,
  type Image,
} from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { PlainEncoder } from '../support/house.ts';

const header = { stamp: 5_000_000_000n, frame_id: 'camera' };

function image(encoding: string, width: number, height: number, pixel: readonly number[], pad = 3): Image {
  const step = width * pixel.length + pad;
  const data = new Uint8Array(step * height).fill(7);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set(pixel, y * step + x * pixel.length);
  return { header, height, width, encoding, bigEndian: false, step, data };
}

function rig() {
  const clock = new ManualClock();
  const samples = new SampleBus({ clock, ledger: new Ledger() });
  const bus = new FakeBus(clock);
  const images = new PlainEncoder();
  const blobs = new MemoryBlobStore();
  serveLooking(bus, samples, { clock, images, blobs });
  const publish = (topic: string, type: string, bytes: Uint8Array, received = 5_000_000_000n) =>
    samples.publish({ topic, type, stamp: received, received, bytes });
  const look = (body: object) =>
    bus.request<ImageReply>('execution', METHODS.execution.newestImage, {
      sideMax: 64,
      quality: 80,
      ...body,
    });
  return { publish, look, bus, blobs, images };
}

describe('pixels of a picture', () => {
  it.each([
    ['rgb8', [200, 100, 50], [200, 100, 50]],
    ['bgr8', [50, 100, 200], [200, 100, 50]],
    ['8UC3', [50, 100, 200], [200, 100, 50]],
    ['rgba8', [200, 100, 50, 9], [200, 100, 50]],
    ['bgra8', [50, 100, 200, 9], [200, 100, 50]],
    ['mono8', [90], [90]],
    ['8UC1', [90], [90]],
    ['mono16', [0, 90], [90]],
  ])('of %s come in the right order, without the padding of its rows', (encoding, pixel, expected) => {
    const { picture } = toPixels(image(encoding, 33, 21, pixel), 10);
    expect([picture.width, picture.height, picture.channels]).toEqual([11, 7, expected.length]);
    for (let i = 0; i < picture.data.length; i++) expect(picture.data[i]).toBe(expected[i % expected.length]);
  });

  it('of distances are bright where it is near, black where it is unknown, and say what they mean', () => {
    const depth = image('16UC1', 3, 1, [0, 0], 0);
    new DataView(depth.data.buffer).setUint16(0, 500, true);
    new DataView(depth.data.buffer).setUint16(2, 4_500, true);
    const { picture, depth: range } = toPixels(depth, 10);
    expect([...picture.data]).toEqual([255, 32, 0]);
    expect(range).toEqual({ near: 0.5, far: 4.5 });
    const metres = image('32FC1', 2, 1, [0, 0, 0, 0], 0);
    new DataView(metres.data.buffer).setFloat32(0, Number.NaN, true);
    new DataView(metres.data.buffer).setFloat32(4, 2, true);
    expect(toPixels(metres, 10)).toMatchObject({ depth: { near: 2, far: 2 } });
    expect([...toPixels(metres, 10).picture.data]).toEqual([0, 255]);
  });

  it('are never fewer than asked for where there were more, and never more than there were', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        (w, h, sideMax) => {
          const { picture } = toPixels(image('mono8', w, h, [1]), sideMax);
          const longer = Math.max(picture.width, picture.height);
          expect(longer).toBeGreaterThanOrEqual(Math.min(sideMax, Math.max(w, h)));
          expect(longer).toBeLessThanOrEqual(Math.max(w, h));
          expect(longer).toBeLessThan(2 * sideMax + 1);
        },
      ),
    );
  });

  it('are refused where the message does not hold them', () => {
    for (const broken of [{ step: 5 }, { width: 0 }, { height: 0 }])
      expect(() => toPixels({ ...image('rgb8', 4, 4, [1, 2, 3], 0), ...broken }, 8)).toThrow(/rows of/);
    expect(() => toPixels(image('bayer_rggb8', 4, 4, [1]), 8)).toThrow(/bayer_rggb8/);
    expect(ENCODINGS).toContain('16UC1');
    const bytes = encodeImage(image('rgb8', 4, 4, [1, 2, 3], 0));
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeImage(bytes.subarray(0, length))).toThrow();
  });
});

describe('a look at what arrives', () => {
  it('gives the newest picture of the camera that is asked for, and its age by the clock of the samples', async () => {
    const { publish, look, blobs, images } = rig();
    await expect(look({})).rejects.toMatchObject({ code: 'robot.unreachable' });
    publish('/b/image', IMAGE, encodeImage(image('rgb8', 8, 4, [1, 2, 3])));
    publish('/b/image', IMAGE, encodeImage(image('rgb8', 8, 4, [4, 5, 6])), 6_000_000_000n);
    publish(
      '/a/image',
      COMPRESSED_IMAGE,
      encodeCompressedImage({ header, format: 'jpeg', data: new Uint8Array([1, 2]) }),
    );
    publish('/odom', 'nav_msgs/msg/Odometry', new Uint8Array(8), 7_500_000_000n);
    const first = await look({});
    expect(first).toMatchObject({ topic: '/a/image', topics: ['/a/image', '/b/image'], encoding: 'jpeg' });
    expect(images.seen).toEqual([{ kind: 'compressed', data: new Uint8Array([1, 2]) }]);
    expect(await blobs.get(first.image.sha256)).toEqual(new Uint8Array([1, 2]));
    const other = await look({ topic: '/b/image' });
    expect([other.newest - other.time, other.size, other.frame]).toEqual([
      1_500_000_000n,
      { width: 8, height: 4 },
      'camera',
    ]);
    const kept = await blobs.get(other.image.sha256);
    expect([...kept!.slice(0, 3), kept!.length]).toEqual([4, 5, 6, other.image.bytes]);
    await expect(look({ topic: '/odom' })).rejects.toMatchObject({ code: 'robot.not_supported' });
  });

  it('survives what is no picture', async () => {
    const { publish, look, bus } = rig();
    for (const bytes of [new Uint8Array(), new Uint8Array([0, 1, 0, 0, 255, 255, 255, 255])]) {
      publish('/c', IMAGE, bytes);
      await expect(look({})).rejects.toMatchObject({ code: 'sample.malformed' });
    }
    publish('/scan', 'sensor_msgs/msg/LaserScan', new Uint8Array(2 * 1024 * 1024));
    await expect(bus.request<ScanReply>('execution', METHODS.execution.newestScan, {})).rejects.toMatchObject(
      { code: 'sample.too_large' },
    );
  });
});

describe('SharpEncoder', () => {
  const encoder = new SharpEncoder();
  const options = { sideMax: 100, quality: 80 };

  it('makes a JPEG of pixels that shows what they show, no larger than asked', async () => {
    const { picture } = toPixels(image('rgb8', 300, 150, [200, 100, 50]), 100);
    const encoded = await encoder.encode(picture, options);
    expect(encoded).toMatchObject({ mime: 'image/jpeg', width: 100, height: 50, from: { width: 100 } });
    const { data, info } = await sharp(encoded.data).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([100, 50, 3]);
    for (const [i, value] of [200, 100, 50].entries()) expect(Math.abs(data[i]! - value)).toBeLessThan(6);
  });

  it('never enlarges', async () => {
    const { picture } = toPixels(image('mono8', 10, 20, [50]), 100);
    expect(await encoder.encode(picture, options)).toMatchObject({ width: 10, height: 20 });
  });

  it('opens what cameras compress to and nothing else', async () => {
    const raw = sharp({ create: { width: 400, height: 200, channels: 3, background: '#123456' } });
    for (const data of [await raw.clone().jpeg().toBuffer(), await raw.clone().png().toBuffer()]) {
      const encoded = await encoder.encode({ kind: 'compressed', data: new Uint8Array(data) }, options);
      expect(encoded).toMatchObject({ width: 100, height: 50, from: { width: 400, height: 200 } });
    }
    const jpeg = new Uint8Array(await raw.clone().jpeg().toBuffer());
    const text = (value: string) => new TextEncoder().encode(value);
    const hostile: Picture[] = [
      new Uint8Array(),
      text('not a picture'),
      text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>',
      ),
      jpeg.subarray(0, jpeg.length >> 1),
      new Uint8Array(await raw.clone().gif().toBuffer()),
    ].map((data) => ({ kind: 'compressed', data }));
    hostile.push({ kind: 'pixels', data: new Uint8Array(5), width: 100, height: 100, channels: 3 });
    for (const picture of hostile)
      await expect(encoder.encode(picture, options)).rejects.toMatchObject({ code: 'sample.malformed' });
  });

  it('does not unpack a bomb', async () => {
    const bomb = await sharp({ create: { width: 8_000, height: 8_000, channels: 3, background: '#000' } })
      .png()
      .toBuffer();
    await expect(
      encoder.encode({ kind: 'compressed', data: new Uint8Array(bomb) }, options),
    ).rejects.toMatchObject({ code: 'sample.malformed' });
  });
});
