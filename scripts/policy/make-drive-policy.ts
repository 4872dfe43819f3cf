/**
 * Makes apps/turtlebot-maze/policy/drive.onnx: a small network that imitates the analytic driver (`pursue`) on
 * random scenes. Same seed, same file to the last byte. About three minutes on one core.
 *
 *   node scripts/policy/make-drive-policy.ts [--seed 1] [--samples 60000] [--epochs 24] [--out PATH]
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { DRIVE_LIMITS } from '../../daemon/execution/control/drive-limits.ts';
import { HORIZON, pursue, SCAN_CLIP_M, SECTORS, STEP_MS } from '../../daemon/execution/control/pursuit.ts';
import { Network } from './network.ts';
import { onnxFile } from './onnx-file.ts';
import { type Random, seeded } from './random.ts';
import { randomScene, type Scene } from './scenes.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    samples: { type: 'string', default: '60000' },
    epochs: { type: 'string', default: '24' },
    out: {
      type: 'string',
      default: join(import.meta.dirname, '..', '..', 'apps', 'turtlebot-maze', 'policy', 'drive.onnx'),
    },
  },
});

/** Ranges twice: as they are, and as nearness, which is what steering away needs. */
const NEAR_M = 0.3;
const FEATURES = 2 * SECTORS + 5;
const OUTPUTS = 2 * HORIZON;
const HIDDEN = [128, 96];
const BATCH = 64;

function features(scene: Scene, into: Float32Array, at: number): void {
  for (let i = 0; i < SECTORS; i++) {
    into[at + i] = scene.scan[i]! / SCAN_CLIP_M;
    into[at + SECTORS + i] = Math.exp(-scene.scan[i]! / NEAR_M);
  }
  into.set(scene.goal, at + 2 * SECTORS);
  into.set(scene.twist, at + 2 * SECTORS + 3);
}

function dataset(count: number, random: Random) {
  const inputs = new Float32Array(count * FEATURES);
  const targets = new Float32Array(count * OUTPUTS);
  for (let n = 0; n < count; n++) {
    const scene = randomScene(random);
    features(scene, inputs, n * FEATURES);
    targets.set(pursue(scene.scan, scene.goal, scene.twist, DRIVE_LIMITS), n * OUTPUTS);
  }
  return { inputs, targets, count };
}

type Data = ReturnType<typeof dataset>;

function epoch(network: Network, data: Data, order: Uint32Array, rate: number): number {
  const x = new Float32Array(BATCH * FEATURES);
  const y = new Float32Array(BATCH * OUTPUTS);
  let loss = 0;
  const batches = Math.floor(data.count / BATCH);
  for (let b = 0; b < batches; b++) {
    for (let k = 0; k < BATCH; k++) {
      const n = order[b * BATCH + k]!;
      x.set(data.inputs.subarray(n * FEATURES, (n + 1) * FEATURES), k * FEATURES);
      y.set(data.targets.subarray(n * OUTPUTS, (n + 1) * OUTPUTS), k * OUTPUTS);
    }
    loss += network.train(x, y, BATCH, rate);
  }
  return loss / batches;
}

function shuffle(order: Uint32Array, random: Random): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
}

/** Root mean squared error of the first action, m/s and rad/s. */
function judge(network: Network, data: Data): { linear: number; angular: number } {
  const out = network.forward(data.inputs, data.count).at(-1)!;
  let linear = 0;
  let angular = 0;
  for (let n = 0; n < data.count; n++) {
    linear += (out[n * OUTPUTS]! - data.targets[n * OUTPUTS]!) ** 2;
    angular += (out[n * OUTPUTS + 1]! - data.targets[n * OUTPUTS + 1]!) ** 2;
  }
  return { linear: Math.sqrt(linear / data.count), angular: Math.sqrt(angular / data.count) };
}

function toOnnx(network: Network): Uint8Array {
  const layers = network.weights.flatMap((weight, l) => [
    { name: `w${l}`, shape: [network.sizes[l]!, network.sizes[l + 1]!], data: weight },
    { name: `b${l}`, shape: [network.sizes[l + 1]!], data: network.biases[l]! },
  ]);
  const last = network.weights.length - 1;
  const dense = network.weights.flatMap((_, l) => [
    {
      op: 'Gemm',
      inputs: [l === 0 ? 'features' : `h${l - 1}`, `w${l}`, `b${l}`],
      outputs: [l === last ? 'flat' : `z${l}`],
    },
    ...(l === last ? [] : [{ op: 'Relu', inputs: [`z${l}`], outputs: [`h${l}`] }]),
  ]);
  return onnxFile(
    {
      name: 'drive',
      inputs: [
        { name: 'scan', shape: [1, SECTORS] },
        { name: 'goal', shape: [1, 3] },
        { name: 'twist', shape: [1, 2] },
      ],
      outputs: [{ name: 'actions', shape: [HORIZON, 2] }],
      constants: [
        { name: 'per_range', shape: [1], data: Float32Array.of(1 / SCAN_CLIP_M) },
        { name: 'per_near', shape: [1], data: Float32Array.of(-1 / NEAR_M) },
        { name: 'shape', shape: [2], data: BigInt64Array.of(BigInt(HORIZON), 2n) },
        ...layers,
      ],
      nodes: [
        { op: 'Mul', inputs: ['scan', 'per_range'], outputs: ['ranges'] },
        { op: 'Mul', inputs: ['scan', 'per_near'], outputs: ['exponent'] },
        { op: 'Exp', inputs: ['exponent'], outputs: ['nearness'] },
        {
          op: 'Concat',
          inputs: ['ranges', 'nearness', 'goal', 'twist'],
          outputs: ['features'],
          attributes: { axis: 1 },
        },
        ...dense,
        { op: 'Reshape', inputs: ['flat', 'shape'], outputs: ['actions'] },
      ],
    },
    'auraison-edge',
  );
}

const random = seeded(Number(options.seed));
const begin = performance.now();
const data = dataset(Number(options.samples), random);
const held = dataset(3_000, seeded(Number(options.seed) + 1_000_000));
console.log(
  `${data.count} scenes in ${((performance.now() - begin) / 1000).toFixed(1)} s (seed ${options.seed})`,
);
const network = new Network([FEATURES, ...HIDDEN, OUTPUTS], random);
const order = Uint32Array.from({ length: data.count }, (_, i) => i);
const epochs = Number(options.epochs);
for (let e = 0; e < epochs; e++) {
  shuffle(order, random);
  const rate = 1.5e-3 * (0.5 + 0.5 * Math.cos((Math.PI * e) / epochs)) + 1e-5;
  const loss = epoch(network, data, order, rate);
  const error = judge(network, held);
  console.log(
    `epoch ${String(e + 1).padStart(2)}  loss ${loss.toFixed(5)}  held out: ${error.linear.toFixed(3)} m/s ${error.angular.toFixed(3)} rad/s  ${((performance.now() - begin) / 1000).toFixed(0)} s`,
  );
}
const file = toOnnx(network);
const card = {
  name: 'drive',
  sha256: createHash('sha256').update(file).digest('hex'),
  inputs: { scan: [1, SECTORS], goal: [1, 3], twist: [1, 2] },
  output: { name: 'actions', shape: [HORIZON, 2] },
  step_ms: STEP_MS,
};
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, file);
writeFileSync(`${options.out}.json`, `${JSON.stringify(card, null, 2)}\n`);
console.log(`${options.out}: ${file.length} bytes, sha256 ${card.sha256}`);
