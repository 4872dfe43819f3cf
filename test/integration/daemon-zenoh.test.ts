import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { allEvents, auraison, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';
import { type PeerLine, ZenohPeer } from '../support/zenoh-peer.ts';

/** The running daemon as a Zenoh router; a Python eclipse-zenoh client asks it for actions. */
const DRIVE = join(import.meta.dirname, '../../apps/turtlebot-maze/policy/drive.onnx');
const PREFIX = 'fleet/robot7';
const KEY = `${PREFIX}/ai/inference/vla`;
const ASKED = 50;

let policy: OnnxPolicy;
beforeAll(async () => {
  policy = await OnnxPolicy.load(DRIVE, new SystemClock());
});

let directory: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
beforeEach(() => {
  directory = freshDir('daemon-zenoh');
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  directory.remove();
});

async function zenohDaemon(more: Readonly<Record<string, string>> = {}) {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const it = await testDaemon(directory.path, {
    AURAISON_ZENOH_ENABLED: 'true',
    AURAISON_ZENOH_MODE: 'router',
    AURAISON_ZENOH_LISTEN: endpoint,
    AURAISON_ZENOH_PREFIX: PREFIX,
    ...more,
  });
  daemon = it;
  return { it, endpoint };
}

const open = (it: TestDaemon) =>
  until(
    async () => {
      const { zenoh } = await it.status();
      return zenoh.available && zenoh.connected;
    },
    'the key space is open',
    90_000,
  );

const floats = (hex: string) => new Float32Array(new Uint8Array(Buffer.from(hex, 'hex')).buffer);

/** Each answer is what the policy in this process says to the same observation, to the last bit. */
async function bitEqual(answers: readonly PeerLine[]): Promise<void> {
  const { inputs, hash } = policy.describe();
  for (const answer of answers) {
    const given = Object.entries(answer['inputs'] as Record<string, string>);
    const tensors = Object.fromEntries(
      given.map(([input, hex]) => [input, { shape: inputs[input]!, data: floats(hex) }]),
    );
    const { actions } = await policy.infer({ tensors, stamp: BigInt(String(answer['stamp'])) }, 5_000);
    const { data } = actions;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    expect(answer).toMatchObject({ actions: bytes.toString('hex'), policy_hash: hash });
  }
  expect(new Set(answers.map((answer) => answer['actions'])).size).toBeGreaterThan(answers.length / 2);
}

async function ask(endpoint: string): Promise<PeerLine[]> {
  const peer = new ZenohPeer('vla', endpoint, KEY, '7', String(ASKED));
  expect(await peer.exited).toBe(0);
  expect(peer.lines.filter((line) => 'error' in line)).toEqual([]);
  const { inputs, output, hash } = policy.describe();
  expect(peer.lines[0]).toMatchObject({ description: { inputs, output, policy_hash: hash } });
  const answers = peer.lines.filter((line) => 'actions' in line);
  expect(answers).toHaveLength(ASKED);
  return answers;
}

describe('the queryable of a running daemon', () => {
  it('answers as the policy in process, refuses with typed errors, and is back after a kill', async () => {
    const { it, endpoint } = await zenohDaemon();
    await open(it);
    await bitEqual(await ask(endpoint));

    const wrong = new ZenohPeer('refused', endpoint, KEY);
    expect(await wrong.exited).toBe(0);
    expect(wrong.lines.map(({ error }) => error)).toEqual(
      Array(3).fill(expect.objectContaining({ code: 'model.bad_observation', retryable: false })),
    );

    // A peer that stays connected: it asks on while the cell is killed and comes back.
    const asking = new ZenohPeer('ask', endpoint, KEY, '3');
    await asking.until((line) => 'actions' in line);
    const doomed = await it.pidOf('execution');
    process.kill(doomed, 'SIGKILL');
    await asking.until((line) => 'missing' in line || 'refused' in line);
    const from = asking.lines.length;
    await asking.until((line) => 'actions' in line, from);
    await asking.kill();
    expect(await it.pidOf('execution')).not.toBe(doomed);
    await bitEqual(await ask(endpoint));
  });
});

describe('a host without the driver', () => {
  it('has a daemon that is up and says what is missing', async () => {
    const { it } = await zenohDaemon({ AURAISON_ZENOH_NATIVE: '/nonexistent' });
    const status = await until(async () => {
      const found = await it.status();
      const { zenoh } = found;
      const told = zenoh.available && /not there/.test(zenoh.reason);
      return told && found.cells.every(({ state }) => state === 'up') && found;
    }, 'all cells are up, Zenoh is not');
    expect(status.zenoh).toMatchObject({ driver: 'none', connected: false });
    expect(status.robot).toMatchObject({
      degraded: [expect.stringContaining('no native Zenoh driver: AURAISON_ZENOH_NATIVE: not there')],
    });
    const { status: code, stdout } = auraison(['status', '--data-dir', it.dataDir]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^zenoh +none not open: no native Zenoh driver/m);
    const told = await until(async () => {
      const events = await allEvents(it.api);
      return events.find(({ kind }) => kind === 'cell.degraded');
    }, 'the log says it');
    // Not for good: a bridge may come.
    expect(told.payload).toMatchObject({ error: { code: 'zenoh.failed', retryable: true } });
  });
});
