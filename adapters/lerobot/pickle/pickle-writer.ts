import { OPCODES as OP } from './opcodes.ts';
import { TORCH_MAGIC, TORCH_PROTOCOL } from './torch-format.ts';

const UTF8 = new TextEncoder();

/**
 * Writes what Python reads back with `pickle.loads`, protocol 4, opcode by opcode: the values of the wire only.
 * Calls nest as the values do: `list(items, write)`, `dict(entries)`, `object(module, name, fields)`.
 */
export class PickleWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  constructor() {
    this.#code(OP.PROTO);
    this.#u8(4);
  }

  /** Ends the pickle. The writer must not be used afterwards. */
  finish(): Uint8Array {
    this.#code(OP.STOP);
    return this.#bytes.subarray(0, this.#at);
  }

  bool(value: boolean): this {
    return this.#code(value ? OP.NEWTRUE : OP.NEWFALSE);
  }

  /** A whole number up to 2^53. */
  int(value: number): this {
    if (value >= 0 && value < 2 ** 16) {
      this.#code(value < 256 ? OP.BININT1 : OP.BININT2);
      return value < 256 ? this.#u8(value) : this.#u16(value);
    }
    if (value >= -(2 ** 31) && value < 2 ** 31) return this.#code(OP.BININT).#i32(value);
    return this.#code(OP.LONG1).#u8(8).#i64(BigInt(value));
  }

  float(value: number): this {
    this.#code(OP.BINFLOAT).#room(8);
    this.#view.setFloat64(this.#at, value, false);
    this.#at += 8;
    return this;
  }

  text(value: string): this {
    const bytes = UTF8.encode(value);
    this.#code(OP.BINUNICODE).#i32(bytes.byteLength);
    return this.#raw(bytes);
  }

  bytes(value: Uint8Array): this {
    return this.#code(OP.BINBYTES).#i32(value.byteLength).#raw(value);
  }

  list<T>(items: Iterable<T>, write: (item: T) => void): this {
    this.#code(OP.EMPTY_LIST).#code(OP.MARK);
    for (const item of items) write(item);
    return this.#code(OP.APPENDS);
  }

  tuple(items: readonly (() => unknown)[]): this {
    this.#code(OP.MARK);
    for (const write of items) write();
    return this.#code(OP.TUPLE);
  }

  ints(values: readonly number[]): this {
    return this.tuple(values.map((value) => () => this.int(value)));
  }

  dict(entries: Iterable<readonly [string, () => unknown]>): this {
    this.#code(OP.EMPTY_DICT).#code(OP.MARK);
    for (const [key, write] of entries) {
      this.text(key);
      write();
    }
    return this.#code(OP.SETITEMS);
  }

  global(module: string, name: string): this {
    return this.text(module).text(name).#code(OP.STACK_GLOBAL);
  }

  /** An instance whose fields are set without any constructor, as a dataclass is pickled. */
  object(module: string, name: string, fields: Iterable<readonly [string, () => unknown]>): this {
    this.global(module, name).#code(OP.EMPTY_TUPLE).#code(OP.NEWOBJ);
    return this.dict(fields).#code(OP.BUILD);
  }

  call(module: string, name: string, args: readonly (() => unknown)[]): this {
    this.global(module, name);
    return this.tuple(args).#code(OP.REDUCE);
  }

  /** numpy.ndarray of uint8 or float32, C order; both numpy 1 and 2 know the name in `numpy.core`. */
  ndarray(shape: readonly number[], data: Uint8Array | Float32Array): this {
    const dtype = data instanceof Uint8Array ? 'u1' : 'f4';
    this.call('numpy.core.multiarray', '_reconstruct', [
      () => this.global('numpy', 'ndarray'),
      () => this.ints([0]),
      () => this.bytes(UTF8.encode('b')),
    ]);
    this.tuple([
      () => this.int(1),
      () => this.ints(shape),
      () => this.#dtype(dtype),
      () => this.bool(false),
      () => this.bytes(littleEndian(data)),
    ]);
    return this.#code(OP.BUILD);
  }

  /** torch.Tensor of float32 on the CPU, contiguous, with a storage of its own: as torch pickles it. */
  tensor(shape: readonly number[], data: Float32Array): this {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return this.call('torch._utils', '_rebuild_tensor_v2', [
      () => this.call('torch.storage', '_load_from_bytes', [() => this.bytes(torchArchive(data))]),
      () => this.int(0),
      () => this.ints(shape),
      () => this.ints(strides),
      () => this.bool(false),
      () => this.call('collections', 'OrderedDict', []),
    ]);
  }

  #dtype(name: string): this {
    this.call('numpy', 'dtype', [() => this.text(name), () => this.bool(false), () => this.bool(true)]);
    const none = () => this.#code(OP.NONE);
    const order = name === 'u1' ? '|' : '<';
    this.tuple([
      () => this.int(3),
      () => this.text(order),
      none,
      none,
      none,
      () => this.int(-1),
      () => this.int(-1),
      () => this.int(0),
    ]);
    return this.#code(OP.BUILD);
  }

  #code(value: number): this {
    return this.#u8(value);
  }
  #u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#at++] = value;
    return this;
  }
  #u16(value: number): this {
    this.#room(2);
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
    return this;
  }
  #i32(value: number): this {
    this.#room(4);
    this.#view.setInt32(this.#at, value, true);
    this.#at += 4;
    return this;
  }
  #i64(value: bigint): this {
    this.#room(8);
    this.#view.setBigInt64(this.#at, value, true);
    this.#at += 8;
    return this;
  }
  #raw(value: Uint8Array): this {
    this.#room(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
    return this;
  }
  #room(length: number): void {
    if (this.#at + length <= this.#bytes.byteLength) return;
    const bytes = new Uint8Array(Math.max(this.#at + length, this.#bytes.byteLength * 2));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function littleEndian(data: Uint8Array | Float32Array): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (LITTLE) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of data.entries()) view.setFloat32(i * 4, value, true);
  return bytes;
}

/** Five pickles of protocol 2, then length and elements: a storage in torch's older archive. */
function torchArchive(data: Float32Array): Uint8Array {
  const tail = new Uint8Array(8 + data.length * 4);
  new DataView(tail.buffer).setBigUint64(0, BigInt(data.length), true);
  tail.set(littleEndian(data), 8);
  return Buffer.concat([ARCHIVE_HEAD, storageId(data.length), ARCHIVE_KEYS, tail]);
}

function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function unicode(text: string): Buffer {
  const head = Buffer.alloc(5);
  head[0] = OP.BINUNICODE;
  head.writeUInt32LE(text.length, 1);
  return Buffer.concat([head, ascii(text)]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = OP.BININT;
  bytes.writeInt32LE(value, 1);
  return bytes;
}

function long(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(2 + length);
  bytes[0] = OP.LONG1;
  bytes[1] = length;
  for (let i = 0; i < length; i++) bytes[2 + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
}

const PROTO2 = Buffer.from([OP.PROTO, 2]);
const STOP = Buffer.from([OP.STOP]);

/** Magic, version, and the writer's machine: little-endian, sizes of C's short, int and long. */
const ARCHIVE_HEAD = Buffer.concat([
  ...[PROTO2, long(TORCH_MAGIC, 10), STOP],
  ...[PROTO2, number(TORCH_PROTOCOL), STOP],
  ...[PROTO2, Buffer.from([OP.EMPTY_DICT, OP.MARK])],
  ...[unicode('protocol_version'), number(TORCH_PROTOCOL)],
  ...[unicode('little_endian'), Buffer.from([OP.NEWTRUE])],
  ...[unicode('type_sizes'), Buffer.from([OP.EMPTY_DICT, OP.MARK])],
  ...[unicode('short'), number(2), unicode('int'), number(4), unicode('long'), number(4)],
  Buffer.from([OP.SETITEMS, OP.SETITEMS, OP.STOP]),
]);
const ARCHIVE_KEYS = Buffer.concat([
  ...[PROTO2, Buffer.from([OP.EMPTY_LIST])],
  ...[unicode('0'), Buffer.from([OP.APPEND, OP.STOP])],
]);

/** ('storage', torch.FloatStorage, '0', 'cpu', elements, None) as a persistent id. */
function storageId(elements: number): Buffer {
  return Buffer.concat([
    ...[PROTO2, Buffer.from([OP.MARK]), unicode('storage')],
    ...[Buffer.from([OP.GLOBAL]), ascii('torch\nFloatStorage\n')],
    ...[unicode('0'), unicode('cpu'), number(elements)],
    Buffer.from([OP.NONE, OP.TUPLE, OP.BINPERSID, OP.STOP]),
  ]);
}
