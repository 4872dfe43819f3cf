import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  readActions,
  readObservation,
  readSetup,
  writeActions,
  writeObservation,
  writeSetup,
} from '../../adapters/lerobot/messages.ts';
import {
  isPy,
  PICKLE_LIMITS,
  PickleWriter,
  readFloats,
  readPickle,
  readPixels,
} from '../../adapters/lerobot/pickle/index.ts';

const HELPERS = 'lerobot.async_inference.helpers';
const directory = mkdtempSync(join(tmpdir(), 'pickle-'));
const canary = join(directory, 'canary');
afterAll(() => rmSync(directory, { recursive: true }));

const PROTO4 = [0x80, 4];
const STOP = 0x2e;

/** Opcodes by hand: numbers are bytes, text is its bytes. */
function raw(...parts: readonly (number | string | readonly number[] | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === 'number'
        ? Buffer.from([part])
        : typeof part === 'string'
          ? Buffer.from(part, 'latin1')
          : Buffer.from(part as Uint8Array),
    ),
  );
}

function text(value: string): Uint8Array {
  return raw(0x8c, value.length, value);
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** What stands in a catalogue of attacks on `pickle.loads`; each would do something there. */
const HOSTILE: readonly (readonly [string, Uint8Array, RegExp])[] = [
  [
    'os.system by STACK_GLOBAL and REDUCE',
    raw(PROTO4, text('os'), text('system'), 0x93, text(`touch ${canary}`), 0x85, 0x52, STOP),
    /global os\.system is not allowed in this protocol at byte 14/,
  ],
  [
    'posix.system by GLOBAL',
    raw([0x80, 2], 'cposix\nsystem\n', text(`touch ${canary}`), 0x85, 0x52, STOP),
    /global posix\.system/,
  ],
  [
    'builtins.eval',
    raw(PROTO4, 'cbuiltins\neval\n', text(`open(${JSON.stringify(canary)}, 'w')`), 0x85, 0x52, STOP),
    /global builtins\.eval/,
  ],
  ['builtins.getattr, from which everything follows', raw(PROTO4, 'cbuiltins\ngetattr\n', STOP), /getattr/],
  ['subprocess.Popen', raw(PROTO4, text('subprocess'), text('Popen'), 0x93, STOP), /subprocess\.Popen/],
  ['torch.hub.load', raw(PROTO4, text('torch.hub'), text('load'), 0x93, STOP), /torch\.hub\.load/],
  [
    'torch.load, which would unpickle more',
    raw(PROTO4, text('torch'), text('load'), 0x93, STOP),
    /torch\.load/,
  ],
  ['numpy.load', raw(PROTO4, text('numpy'), text('load'), 0x93, STOP), /numpy\.load/],
  [
    'a dotted name below a class of the list',
    raw(PROTO4, text(HELPERS), text('TimedAction.__init__.__globals__'), 0x93, STOP),
    /__globals__/,
  ],
  [
    'a module that hides behind a separator of ours',
    raw(PROTO4, text('numpy dtype'), text(''), 0x93, STOP),
    /is not allowed in this protocol/,
  ],
  ['INST, an older call', raw('(', text('x'), 'ios\nsystem\n', STOP), /opcode INST is not read at byte 4/],
  ['OBJ, another', raw('(cos\nsystem\n', STOP), /os\.system/],
  ['the extension registry', raw(PROTO4, 0x82, 1, STOP), /EXT1/],
  ['NEWOBJ_EX', raw(PROTO4, 0x92, STOP), /NEWOBJ_EX/],
  ['a persistent id outside of an archive', raw(PROTO4, text('x'), 0x51, STOP), /BINPERSID/],
  ['out-of-band buffers', raw([0x80, 5], 0x97, STOP), /NEXT_BUFFER/],
  ['protocol 0', raw('I1\n.'), /opcode INT is not read at byte 0/],
  ['a protocol that does not exist', raw(0x80, 9, 0x4e, STOP), /protocol 9/],
  [
    'a class of the list that is called instead of made',
    raw(PROTO4, text(HELPERS), text('TimedAction'), 0x93, 0x29, 0x52, STOP),
    /calling .*TimedAction is not allowed/,
  ],
  ['a call of a number', raw(PROTO4, 0x4b, 1, 0x29, 0x52, STOP), /no name/],
  [
    'an object of a function of the list',
    raw(PROTO4, text('numpy'), text('dtype'), 0x93, 0x29, 0x81, STOP),
    /not listed/,
  ],
  ['a state for a dict', raw(PROTO4, 0x7d, 0x7d, 0x62, STOP), /a state for something that has none/],
  ['bytes of 2^63 that are not there', raw(PROTO4, 0x8e, u64(2n ** 63n), STOP), /ends in the middle/],
  ['text of 4 GiB that is not there', raw(PROTO4, 0x58, [255, 255, 255, 255], STOP), /ends in the middle/],
  ['a frame of 2^64', raw(PROTO4, 0x95, u64(2n ** 64n - 1n), 0x4e, 0x4e, STOP), /values are left/],
  ['a number of 255 bytes', raw(PROTO4, 0x8a, 255, new Uint8Array(255), STOP), /a number of 255 bytes/],
  ['a memo that was never filled', raw(PROTO4, 0x68, 7, STOP), /nothing was remembered as 7/],
  ['a stack that is empty', raw(PROTO4, 0x52, STOP), /the stack is empty/],
  ['a MARK that is taken for a value', raw(PROTO4, 0x28, 0x85, STOP), /the stack is empty/],
  ['APPENDS without MARK', raw(PROTO4, 0x5d, 0x65, STOP), /no MARK/],
  ['text that is no UTF-8', raw(PROTO4, 0x8c, 2, [0xff, 0xfe], STOP), /UTF-8/],
  ['something after the end', raw(PROTO4, 0x4e, STOP, 0x4e), /after its end/],
  ['nothing', raw(), /ends in the middle/],
  ['a dict whose key is a list', raw(PROTO4, 0x7d, 0x5d, 0x4e, 0x73, STOP), /a key that is neither/],
  ['nesting without end', raw(PROTO4, 0x29, new Uint8Array(60).fill(0x85), STOP), /nested deeper than 32/],
  [
    'a list that holds itself again and again',
    raw(PROTO4, 0x5d, 0x94, ...Array.from({ length: 40 }, () => raw(0x68, 0, 0x61)), STOP),
    /nested deeper than 32/,
  ],
  ['opcodes without end', raw(PROTO4, new Uint8Array(300_000).fill(0x4e), STOP), /more than 200000 opcodes/],
  [
    'a memo without end',
    raw(PROTO4, 0x4e, new Uint8Array(60_000).fill(0x94), STOP),
    /more than 50000 remembered/,
  ],
  ['an array of 10^15 elements', array([100_000, 100_000, 100_000], new Uint8Array(8)), /in one array/],
  ['an array that is longer than its bytes', array([4], new Uint8Array(3)), /fit 3 bytes/],
  ['a size below zero', array([-1], new Uint8Array(0)), /an invalid size in a shape/],
  ['a dtype of objects', dtype('O8'), /neither integer, float nor boolean/],
  ['a dtype of text', dtype('U4'), /neither integer, float nor boolean/],
  ['big-endian elements', dtype('>f4'), /neither integer, float nor boolean/],
  ['a dtype named as a member of every object', dtype('constructor'), /neither integer/],
  ['a tensor beyond its storage', tensor([5], [1], 0, new Float32Array(4)), /ends at element 4 of 4/],
  ['a tensor before its storage', tensor([2], [1], -1, new Float32Array(4)), /an odd offset/],
  [
    'a tensor of 2^60 elements in a storage of one',
    tensor([2 ** 30, 2 ** 30], [0, 0], 0, new Float32Array(1)),
    /elements in one array/,
  ],
  ['a tensor whose stride runs away', tensor([3], [2 ** 40], 0, new Float32Array(4)), /ends at element/],
  ['an archive within an archive', raw(nestedArchive(), STOP), /REDUCE is not read in an archive/],
];

function array(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const to = new PickleWriter();
  to.call('numpy.core.numeric', '_frombuffer', [
    () => to.bytes(bytes),
    () => to.call('numpy', 'dtype', [() => to.text('u1'), () => to.bool(false), () => to.bool(true)]),
    () => to.ints(shape),
    () => to.text('C'),
  ]);
  return to.finish();
}

function dtype(name: string): Uint8Array {
  const to = new PickleWriter();
  to.call('numpy', 'dtype', [() => to.text(name), () => to.bool(false), () => to.bool(true)]);
  return to.finish();
}

/** A view of any shape on a storage of those elements. */
function tensor(
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
  data: Float32Array,
): Uint8Array {
  const whole = new PickleWriter().tensor([data.length], data).finish();
  const archive = whole.subarray(...archiveIn(whole));
  const to = new PickleWriter();
  to.call('torch._utils', '_rebuild_tensor_v2', [
    () => to.call('torch.storage', '_load_from_bytes', [() => to.bytes(archive)]),
    () => to.int(offset),
    () => to.ints(shape),
    () => to.ints(strides),
    () => to.bool(false),
    () => to.call('collections', 'OrderedDict', []),
  ]);
  return to.finish();
}

/** Where the one long run of bytes of a tensor stands. */
function archiveIn(whole: Uint8Array): [number, number] {
  const at = Buffer.from(whole).indexOf(Buffer.from([0x42]), 40);
  const length = new DataView(whole.buffer, whole.byteOffset).getUint32(at + 1, true);
  return [at + 5, at + 5 + length];
}

function nestedArchive(): Uint8Array {
  const inner = raw([0x80, 2], 'ctorch.storage\n_load_from_bytes\n', 0x43, 1, 0, 0x85, 0x52, STOP);
  return raw(PROTO4, 'ctorch.storage\n_load_from_bytes\n', 0x43, inner.length, inner, 0x85, 0x52);
}

describe('a hostile pickle', () => {
  it.each(HOSTILE)('%s is refused by name and place', (_, bytes, message) => {
    expect(() => readPickle(bytes)).toThrowError(
      expect.objectContaining({ code: 'wire.refused', message: expect.stringMatching(message) }),
    );
    expect(existsSync(canary)).toBe(false);
  });

  it('would have acted in Python: the same bytes make the canary there', () => {
    const [, bytes] = HOSTILE[0]!;
    const python = ['import pickle, sys', 'pickle.loads(sys.stdin.buffer.read())'].join('\n');
    execFileSync('python3', ['-c', python], { input: bytes });
    expect(existsSync(canary)).toBe(true);
    rmSync(canary);
  });

  it('above its bytes is not looked at', () => {
    expect(() => readPickle(new Uint8Array(101), { ...PICKLE_LIMITS, bytesMax: 100 })).toThrowError(
      /101 bytes, 100 at most/,
    );
  });

  it('of doubling lists costs what it weighs', () => {
    // [[x, x], [x, x]] by the memo: 2^300 leaves on paper, 300 pairs here, then it is too deep.
    const doubling = raw(
      PROTO4,
      0x5d,
      0x94,
      ...Array.from({ length: 25 }, (_, i) => raw(0x68, i, 0x68, i, 0x86, 0x94)),
      STOP,
    );
    expect(() => readPickle(doubling)).toThrowError(/values are left/);
  });

  it('is refused whatever bytes it has, and never with anything but a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readPickle(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'wire.refused' });
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('messages of the wire', () => {
  const names = fc.string({ maxLength: 20 });
  const double = fc.double({ noNaN: true });
  const floats = fc
    .array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 8 })
    .map((all) => Float32Array.from(all));

  it('come back as they were: observations', () => {
    fc.assert(
      fc.property(
        fc.record({
          timestamp: double,
          timestep: fc.maxSafeInteger(),
          mustGo: fc.boolean(),
          numbers: fc.dictionary(names, double, { maxKeys: 9 }),
          task: fc.option(fc.string({ maxLength: 90, unit: 'grapheme' }), { nil: undefined }),
        }),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        (head, pixels) => {
          const numbers = new Map(Object.entries(head.numbers).filter(([name]) => name !== 'task'));
          const pictures = new Map([['\0front', { shape: [2, 2, 3], data: pixels }]]);
          const bytes = writeObservation({ ...head, numbers, pictures }, HELPERS);
          const { values, ...rest } = readObservation(bytes);
          const { timestamp, timestep, mustGo } = head;
          expect(rest).toEqual({ timestamp, timestep, mustGo });
          for (const [name, value] of numbers) expect(values.get(name)).toBe(value);
          expect(values.get('task')).toBe(head.task);
          const picture = values.get('\0front');
          if (!isPy(picture, 'ndarray')) throw new Error('no picture');
          expect(picture.shape).toEqual([2, 2, 3]);
          expect(readPixels(picture)).toEqual(pixels);
        },
      ),
    );
  });

  it('come back as they were: actions, bit by bit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ timestamp: double, timestep: fc.maxSafeInteger(), action: floats })),
        (actions) => {
          expect(readActions(writeActions(actions, HELPERS))).toEqual(actions);
        },
      ),
    );
  });

  it('come back as they were: the setup', () => {
    const setup = {
      policyType: 'act',
      pretrained: '/models/pick é',
      features: new Map([
        ['observation.state', { dtype: 'float32', shape: [2], names: ['joint_1.pos', 'joint_2.pos'] }],
        ['observation.images.front', { dtype: 'image', shape: [48, 64, 3], names: [] }],
      ]),
      actionsPerChunk: 50,
      device: 'cpu',
      renames: new Map([['a', 'b']]),
      module: 'lerobot.scripts.server.helpers',
    };
    expect(readSetup(writeSetup(setup))).toEqual(setup);
  });

  it.each([
    ['an observation for actions', () => readActions(writeObservation(NOTHING, HELPERS))],
    ['actions for an observation', () => readObservation(writeActions([], HELPERS))],
    ['actions for a setup', () => readSetup(writeActions([], HELPERS))],
  ])('%s is refused', (_, read) => {
    expect(read).toThrowError(expect.objectContaining({ code: 'wire.refused' }));
  });

  it('lay out a transposed view of a tensor', () => {
    const bytes = tensor([3, 2], [1, 3], 0, Float32Array.of(1, 2, 3, 4, 5, 6));
    const value = readPickle(bytes);
    if (!isPy(value, 'tensor')) throw new Error('no tensor');
    expect([...readFloats(value)]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe('bfloat16', () => {
  it('is read as the upper half of a float32', () => {
    const whole = Buffer.from(new PickleWriter().tensor([1], Float32Array.of(0)).finish());
    // The same tensor of two bytes an element: another storage, half the bytes.
    const named = Buffer.from('torch\nFloatStorage\n');
    const at = whole.indexOf(named);
    const bytes = Buffer.concat([
      whole.subarray(0, at),
      Buffer.from('torch\nBFloat16Storage\n'),
      whole.subarray(at + named.length),
    ]);
    const start = whole.indexOf(Buffer.from([0x42])) + 1;
    const length = whole.readUInt32LE(start);
    const grown = 'torch\nBFloat16Storage\n'.length - named.length;
    bytes.writeUInt32LE(length + grown - 2, start);
    const end = start + 4 + length + grown;
    const value = readPickle(
      Buffer.concat([bytes.subarray(0, end - 4), Buffer.from([0xc0, 0xbf]), bytes.subarray(end)]),
    );
    if (!isPy(value, 'tensor')) throw new Error('no tensor');
    expect([...readFloats(value)]).toEqual([-1.5]);
  });
});

const NOTHING = {
  timestamp: 0,
  timestep: 0,
  mustGo: false,
  numbers: new Map(),
  pictures: new Map(),
  task: undefined,
};
