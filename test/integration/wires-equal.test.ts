import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectGroot } from '../../adapters/groot/index.ts';
import { connectLeRobot } from '../../adapters/lerobot/index.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { connectOpenPi } from '../../adapters/openpi/index.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { ZenohVlaPolicy } from '../../adapters/zenoh/vla-policy.ts';
import type { Observation, Policy } from '../../contract/core.ts';
import { readRemoteCard } from '../../io/remote-card-file.ts';
import { onnxFile } from '../../scripts/policy/onnx-file.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { WiresPeer, wiresPython } from '../support/wires-peer.ts';
import { freePort } from '../support/zenoh.ts';

/**
 * One policy in a whole daemon, asked over each wire that it is served on, by our clients and by stock ones: the
 * actions are those of the network in this process within 1e-4.
 */
const ASKED = 10;
const EQUAL_WITHIN = 1e-4;
const [HEIGHT, WIDTH, JOINTS, HORIZON] = [6, 8, 7, 4];
const NAMES = ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'joint_6', 'gripper'];
const clock = new SystemClock();
const dir = freshDir('wires-equal');
const cleanups: (() => Promise<unknown>)[] = [];
const ports = { lerobot: 0, openpi: 0, groot: 0, zenoh: 0 };
let daemon: TestDaemon;
let reference: Policy;
let keySpace: NativeKeySpace;

/** Numbers from a seed: the same in each run. */
function numbers(seed: number, count: number): number[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** tanh(state * A + picture * B), of random A and B, behind a normalisation as a checkpoint has it. */
function writeModel(): string {
  const out = HORIZON * JOINTS;
  const pixels = 3 * HEIGHT * WIDTH;
  const weights = (seed: number, rows: number) =>
    Float32Array.from(numbers(seed, rows * out), (value) => value / Math.sqrt(rows));
  const bytes = onnxFile(
    {
      name: 'arm',
      inputs: [
        { name: 'observation.state', shape: [1, JOINTS] },
        { name: 'observation.images.front', shape: [1, 3, HEIGHT, WIDTH] },
      ],
      outputs: [{ name: 'action', shape: [1, HORIZON, JOINTS] }],
      constants: [
        { name: 'A', shape: [JOINTS, out], data: weights(1, JOINTS) },
        { name: 'B', shape: [pixels, out], data: weights(2, pixels) },
        { name: 'flat', shape: [2], data: BigInt64Array.of(1n, BigInt(pixels)) },
        { name: 'chunk', shape: [3], data: BigInt64Array.of(1n, BigInt(HORIZON), BigInt(JOINTS)) },
      ],
      nodes: [
        { op: 'Reshape', inputs: ['observation.images.front', 'flat'], outputs: ['pixels'] },
        { op: 'MatMul', inputs: ['pixels', 'B'], outputs: ['seen'] },
        { op: 'MatMul', inputs: ['observation.state', 'A'], outputs: ['felt'] },
        { op: 'Add', inputs: ['seen', 'felt'], outputs: ['sum'] },
        { op: 'Tanh', inputs: ['sum'], outputs: ['bounded'] },
        { op: 'Reshape', inputs: ['bounded', 'chunk'], outputs: ['action'] },
      ],
    },
    'test',
  );
  const path = join(dir.path, 'arm.onnx');
  writeFileSync(path, bytes);
  const card = {
    name: 'arm',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    inputs: { 'observation.state': [1, JOINTS] },
    images: { 'observation.images.front': [HEIGHT, WIDTH, 3] },
    output: { name: 'action', shape: [HORIZON, JOINTS] },
    step_ms: 50,
    action_names: NAMES,
    normalization: {
      inputs: {
        'observation.state': { mode: 'mean_std', mean: [0.1], std: [0.7] },
        'observation.images.front': {
          mode: 'mean_std',
          mean: [0.485, 0.456, 0.406],
          std: [0.229, 0.224, 0.225],
        },
      },
      output: { mode: 'min_max', min: [-3], max: [2] },
    },
  };
  writeFileSync(`${path}.json`, JSON.stringify(card));
  // GR00T does not say sizes: the same as a file.
  writeFileSync(join(dir.path, 'remote.json'), JSON.stringify(card));
  return path;
}

const observation = (seed: number): Observation => ({
  tensors: {
    'observation.state': { shape: [1, JOINTS], data: Float32Array.from(numbers(seed, JOINTS)) },
  },
  images: {
    'observation.images.front': {
      shape: [HEIGHT, WIDTH, 3],
      data: Uint8Array.from(numbers(seed + 100, HEIGHT * WIDTH * 3), (value) => (value + 1) * 127.5),
    },
  },
  stamp: BigInt(seed),
});

/** The largest difference to the network in this process over all observations. */
async function furthest(ask: (asked: Observation) => Promise<readonly number[]>): Promise<number> {
  let furthest = 0;
  for (let seed = 1; seed <= ASKED; seed++) {
    const expected = (await reference.infer(observation(seed), 20_000)).actions.data;
    const given = await ask(observation(seed));
    expect(given).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) furthest = Math.max(furthest, Math.abs(given[i]! - value));
  }
  return furthest;
}

beforeAll(async () => {
  wiresPython();
  const path = writeModel();
  reference = await OnnxPolicy.load(path, clock);
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
  const token = join(dir.path, 'token');
  writeFileSync(token, 'wires-equal-token', { mode: 0o600 });
  const config = join(dir.path, 'config.toml');
  writeFileSync(
    config,
    `[robot]
source = "none"
[zenoh]
listen = ["tcp/127.0.0.1:${ports.zenoh}"]
[serve]
lerobot_listen = "127.0.0.1:${ports.lerobot}"
openpi_listen = "127.0.0.1:${ports.openpi}"
groot_listen = "127.0.0.1:${ports.groot}"
token_file = "${token}"
[[policies]]
name = "arm"
kind = "onnx"
path = "${path}"
`,
  );
  daemon = await testDaemon(join(dir.path, 'data'), {
    AURAISON_CONFIG: config,
    AURAISON_ZENOH_ENABLED: 'true',
  });
  await until(async () => (await served()).length === 3, 'three wires are served');
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await daemon?.stop();
  await reference?.close();
  dir.remove();
});

const served = async () =>
  (await daemon.api.get<{ wires: { wire: string; questions: number }[] }>('/v1/inference/wires')).wires;

const OURS: Readonly<Record<string, () => Promise<Policy>>> = {
  openpi: () =>
    connectOpenPi({
      ...{ url: `ws://127.0.0.1:${ports.openpi}`, policy: 'arm', token: 'wires-equal-token' },
      ...{ connectMs: 20_000, card: undefined, clock },
    }),
  GR00T: async () =>
    connectGroot({
      ...{ url: `tcp://127.0.0.1:${ports.groot}`, token: 'wires-equal-token', connectMs: 20_000, clock },
      card: await readRemoteCard(join(dir.path, 'remote.json')),
    }),
  LeRobot: () =>
    connectLeRobot({
      ...{ url: `127.0.0.1:${ports.lerobot}`, policy: 'arm', token: 'wires-equal-token' },
      ...{ connectMs: 20_000, card: undefined, clock },
    }),
  Zenoh: async () => {
    const deps = { clock, onFault: () => {} };
    keySpace = await NativeKeySpace.open({ mode: 'client', connect: [`tcp/127.0.0.1:${ports.zenoh}`] }, deps);
    cleanups.push(() => keySpace.close());
    const options = {
      keySpace: () => keySpace,
      key: 'ai/inference/vla',
      caller: 'test',
      clock,
      timeoutMs: 20_000,
    };
    return ZenohVlaPolicy.connect({ ...options, policy: 'arm' });
  },
};

describe('the same policy over each wire of a whole daemon', () => {
  it.each(Object.keys(OURS))('gives the same actions over %s to our client', async (wire) => {
    const policy = await OURS[wire]!();
    cleanups.push(() => policy.close());
    expect(policy.describe().output).toEqual([HORIZON, JOINTS]);
    const off = await furthest(async (asked) => [...(await policy.infer(asked, 20_000)).actions.data]);
    expect(off).toBeLessThanOrEqual(EQUAL_WITHIN);
  });

  const array = (dtype: string, shape: number[], data: Iterable<number>) => ({
    dtype,
    shape,
    data: [...data],
  });
  const state = ({ tensors }: Observation, lead: number[]) =>
    array('float32', [...lead, JOINTS], tensors['observation.state']!.data);
  const picture = ({ images }: Observation, lead: number[]) =>
    array('uint8', [...lead, HEIGHT, WIDTH, 3], images!['observation.images.front']!.data);

  it.each([
    [
      'stock openpi-client',
      () => ['openpi-client', `ws://127.0.0.1:${ports.openpi}/arm`, 'wires-equal-token'],
      (o: Observation) => ({ 'observation/state': state(o, []), 'observation/images/front': picture(o, []) }),
    ],
    [
      'a pyzmq client of GR00T N1.5',
      () => ['groot-client', `tcp://127.0.0.1:${ports.groot}`, 'flat', 'wires-equal-token'],
      (o: Observation) => ({ 'state.state': state(o, [1]), 'video.front': picture(o, [1]) }),
    ],
    [
      'a pyzmq client of GR00T N1.6',
      () => ['groot-client', `tcp://127.0.0.1:${ports.groot}`, 'tuple', 'wires-equal-token'],
      (o: Observation) => ({ state: { state: state(o, [1, 1]) }, video: { front: picture(o, [1, 1]) } }),
    ],
  ])('gives the same actions to %s', async (_, args, question) => {
    const peer = new WiresPeer(...args());
    cleanups.push(() => peer.kill());
    if (args()[0] === 'openpi-client') await peer.next();
    const off = await furthest(async (asked) => {
      const { actions, error } = await peer.ask(question(asked));
      expect(error).toBeUndefined();
      return Object.values(actions!)[0]!.data;
    });
    expect(off).toBeLessThanOrEqual(EQUAL_WITHIN);
  });

  it('gives the same actions over HTTP', async () => {
    const off = await furthest(async (asked) => {
      const { actions } = await daemon.api.post<{ actions: { data: number[] } }>('/v1/inference/vla', {
        policy: 'arm',
        tensors: { 'observation.state': state(asked, [1]) },
        images: {
          'observation.images.front': {
            ...picture(asked, []),
            data: Buffer.from(asked.images!['observation.images.front']!.data).toString('base64'),
          },
        },
        deadline_ms: 20_000,
      });
      return actions.data;
    });
    expect(off).toBeLessThanOrEqual(EQUAL_WITHIN);
  });

  it('was asked over all of them, and counts it', async () => {
    const counts = Object.fromEntries((await served()).map(({ wire, questions }) => [wire, questions]));
    expect(counts['openpi']).toBe(2 * ASKED);
    expect(counts['groot']).toBe(3 * ASKED);
    expect(counts['lerobot']).toBeGreaterThanOrEqual(ASKED);
  });
});
