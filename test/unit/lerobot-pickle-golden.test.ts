import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readActions, readObservation, readSetup } from '../../adapters/lerobot/messages.ts';
import { isPy, type PyValue, readFloats } from '../../adapters/lerobot/pickle/index.ts';

/** Written by Python, numpy and torch themselves: test/peers/lerobot/pickles.py. */
const golden = (name: string) =>
  readFileSync(join(import.meta.dirname, '..', 'golden', 'lerobot', `${name}.bin`));
const HELPERS = 'lerobot.async_inference.helpers';
const PICTURE = Array.from({ length: 18 }, (_, i) => (i * 7) % 256);

function plain(value: PyValue | undefined): unknown {
  if (!isPy(value, 'ndarray') && !isPy(value, 'tensor')) return value;
  return { shape: [...value.shape], data: [...readFloats(value)] };
}

describe.each([3, 4, 5])('pickles of LeRobot 0.4.4 in protocol %s', (protocol) => {
  it('hold the setup', () => {
    expect(readSetup(golden(`setup-${protocol}`))).toEqual({
      policyType: 'act',
      pretrained: 'user/model',
      features: new Map([
        ['observation.state', { dtype: 'float32', shape: [2], names: ['a.pos', 'b.pos'] }],
        [
          'observation.images.front',
          { dtype: 'image', shape: [2, 3, 3], names: ['height', 'width', 'channels'] },
        ],
      ]),
      actionsPerChunk: 50,
      device: 'cpu',
      renames: new Map(),
      module: HELPERS,
    });
  });

  it('hold actions, views of one storage among them', () => {
    const rows = [0, 1, 2, 3].map((i) => Float32Array.of((i * 3) / 8, (i * 3 + 1) / 8, (i * 3 + 2) / 8));
    expect(readActions(golden(`actions-${protocol}`))).toEqual(
      rows.map((action, i) => ({ timestamp: 1.5 + i, timestep: 7 + i, action })),
    );
  });

  it('hold observations of every form of value', () => {
    const { values, ...rest } = readObservation(golden(`observation-${protocol}`));
    expect(rest).toEqual({ timestamp: 1_700_000_000.25, timestep: 3, mustGo: true });
    const flipped = [0, 1].flatMap((y) =>
      [2, 1, 0].flatMap((x) => PICTURE.slice(y * 9 + x * 3, y * 9 + x * 3 + 3)),
    );
    const channels = [0, 1, 2].flatMap((c) => PICTURE.filter((_, i) => i % 3 === c));
    expect(Object.fromEntries([...values].map(([name, value]) => [name, plain(value)]))).toEqual({
      float: 1.5,
      whole: -7,
      large: 2 ** 40,
      numpy32: { shape: [], data: [2.25] },
      numpy64: { shape: [], data: [-3.5] },
      tensor0: { shape: [], data: [4.75] },
      halves: { shape: [3], data: [0.5, -1.25, 65_504] },
      doubles: { shape: [2], data: [1, 2] },
      fortran: { shape: [2, 3, 3], data: PICTURE },
      flipped: { shape: [2, 3, 3], data: flipped },
      chw: { shape: [3, 2, 3], data: channels },
      front: { shape: [2, 3, 3], data: PICTURE },
      task: 'pick the cube – ü',
    });
  });
});
