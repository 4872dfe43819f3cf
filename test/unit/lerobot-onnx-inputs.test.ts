import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ModelCard, readModel } from '../../adapters/onnx/model-card.ts';
import { type NetworkInput, networkInputs } from '../../adapters/onnx/onnx-inputs.ts';
import { prefixInputs } from '../../adapters/onnx/onnx-prefix.ts';
import { type OnnxGraph, onnxFile } from '../../scripts/policy/onnx-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'inputs-'));
afterAll(() => rmSync(directory, { recursive: true }));

type Input = OnnxGraph['inputs'][number];
const file = (inputs: readonly Input[]) =>
  onnxFile({ name: 'a', nodes: [], constants: [], inputs, outputs: [] }, 'test');
const plain = (count: number): Input[] =>
  Array.from({ length: count }, (_, i) => ({ name: `input ${i}`, shape: [1, 2] }));
const card: ModelCard = {
  name: 'a',
  sha256: '',
  inputs: { state: [1, 7] },
  output: { name: 'actions', shape: [16, 7] },
  step_ms: 50,
};

/** `08 00` again and again: a field of two bytes that nobody looks for. */
function fields(count: number): Uint8Array {
  const bytes = new Uint8Array(2 * count);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 8;
  return bytes;
}

describe('an ONNX file that is made to be read for long', () => {
  it.each<[string, () => Uint8Array, RegExp]>([
    ['of millions of fields', () => fields(8_000_000), /^a\.onnx: the network has more than 2000000 fields$/],
    ['of thousands of inputs', () => file(plain(1_025)), /more than 1024 inputs/],
    [
      'with an input of a hundred axes',
      () => file([{ name: 'x', shape: new Array<number>(100).fill(1) }]),
      /more than 64 axes/,
    ],
    ['with a name of a megabyte', () => file([{ name: 'x'.repeat(2 ** 20), shape: [1] }]), /1048576 bytes/],
  ])('%s is refused, naming it', (_, bytes, message) => {
    expect(() => networkInputs(bytes(), 'a.onnx')).toThrow(
      expect.objectContaining({
        code: 'model.unavailable',
        subject: 'a.onnx',
        message: expect.stringMatching(message),
      }),
    );
  });

  it('is refused by whoever loads it, in the words of a file', async () => {
    const path = join(directory, 'long.onnx');
    const bytes = fields(2_000_001);
    writeFileSync(path, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(`${path}.json`, JSON.stringify({ ...card, sha256 }));
    await expect(readModel(path)).rejects.toMatchObject({
      code: 'model.unavailable',
      operation: 'load policy',
      subject: path,
    });
  });

  it('one that is merely large is read: as many fields as are allowed take no memory', () => {
    const many = fields(1_900_000);
    const network = file(plain(1_000));
    const whole = new Uint8Array(many.length + network.length);
    whole.set(many);
    whole.set(network, many.length);
    const before = process.memoryUsage().heapUsed;
    expect(networkInputs(whole, 'a.onnx')).toHaveLength(1_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64e6);
  });
});

describe('rows of a prefix', () => {
  const actions = (rows: number | undefined): NetworkInput => ({
    name: 'action_prefix',
    type: 'float32',
    shape: [1, rows, 7],
  });
  const mask = (rows: number | undefined): NetworkInput => ({
    name: 'prefix_mask',
    type: 'bool',
    shape: [1, rows],
  });

  it.each<[string, number | undefined, number | undefined, number]>([
    ['the actions', 8, undefined, 8],
    ['the mask, where the actions leave it open', undefined, 8, 8],
    ['both', 8, 8, 8],
    ['nobody: as many as a chunk has', undefined, undefined, 16],
  ])('are told by %s', (_, ofActions, ofMask, rows) => {
    expect(prefixInputs([actions(ofActions), mask(ofMask)], card)).toMatchObject({
      rows,
      shape: [1, rows, 7],
      mask: { shape: [1, rows] },
    });
  });

  it.each<[string, number | undefined, number | undefined, string]>([
    ['the two differ', 8, 7, 'float32 or bool [1, 8] expected, found bool [1, 7]'],
    ['the mask has more than a chunk', undefined, 17, 'float32 or bool [1, 16] expected, found bool [1, 17]'],
  ])('are refused where %s', (_, ofActions, ofMask, message) => {
    expect(prefixInputs([actions(ofActions), mask(ofMask)], card)).toBe(
      `input prefix_mask of its network: ${message}`,
    );
  });
});
