import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnxFile } from '../../scripts/policy/onnx-file.ts';

/** Writes a network that multiplies its input `x` [1,4] by two and gives it as [2,2]; returns its path. */
export function tinyModel(
  directory: string,
  spoil: { hash?: string; output?: [number, number] } = {},
): string {
  const path = join(directory, 'tiny.onnx');
  const bytes = onnxFile(
    {
      name: 'tiny',
      inputs: [{ name: 'x', shape: [1, 4] }],
      outputs: [{ name: 'actions', shape: [2, 2] }],
      constants: [
        { name: 'two', shape: [1], data: Float32Array.of(2) },
        { name: 'shape', shape: [2], data: BigInt64Array.of(2n, 2n) },
      ],
      nodes: [
        { op: 'Mul', inputs: ['x', 'two'], outputs: ['y'] },
        { op: 'Reshape', inputs: ['y', 'shape'], outputs: ['actions'] },
      ],
    },
    'test',
  );
  const sha256 = spoil.hash ?? createHash('sha256').update(bytes).digest('hex');
  writeFileSync(path, bytes);
  writeFileSync(
    `${path}.json`,
    JSON.stringify({
      name: 'tiny',
      sha256,
      inputs: { x: [1, 4] },
      output: { name: 'actions', shape: spoil.output ?? [2, 2] },
      step_ms: 50,
    }),
  );
  return path;
}
