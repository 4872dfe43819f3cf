import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectLeRobot, serveLeRobot } from '../../adapters/lerobot/index.ts';
import type { ActionChunk, EdgeError, Observation, Policy, PolicyDescription } from '../../contract/core.ts';
import { cardOf } from '../../formats/policy-wire/remote-card.ts';
import type { WireServer } from '../../formats/policy-wire/wire-server.ts';
import { policyConformance } from '../conformance/policy.ts';
import {
  type ActCase,
  actCheckpoint,
  actPicture,
  type LeRobotProcess,
  lerobotHome,
  startPolicyServer,
  startRobotClient,
} from '../support/lerobot-peer.ts';
import { until } from '../support/until.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

/**
 * Stock LeRobot 0.4.4, unmodified: its PolicyServer with an ACT of random weights behind our client, and its
 * RobotClient at our server.
 */
const clock = new SystemClock();
const HORIZON = 8;
const JOINTS = 7;

/** Action i is the state and i eighths; the last number is the shade of the picture. All of it exact in float32. */
class Follow implements Policy {
  describe(): PolicyDescription {
    return {
      name: 'follow',
      hash: 'cd'.repeat(32),
      inputs: { 'observation.state': [JOINTS] },
      images: { 'observation.images.front': [24, 32, 3] },
      output: [HORIZON, JOINTS],
      stepMs: 50,
    };
  }

  async infer(observation: Observation): Promise<ActionChunk> {
    const state = observation.tensors['observation.state']!.data;
    const shade = observation.images!['observation.images.front']!.data[1_000]!;
    const data = new Float32Array(HORIZON * JOINTS);
    for (let i = 0; i < HORIZON; i++) {
      for (let j = 0; j < JOINTS - 1; j++) data[i * JOINTS + j] = state[j]! + i / 8;
      data[i * JOINTS + JOINTS - 1] = shade;
    }
    const { hash, output, stepMs } = this.describe();
    return { actions: { shape: output, data }, stepMs, stamp: observation.stamp, policyHash: hash };
  }

  async close(): Promise<void> {}
}

let home: string;
let checkpoint: ReturnType<typeof actCheckpoint>;
let stock: LeRobotProcess & { readonly url: string };
let server: WireServer;
let robot: LeRobotProcess;
const faults: EdgeError[] = [];
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  home = lerobotHome();
  checkpoint = actCheckpoint(home);
  const desk = await deskOf({ follow: () => new Follow() });
  server = await serveLeRobot(desk, serverOptions({ onFault: (error) => faults.push(error) }));
  cleanups.push(
    () => desk.close(),
    () => server.close(),
  );
  // Both of them import for a quarter of a minute: side by side.
  robot = startRobotClient(home, [
    ...['--robot.type=puppet', `--server_address=127.0.0.1:${server.view().port}`, '--policy_type=act'],
    ...['--pretrained_name_or_path=follow', `--actions_per_chunk=${HORIZON}`, '--fps=20'],
    ...['--chunk_size_threshold=0.5', '--aggregate_fn_name=latest_only', '--task=follow'],
  ]);
  cleanups.push(() => robot.stop());
  stock = await startPolicyServer(home);
  cleanups.push(() => stock.stop());
});

afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const connect = () => {
  const card = cardOf(
    {
      name: 'act',
      inputs: { 'observation.state': [JOINTS] },
      images: { 'observation.images.front': [48, 64, 3] },
      output: [HORIZON, JOINTS],
      step_ms: 50,
    },
    'ef'.repeat(32),
  );
  if (typeof card === 'string') throw new Error(card);
  const policy = `act:${checkpoint.path}`;
  return connectLeRobot({ url: stock.url, policy, token: undefined, connectMs: 120_000, card, clock });
};

const observationOf = ({ state, shade }: ActCase, stamp = 1_700_000_000_000_000_000n): Observation => ({
  tensors: { 'observation.state': { shape: [JOINTS], data: Float32Array.from(state) } },
  images: { 'observation.images.front': actPicture(shade) },
  stamp,
});

/** The suite closes what it is given: this is the same connection again, for the server would load its policy anew. */
async function kept(): Promise<Policy> {
  one ??= connect().then(async (policy) => {
    cleanups.push(() => policy.close());
    await policy.infer(observationOf(checkpoint.cases[0]!), 120_000);
    return policy;
  });
  const policy = await one;
  return {
    describe: () => policy.describe(),
    infer: (observation, deadlineMs, options) => policy.infer(observation, deadlineMs, options),
    close: async () => {},
  };
}
let one: Promise<Policy> | undefined;

describe('our client at a stock PolicyServer', () => {
  policyConformance('ACT behind a stock PolicyServer', kept);

  it('gives the actions of the policy called directly, also for an observation that a stock client would lose', async () => {
    const policy = await kept();
    // Each twice: the server drops what is near the last one, unless it must go.
    for (const one of checkpoint.cases.flatMap((each) => [each, each])) {
      const { actions } = await policy.infer(observationOf(one), 120_000);
      const direct = one.actions.flat();
      const worst = Math.max(...direct.map((value, i) => Math.abs(value - actions.data[i]!)));
      expect(worst).toBeLessThan(1e-4);
    }
  });

  it('settles by its deadline while the server stands still, and goes on when it goes on', async () => {
    const policy = await kept();
    const [one] = checkpoint.cases;
    await policy.infer(observationOf(one!), 120_000);
    stock.process.kill('SIGSTOP');
    try {
      await expect(policy.infer(observationOf(one!), 300)).rejects.toMatchObject({
        code: 'deadline.exceeded',
      });
    } finally {
      stock.process.kill('SIGCONT');
    }
    const { actions } = await policy.infer(observationOf(one!, 2_000_000_000n), 120_000);
    expect(actions.data[0]).toBeCloseTo(one!.actions[0]![0]!, 4);
  });
});

describe('a stock RobotClient at our server', () => {
  it('does what the policy says, to the last bit, for observations that were its own', async () => {
    await robot.said(/"event": "connected"/);
    const acted = () => robot.facts.filter(({ event }) => event === 'acted');
    await until(() => acted().length >= 40 || robot.process.exitCode !== null, '40 actions', 240_000);
    for (const { action } of acted()) {
      const row = action as number[];
      // At look n the first joint stands at n, and the picture is as bright as n: both are of one observation.
      const look = Math.floor(row[0]!);
      const step = row[0]! - look;
      expect(step * 8).toBe(Math.round(step * 8));
      const joints = Array.from({ length: JOINTS - 1 }, (_, j) => look + j / 16 + step);
      expect(row).toEqual([...joints, look % 200]);
    }
    const looks = new Set(acted().map(({ action }) => Math.floor((action as number[])[0]!)));
    expect(looks.size).toBeGreaterThan(3);
    expect(faults).toEqual([]);
    expect(server.view()).toMatchObject({ wire: 'lerobot', clients: 1, failures: 0, refused: 0 });
  });
});
