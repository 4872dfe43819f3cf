import {
  type CellBus,
  EdgeError,
  type ImageReply,
  METHODS,
  type Sample,
  type ScanReply,
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

/** A compressed picture above this is not handed to another cell; a 4K JPEG of good quality has 5 MB. */
const COMPRESSED_BYTES_MAX = 16 * 1024 * 1024;
/** A scan above this is not one: 100,000 rays. */
const SCAN_BYTES_MAX = 1024 * 1024;

type Newest = Pick<SampleBus, 'last' | 'rates'>;

/**
 * Explicit looks at what arrives anyway: the newest picture or scan, once, for any caller. Foreign files are not
 * opened here: a decoder that dies takes its process along, and this one drives the robot.
 */
export function serveLooking(bus: Pick<CellBus, 'handle'>, samples: Newest): void {
  bus.handle(METHODS.execution.newestImage, async (body) => {
    const { topic, sideMax } = body;
    const found = newestOf(samples, [IMAGE, COMPRESSED_IMAGE], topic, 'camera');
    return imageReply(found, Number.isFinite(sideMax) && sideMax >= 1 ? sideMax : 1);
  });
  bus.handle(METHODS.execution.newestScan, async (body): Promise<ScanReply> => {
    const { topic } = body;
    const { sample, ...rest } = newestOf(samples, [LASER_SCAN], topic, 'laser scanner');
    if (sample.bytes.length > SCAN_BYTES_MAX) throw tooLarge(sample);
    return { ...rest, bytes: sample.bytes };
  });
}

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

function imageReply({ sample, ...found }: Found, sideMax: number): ImageReply {
  if (sample.type === COMPRESSED_IMAGE) {
    const { header, format, data } = decodeCompressedImage(sample.bytes);
    if (data.length > COMPRESSED_BYTES_MAX) throw tooLarge(sample);
    const picture = { kind: 'compressed', data } as const;
    return { ...found, encoding: format.slice(0, 64), frame: header.frame_id, size: undefined, picture };
  }
  const image = decodeImage(sample.bytes);
  const { width, height, encoding, header } = image;
  return { ...found, encoding, frame: header.frame_id, size: { width, height }, ...toPixels(image, sideMax) };
}

function tooLarge({ topic, bytes }: Sample): EdgeError {
  return new EdgeError('sample.too_large', {
    operation: 'look',
    subject: topic,
    message: `the image has ${bytes.length} bytes, which is above the limit of a look`,
  });
}
