import { malformed } from './malformed.ts';
import { NumpyArray } from './numpy-array.ts';

/** The file format of `numpy.save`: magic, version, a Python dictionary as text, the bytes. */
const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
/** Header and all before it fill whole blocks of this many bytes. */
const ALIGN = 64;
const HEADER_BYTES_MAX = 4096;
/** Exactly what numpy writes; never evaluated. Records and nested types do not match. */
const HEADER =
  /^\{\s*'descr':\s*'([^']{2,16})',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([0-9, ]*)\),?\s*\}\s*$/;

/** Throws `sample.malformed`. The array is a view into `bytes`. */
export function decodeNpy(bytes: Uint8Array): NumpyArray {
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw malformed('an array that is no .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = view.getUint8(6);
  if (major < 1 || major > 3) throw malformed(`a .npy file of version ${major}`);
  const begin = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > HEADER_BYTES_MAX || begin + length > bytes.length)
    throw malformed(`a .npy file whose header of ${length} bytes does not fit`);
  const header = HEADER.exec(new TextDecoder('latin1').decode(bytes.subarray(begin, begin + length)));
  if (!header) throw malformed('a .npy file with a header that is not of a plain array');
  const sizes = header[3]!.split(',').filter((size) => size.trim() !== '');
  const shape = sizes.map(Number);
  if (header[2] === 'True' && shape.filter((size) => size > 1).length > 1)
    throw malformed('an array in column order; numpy.ascontiguousarray() makes it row-major');
  return NumpyArray.of(header[1], shape, bytes.subarray(begin + length));
}

export function encodeNpy(array: NumpyArray): Uint8Array {
  const sizes = array.shape.length === 1 ? `${array.shape[0]},` : array.shape.join(', ');
  const text = `{'descr': '${array.dtype}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const total = Math.ceil((10 + text.length + 1) / ALIGN) * ALIGN;
  const bytes = new Uint8Array(total + array.data.length);
  bytes.set(MAGIC);
  bytes[6] = 1;
  new DataView(bytes.buffer).setUint16(8, total - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(total - 11)}\n`), 10);
  bytes.set(array.data, total);
  return bytes;
}
