import {
  type BlobStore,
  type CellBus,
  type Clock,
  EdgeError,
  type EncodedImage,
  type ImageEncoder,
  type ImageReply,
  type ImageRequest,
  LOOK_LIMITS,
  METHODS,
  type Picture,
  type Sample,
  type ScanReply,
  withDeadline,
} from '../../../contract/core.ts';
import {
  COMPRESSED_IMAGE,
  decodeCompressedImage,
  decodeImage,
  IMAGE,
  LASER_SCAN,
} from '../../../formats/cdr/index.ts';
import type { SampleBus } from '../bus/index.ts';
import { toPixels } from './pixels.ts';

/** A compressed image above this is not encoded again; a 4K JPEG of good quality has 5 MB. */
const COMPRESSED_BYTES_MAX = 16 * 1024 * 1024;
/** A scan above this is not one: 100,000 rays. */
const SCAN_BYTES_MAX = 1024 * 1024;

type Newest = Pick<SampleBus, 'last' | 'rates'>;

export type LookParts = {
  readonly clock: Clock;
  /** Works in another process: a decoder that dies takes its process along, and this one drives the robot. */
  readonly images: ImageEncoder & { close(): void };
  readonly blobs: Pick<BlobStore, 'put'>;
};

/**
 * Explicit looks at what arrives anyway: the newest image or scan, once, for any caller. An image goes to the blob
 * store and its handle to the caller; `cell.overloaded` where too many looks are open, `deadline.exceeded` where the
 * encoder does not answer (it is started again), `log.failed` where the image cannot be stored.
 */
export function serveLooking(
  bus: Pick<CellBus, 'handle'>,
  samples: Newest,
  { clock, images, blobs }: LookParts,
): void {
  let open = 0;
  const encode = async (found: Seen, { sideMax, quality }: ImageRequest): Promise<EncodedImage> => {
    const encoding = images.encode(found.picture, { sideMax, quality });
    const { topic } = found;
    try {
      return await withDeadline(clock, LOOK_LIMITS.ENCODE_MS, encoding, 'look', topic);
    } catch (thrown) {
      if (thrown instanceof EdgeError && thrown.code === 'deadline.exceeded') images.close();
      throw thrown;
    }
  };
  bus.handle(METHODS.execution.newestImage, async (body): Promise<ImageReply> => {
    const sideMax = Number.isFinite(body.sideMax) && body.sideMax >= 1 ? body.sideMax : 1;
    const { sample, ...found } = newestOf(samples, [IMAGE, COMPRESSED_IMAGE], body.topic, 'camera');
    if (open >= LOOK_LIMITS.OPEN_MAX) throw tooMany(sample);
    open++;
    try {
      const { picture, size, ...seen } = seenIn(sample, sideMax);
      const { mime, data, from, ...shown } = await encode(
        { picture, topic: sample.topic },
        { ...body, sideMax },
      );
      if (data.byteLength > LOOK_LIMITS.IMAGE_BYTES_MAX) throw tooLarge(sample.topic, data);
      const image = { mime, sha256: await blobs.put(data), bytes: data.byteLength };
      return {
        ...found,
        ...seen,
        size: size ?? from,
        image,
        shown: { width: shown.width, height: shown.height },
      };
    } finally {
      open--;
    }
  });
  bus.handle(METHODS.execution.newestScan, async (body): Promise<ScanReply> => {
    const { topic } = body;
    const { sample, ...rest } = newestOf(samples, [LASER_SCAN], topic, 'laser scanner');
    if (sample.bytes.length > SCAN_BYTES_MAX) throw tooLarge(sample.topic, sample.bytes);
    return { ...rest, bytes: sample.bytes };
  });
}

type Seen = { readonly picture: Picture; readonly topic: string };
type Found = Omit<ScanReply, 'bytes'> & { readonly sample: Sample };

function newestOf(
  samples: Newest,
  types: readonly string[],
  wanted: string | undefined,
  what: string,
): Found {
  const all = Object.keys(samples.rates()).flatMap((topic) => samples.last(topic) ?? []);
  const fitting = all.filter(({ type }) => types.includes(type));
  const topics = fitting.map(({ topic }) => topic).sort();
  const sample = fitting.find(({ topic }) => topic === (wanted ?? topics[0]));
  if (sample) {
    let newest = sample.received;
    for (const { received } of all) if (received > newest) newest = received;
    return { sample, topic: sample.topic, topics, time: sample.received, newest };
  }
  if (wanted !== undefined && topics.length > 0) {
    throw new EdgeError('robot.not_supported', {
      operation: 'look',
      subject: wanted.slice(0, 256),
      message: `no message of a ${what} has been received on ${wanted.slice(0, 256)}`,
      hint: `topics: ${topics.join(', ')}`.slice(0, 1024),
    });
  }
  throw new EdgeError('robot.unreachable', {
    operation: 'look',
    subject: wanted ?? what,
    message: `no message of a ${what} has been received from this robot`,
    hint: `subscribe to a topic of type ${types.join(' or ')}: [ros] topics in the configuration`,
  });
}

type Sight = Pick<ImageReply, 'encoding' | 'frame' | 'depth'> & {
  readonly picture: Picture;
  /** Undefined where only the encoder knows it. */
  readonly size: ImageReply['size'] | undefined;
};

function seenIn(sample: Sample, sideMax: number): Sight {
  if (sample.type === COMPRESSED_IMAGE) {
    const { header, format, data } = decodeCompressedImage(sample.bytes);
    if (data.length > COMPRESSED_BYTES_MAX) throw tooLarge(sample.topic, data);
    const picture = { kind: 'compressed', data } as const;
    return { encoding: format.slice(0, 64), frame: header.frame_id, size: undefined, picture };
  }
  const image = decodeImage(sample.bytes);
  const { width, height, encoding, header } = image;
  return { encoding, frame: header.frame_id, size: { width, height }, ...toPixels(image, sideMax) };
}

function tooLarge(topic: string, bytes: Uint8Array): EdgeError {
  return new EdgeError('sample.too_large', {
    operation: 'look',
    subject: topic,
    message: `the image has ${bytes.length} bytes, which is above the limit of a look`,
  });
}

function tooMany({ topic }: Sample): EdgeError {
  return new EdgeError('cell.overloaded', {
    operation: 'look',
    subject: topic,
    message: `${LOOK_LIMITS.OPEN_MAX} looks are in progress, and no more are started`,
    hint: 'look again when one of them has ended',
  });
}
