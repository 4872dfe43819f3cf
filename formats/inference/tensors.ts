import { LIMITS, type PictureTensor, type Tensor } from '../../contract/core.ts';
import { asMap, bad, onlyKnown } from './payload.ts';

const RANK_MAX = 8;
const FIELDS = ['shape', 'dtype', 'data'];
/** A side of an image; larger ones are a mistake. */
const SIDE_MAX = 16_384;

/**
 * Throws `model.bad_observation`, naming the place: shape, type, length, NaN, infinity, more values than `valuesMax`.
 * The reading thread may be the one that runs agents: too large tensors are refused before any conversion.
 */
export function readTensor(value: unknown, path: string, valuesMax = LIMITS.POLICY_VALUES_MAX): Tensor {
  const fields = asMap(value, path);
  onlyKnown(fields, FIELDS, path);
  const sizes = readShape(fields['shape'], path);
  let count = 1;
  for (const size of sizes) count *= size;
  if (count > valuesMax)
    throw bad(
      `${path}/shape`,
      `[${sizes.join(', ')}] makes more than the ${LIMITS.POLICY_VALUES_MAX} values that the tensors of a question may have together`,
    );
  const { dtype } = fields;
  const data = floats(fields['data'], dtype, count, path);
  // Integers always are. Not findIndex: a callback per value would be most of the time that a question costs here.
  const whole = (dtype === 'uint8' || dtype === 'int32') && !Array.isArray(fields['data']);
  for (let i = 0; !whole && i < data.length; i++) {
    if (!Number.isFinite(data[i]!))
      throw bad(`${path}/data/${i}`, `is ${data[i]}: observations must be finite`);
  }
  return { shape: sizes, data };
}

/** [height, width, 3] of uint8. In MessagePack the bytes are a view into the payload. */
export function readPicture(value: unknown, path: string): PictureTensor {
  const fields = asMap(value, path);
  onlyKnown(fields, FIELDS, path);
  const [height = 0, width = 0, channels = 0, ...more] = readShape(fields['shape'], path);
  if (more.length > 0 || channels !== 3 || height > SIDE_MAX || width > SIDE_MAX)
    throw bad(`${path}/shape`, `must be [height, width, 3], each side at most ${SIDE_MAX}`);
  if (fields['dtype'] !== 'uint8') throw bad(`${path}/dtype`, 'must be uint8: rgb, 0 to 255');
  const data = pixels(fields['data'], path);
  if (data.length !== height * width * 3)
    throw bad(
      `${path}/data`,
      `holds ${data.length} bytes, [${height}, ${width}, 3] needs ${height * width * 3}`,
    );
  return { shape: [height, width, 3], data };
}

/** As it travels: little-endian bytes, or in JSON the exact values as numbers. */
export function writeTensor({ shape, data }: Tensor, json: boolean): object {
  return { shape, dtype: 'float32', data: json ? Array.from(data) : littleEndian(data) };
}

/** As it travels: bytes, or in JSON base64. */
export function writePicture({ shape, data }: PictureTensor, json: boolean): object {
  return { shape, dtype: 'uint8', data: json ? Buffer.from(data).toString('base64') : data };
}

function readShape(shape: unknown, path: string): number[] {
  if (!Array.isArray(shape) || shape.length > RANK_MAX)
    throw bad(`${path}/shape`, `must be a list of at most ${RANK_MAX} sizes`);
  const sizes: number[] = [];
  for (const size of shape) {
    const number = typeof size === 'bigint' ? Number(size) : size;
    if (!(Number.isSafeInteger(number) && number >= 1))
      throw bad(`${path}/shape/${sizes.length}`, 'must be an integer above 0');
    sizes.push(number);
  }
  return sizes;
}

/** The types on the wire; all become float32, the type of the port. */
const WIDTH: Readonly<Record<string, number>> = { float32: 4, float64: 8, int32: 4, uint8: 1 };

function floats(data: unknown, dtype: unknown, count: number, path: string): Float32Array {
  const width = typeof dtype === 'string' && Object.hasOwn(WIDTH, dtype) ? WIDTH[dtype] : undefined;
  if (width === undefined) throw bad(`${path}/dtype`, `must be one of ${Object.keys(WIDTH).join(', ')}`);
  const bytes = typeof data === 'string' ? fromBase64(data, path) : data;
  const isList = Array.isArray(bytes);
  if (!isList && !(bytes instanceof Uint8Array))
    throw bad(`${path}/data`, 'must be little-endian bytes, or a flat list of numbers');
  if (!isList && bytes.byteLength % width !== 0)
    throw bad(`${path}/data`, `is not a multiple of ${width} bytes`);
  // Before the conversion, which may take four times the bytes.
  const held = isList ? bytes.length : bytes.byteLength / width;
  if (held !== count) throw bad(`${path}/data`, `holds ${held} values, the shape needs ${count}`);
  if (!isList) return converted(bytes, dtype as string);
  if (!bytes.every((item) => typeof item === 'number'))
    throw bad(`${path}/data`, 'must be little-endian bytes, or a flat list of numbers');
  return new Float32Array(bytes as number[]);
}

/** Whole arrays at a time: a callback per value would hold the thread for a second where this takes milliseconds. */
function converted(bytes: Uint8Array, dtype: string): Float32Array {
  if (dtype === 'uint8') return new Float32Array(bytes);
  // A payload's offset is seldom a multiple of the width, so a view is impossible.
  const own = new Uint8Array(bytes);
  if (!LITTLE) swap(own, WIDTH[dtype]!);
  if (dtype === 'float32') return new Float32Array(own.buffer);
  return new Float32Array(dtype === 'float64' ? new Float64Array(own.buffer) : new Int32Array(own.buffer));
}

function swap({ buffer }: Uint8Array<ArrayBuffer>, width: number): void {
  const bytes = Buffer.from(buffer);
  if (width === 8) bytes.swap64();
  else bytes.swap32();
}

function pixels(data: unknown, path: string): Uint8Array {
  const bytes = typeof data === 'string' ? fromBase64(data, path) : data;
  if (bytes instanceof Uint8Array) return bytes;
  if (Array.isArray(bytes) && bytes.every((item) => Number.isInteger(item) && item >= 0 && item <= 255))
    return Uint8Array.from(bytes as number[]);
  throw bad(`${path}/data`, 'must be bytes, base64, or a flat list of whole numbers from 0 to 255');
}

function fromBase64(text: string, path: string): Uint8Array {
  // Node skips characters outside base64; a truncated or wrong text must not become another image.
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
    throw bad(`${path}/data`, 'is not base64');
  return Buffer.from(text, 'base64');
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function littleEndian(data: Float32Array): Uint8Array {
  if (LITTLE) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of data.entries()) view.setFloat32(i * 4, value, true);
  return bytes;
}
