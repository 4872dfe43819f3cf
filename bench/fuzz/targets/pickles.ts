import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  readActions,
  readObservation,
  readSetup,
  writeActions,
  writeObservation,
  writeSetup,
} from '../../../adapters/lerobot/messages.ts';
import {
  isPy,
  type PyValue,
  readFloats,
  readPickle,
  readPixels,
} from '../../../adapters/lerobot/pickle/index.ts';
import { OPCODES } from '../../../adapters/lerobot/pickle/opcodes.ts';
import { mutate } from '../mutate.ts';
import type { Random } from '../random.ts';
import type { Target } from '../target.ts';

const MODULE = 'lerobot.async_inference.helpers';
const golden = (name: string) =>
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'test', 'golden', 'lerobot', `${name}.bin`));

const setups = [
  golden('setup-4'),
  writeSetup({
    ...{ policyType: 'act', pretrained: 'pick', actionsPerChunk: 50, device: 'cpu', module: MODULE },
    features: new Map([['observation.state', { dtype: 'float32', shape: [2], names: ['a', 'b'] }]]),
    renames: new Map([['a', 'b']]),
  }),
];
const observations = [
  ...[3, 4, 5].map((protocol) => golden(`observation-${protocol}`)),
  writeObservation(
    {
      ...{ timestamp: 1.5, timestep: 3, mustGo: true, task: 'pick' },
      numbers: new Map([['a', 1.5]]),
      pictures: new Map([['front', { shape: [2, 2, 3], data: new Uint8Array(12) }]]),
    },
    MODULE,
  ),
];
const actions = [
  ...[3, 4, 5].map((protocol) => golden(`actions-${protocol}`)),
  writeActions([{ timestamp: 1, timestep: 2, action: Float32Array.of(1, 2, 3) }], MODULE),
];

/** Everything in a value that has elements is laid out: what was let in must be whole. */
function layOut(value: PyValue): void {
  if (!isPy(value, 'ndarray') && !isPy(value, 'tensor')) return;
  readFloats(value);
  readPixels(value);
}

const pickles: Target = {
  name: 'lerobot-pickles',
  weight: 14,
  make: (random) => mutate(random.pick([...setups, ...observations, ...actions]), random),
  run(input) {
    for (const read of [readSetup, readActions, () => undefined]) {
      try {
        read(input);
      } catch (error) {
        if ((error as { code?: string }).code !== 'wire.refused') throw error;
      }
    }
    for (const value of readObservation(input).values.values()) layOut(value);
  },
};

/** Opcodes that follow one another as they like, on names that are known. */
const CODES = Object.values(OPCODES);
const NAMES = [
  'numpy',
  'ndarray',
  'dtype',
  'torch._utils',
  '_rebuild_tensor_v2',
  'torch',
  'FloatStorage',
  'f4',
];
const programs: Target = {
  name: 'pickle-programs',
  weight: 14,
  make(random: Random) {
    const parts: number[] = [0x80, 4];
    for (let i = 2 + random.below(40); i > 0; i--) {
      if (random.chance(0.3)) {
        const name = random.pick(NAMES);
        parts.push(OPCODES.SHORT_BINUNICODE, name.length, ...Buffer.from(name));
      } else parts.push(random.pick(CODES));
      if (random.chance(0.3)) parts.push(random.below(4));
    }
    return Uint8Array.from([...parts, OPCODES.STOP]);
  },
  run: (input) => layOut(readPickle(input)),
};

export const pickleTargets: readonly Target[] = [pickles, programs];
