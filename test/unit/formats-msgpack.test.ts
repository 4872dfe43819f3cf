import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeMsgpack,
  decodeNpy,
  encodeMsgpack,
  encodeNpy,
  NumpyArray,
} from '../../formats/msgpack/index.ts';

const refused = expect.objectContaining({ code: 'sample.malformed' });
const refusal = (bytes: Uint8Array, options = {}) => {
  try {
    decodeMsgpack(bytes, options);
  } catch (error) {
    return error;
  }
  return 'taken';
};

describe('MessagePack', () => {
  it('reads back whatever the vendor writes', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.double({ noNaN: true }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array(),
        fc.array(tie('any'), { maxLength: 20 }),
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          tie('any'),
          { maxKeys: 20 },
        ),
      ),
    })).any;
    fc.assert(
      fc.property(value, (one) => {
        const bytes = encode(one);
        expect(decodeMsgpack(encodeMsgpack(one, { numpy: 'openpi' }))).toEqual(decodeMsgpack(bytes));
        expect(encode(decodeMsgpack(bytes))).toEqual(bytes);
      }),
    );
  });

  it('fails only in its own words, whatever the bytes, and takes nothing that the vendor refuses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const result = refusal(bytes, { numpy: 'openpi' });
        expect(result === 'taken' || (result as { code: string }).code === 'sample.malformed').toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['a list of four thousand million items in five bytes', [0xdd, 0xff, 0xff, 0xff, 0xff], /cut short/],
    ['a map of the same size', [0xdf, 0xff, 0xff, 0xff, 0xff], /keys/],
    ['lists in lists without end', Array.from({ length: 4_000 }, () => 0x91), /containers/],
    ['bytes that are not there', [0xc6, 0x00, 0xff, 0xff, 0xff, 1], /cut short/],
    ['a timestamp, which is an extension', [0xd6, 0xff, 0, 0, 0, 1], /extension/],
    ['something after the end', [0x01, 0x02], /after the end/],
    ['nothing', [], /cut short/],
    ['the byte that MessagePack never uses', [0xc1], /never uses/],
    ['a key that is a list', [0x81, 0x90, 0x01], /key/],
  ])('refuses %s', (_, bytes, words) => {
    const error = refusal(Uint8Array.from(bytes)) as Error;
    expect(error).toEqual(refused);
    expect(error.message).toMatch(words);
  });

  it('lets no key reach the prototype, as text or as bytes', () => {
    const text = [0x81, 0xa9, ...new TextEncoder().encode('__proto__'), 0x80];
    const bytes = [0x81, 0xc4, 0x09, ...new TextEncoder().encode('__proto__'), 0x80];
    expect(refusal(Uint8Array.from(text))).toEqual(refused);
    expect(refusal(Uint8Array.from(bytes))).toEqual(refused);
  });

  it('bounds the number of values before it makes any', () => {
    const bytes = new Uint8Array(2_000_005);
    bytes.set([0xdd, 0x00, 0x1e, 0x84, 0x80]);
    expect((refusal(bytes) as Error).message).toMatch(/more than 1100000 values/);
  });
});

describe('arrays of numpy', () => {
  const array = NumpyArray.float32([2, 3], Float32Array.of(1, -2.5, 3, 4, 5, 6));

  it.each(['openpi', 'gr00t'] as const)('travel in the dialect of %s and come back bit by bit', (numpy) => {
    const back = decodeMsgpack(encodeMsgpack({ a: [array], text: 'x', no: undefined }, { numpy }), { numpy });
    const { a, ...rest } = back as { a: NumpyArray[] };
    expect(rest).toEqual({ text: 'x' });
    expect(a[0]).toBeInstanceOf(NumpyArray);
    expect(a[0]!.shape).toEqual([2, 3]);
    expect([...a[0]!.floats()]).toEqual([1, -2.5, 3, 4, 5, 6]);
  });

  it('has binary keys for openpi, as its Python looks for them', () => {
    const bytes = Buffer.from(encodeMsgpack(array, { numpy: 'openpi' }));
    expect(bytes.includes(Buffer.from([0xc4, 11, ...Buffer.from('__ndarray__')]))).toBe(true);
  });

  it.each([
    ['<f8', [8], new Float64Array([0.5]), [0.5]],
    ['<i8', [8], new BigInt64Array([-3n]), [-3]],
    ['|b1', [1], new Uint8Array([1]), [1]],
    ['<f2', [2], new Uint16Array([0x3c00, 0xc000, 0x7c00]), [1, -2, Number.POSITIVE_INFINITY]],
    ['>f4', [4], new Uint8Array([0x3f, 0x80, 0, 0]), [1]],
    ['<u2', [2], new Uint16Array([65_535]), [65_535]],
  ])('reads numbers of the type %s', (dtype, _, data, expected) => {
    const bytes = new Uint8Array(data.buffer);
    expect([...NumpyArray.of(dtype, [expected.length], bytes).floats()]).toEqual(expected);
  });

  it('reads text of numpy', () => {
    const text = NumpyArray.of('<U4', [1], new Uint8Array(new Uint32Array([112, 105, 99, 0]).buffer));
    expect(text.texts()).toEqual(['pic']);
  });

  it.each([
    ['objects (pickle)', { dtype: '|O', shape: [1], data: new Uint8Array(8) }],
    ['records', { dtype: '|V8', shape: [1], data: new Uint8Array(8) }],
    ['complex numbers', { dtype: '<c8', shape: [1], data: new Uint8Array(8) }],
    ['fewer bytes than the shape', { dtype: '<f4', shape: [3], data: new Uint8Array(8) }],
    ['a shape that overflows', { dtype: '<f4', shape: [2 ** 40, 2 ** 40], data: new Uint8Array(8) }],
    ['a size below zero', { dtype: '<f4', shape: [-1], data: new Uint8Array(0) }],
    ['a thousand axes', { dtype: '<f4', shape: new Array(1000).fill(1), data: new Uint8Array(4) }],
    ['a name of the prototype for its type', { dtype: '<constructor', shape: [1], data: new Uint8Array(4) }],
  ])('refuses %s', (_, fields) => {
    expect(refusal(encode({ __ndarray__: true, ...fields }), { numpy: 'openpi' })).toEqual(refused);
  });

  it('refuses .npy files that are no plain arrays, and evaluates no header', () => {
    const good = encodeNpy(array);
    expect([...decodeNpy(good).floats()]).toEqual([...array.floats()]);
    const text = new TextDecoder('latin1').decode(good.subarray(10, 128));
    const withHeader = (header: string) => {
      const bytes = good.slice();
      bytes.set(new TextEncoder().encode(header.padEnd(117)), 10);
      return bytes;
    };
    expect(text).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/);
    for (const header of [
      "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }",
      "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }",
      "__import__('os').system('true')",
    ])
      expect(() => decodeNpy(withHeader(header))).toThrow(/./);
    for (let cut = 0; cut < good.length; cut += 7) expect(() => decodeNpy(good.subarray(0, cut))).toThrow();
  });
});
