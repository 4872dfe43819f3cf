import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { LIMITS, type MessageValue, type Observation, type RosServices } from '../../contract/index.ts';
import { servePolicyRequests } from '../../daemon/execution/serving/desk-requests.ts';
import { serveRosInference } from '../../daemon/execution/serving/ros-inference.ts';
import { decodeChunk, decodeVlaRequest, JSON_ENCODING, MSGPACK } from '../../formats/inference/index.ts';
import { encodeMsgpack } from '../../formats/msgpack/index.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { system2Door } from '../support/inference-doors.ts';

const MIB = 1024 * 1024;

/** Everything that is asked of the policy; it answers as `HashPolicy`. */
async function deskWithPolicy() {
  const policy = new HashPolicy();
  const asked: Observation[] = [];
  const infer = policy.infer.bind(policy);
  policy.infer = (observation, ...more) => {
    asked.push(observation);
    const { images: _, ...plain } = observation;
    return infer(plain, ...more);
  };
  const clock = new SystemClock();
  return { clock, asked, ...(await deskOf(clock, [specOf('hash', () => policy)])) };
}

const tensors = {
  scan: { shape: [1, 36], dtype: 'float32', data: new Array<number>(36).fill(1) },
  state: { shape: [4], dtype: 'float32', data: [1, 2, 3, 4] },
};

/** As long as asked, whatever the encoding: a text of the question is the filler, spaces behind JSON. */
function jsonOf(bytes: number): string {
  const body = JSON.stringify({ tensors, stamp: '42' });
  return body + ' '.repeat(bytes - body.length);
}

/** Pictures of several cameras that fill a question up to this, to the byte. */
function packedOf(bytes: number): Uint8Array {
  const question = (side: number, task: string) => {
    const image = { shape: [side, 1_024, 3], dtype: 'uint8', data: new Uint8Array(side * 1_024 * 3) };
    const floats = (data: readonly number[]) => new Uint8Array(Float32Array.from(data).buffer);
    const packed = Object.fromEntries(
      Object.entries(tensors).map(([name, one]) => [name, { ...one, data: floats(one.data) }]),
    );
    return encodeMsgpack({
      ...{ tensors: packed, stamp: '42', task, images: { front: image, wrist: image } },
      deadline_ms: 20_000,
    });
  };
  let side = 1;
  while (2 * (side + 1) * 3_072 + 1_024 < bytes) side++;
  // The head of a text of this length is always as long.
  return question(side, 'x'.repeat(300 + bytes - question(side, 'x'.repeat(300)).byteLength));
}

describe('a question to a policy over HTTP', () => {
  let rig: Rig;
  let parts: Awaited<ReturnType<typeof deskWithPolicy>>;
  beforeEach(async () => {
    parts = await deskWithPolicy();
    rig = await startRig();
    servePolicyRequests(
      {
        handle: (method, answer) =>
          void rig.answers.set(method, (body) => answer(body as never, 'runtime', 0, 0)),
      },
      parts.desk,
      parts.door,
    );
  });
  afterEach(() => rig.stop());
  const ask = (type: string, body: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${rig.url}/v1/inference/vla`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': type },
      body,
    });

  it('has as many bytes as over Zenoh: 2 MiB as JSON, and one more is refused by name', async () => {
    const max = LIMITS.INFERENCE_JSON_BYTES_MAX;
    expect(max).toBe(2 * MIB);
    expect((await ask('application/json', jsonOf(max))).status).toBe(200);
    expect(() => decodeVlaRequest(Buffer.from(jsonOf(max)), JSON_ENCODING, 0n)).not.toThrow();
    const refused = await ask('application/json', jsonOf(max + 1));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({
      code: 'api.too_large',
      message: expect.stringContaining('2 MiB as JSON, 32 MiB as MessagePack'),
      hint: expect.stringContaining('application/msgpack'),
    });
    expect(() => decodeVlaRequest(Buffer.from(jsonOf(max + 1)), JSON_ENCODING, 0n)).toThrow(/the limit is/);
  });

  it('holds the pictures of several cameras as MessagePack, up to 32 MiB, and is answered in it', async () => {
    const max = LIMITS.POLICY_PAYLOAD_BYTES_MAX;
    expect(max).toBe(32 * MIB);
    const body = Uint8Array.from(packedOf(max));
    expect(body.byteLength).toBe(max);
    const answer = await ask(MSGPACK, body);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, MSGPACK]);
    const chunk = decodeChunk(new Uint8Array(await answer.arrayBuffer()), MSGPACK);
    expect([chunk.actions.shape, chunk.stamp]).toEqual([[8, 2], 42n]);
    expect(Object.keys(parts.asked[0]!.images!)).toEqual(['front', 'wrist']);
    const more = new Uint8Array(max + 1);
    more.set(body);
    expect((await ask(MSGPACK, more)).status).toBe(413);
  });

  it('is refused while four large ones are under way, and taken when one of them has gone', async () => {
    const { host, hostname, port } = new URL(rig.url);
    /** The head of a question, and the beginning of its body: what follows never comes. */
    const begin = (length: string) =>
      new Promise<Socket>((resolve) => {
        const socket = connect(Number(port), hostname, () => {
          const lines = [
            'POST /v1/inference/vla HTTP/1.1',
            `host: ${host}`,
            `authorization: Bearer ${TOKEN}`,
          ];
          socket.write([...lines, `content-type: ${MSGPACK}`, length, '', '5\r\n'].join('\r\n'));
          resolve(socket);
        });
      });
    const large = Uint8Array.from(packedOf(2 * MIB + 1));
    const statusOf = async () => (await ask(MSGPACK, large)).status;
    const lengths = ['content-length: 3000000', 'transfer-encoding: chunked'];
    const held = await Promise.all([...lengths, ...lengths].map(begin));
    await expect.poll(statusOf).toBe(503);
    const refused = await ask(MSGPACK, large);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ code: 'cell.overloaded', retryable: true });
    expect((await ask('application/json', jsonOf(1_000))).status).toBe(200);
    held[0]!.destroy();
    await expect.poll(statusOf).toBe(200);
    // A place is free again after each answer.
    for (let i = 0; i < 6; i++) expect(await statusOf()).toBe(200);
    for (const socket of held) socket.destroy();
  });

  it('is refused with its path where its MessagePack is none, or holds what no question has', async () => {
    for (const body of [new Uint8Array([0xc1]), Uint8Array.from(encodeMsgpack({ tensors: {}, odd: 1 }))]) {
      const refused = await ask(MSGPACK, body);
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
        400,
        'model.bad_observation',
      ]);
    }
    const good = await ask('application/json; charset=utf-8', jsonOf(1_000));
    expect(((await good.json()) as { step_ms: number }).step_ms).toBe(50);
  });
});

describe('a question to a policy over ROS', () => {
  it('has as many bytes as the other doors, and is refused in words above them', async () => {
    const { clock, door, asked } = await deskWithPolicy();
    const handlers = new Map<string, (request: MessageValue) => Promise<MessageValue>>();
    const services = {
      serve: async (
        name: string,
        _type: string,
        handle: (request: MessageValue) => Promise<MessageValue>,
      ) => {
        handlers.set(name, handle);
        return { close: async () => {} };
      },
    } as unknown as RosServices;
    const system2 = system2Door(clock, () => ({ text: '' }));
    await serveRosInference({ services, base: '/inference', clock, policies: door, system2 });
    const picture = (height: number) => {
      const step = 3_072;
      return { height, width: 1_024, step, encoding: 'rgb8', data: new Uint8Array(height * step) };
    };
    const told = Object.entries(tensors).map(([name, { shape, data }]) => ({
      ...{ name, shape: Uint32Array.from(shape), data: Float32Array.from(data) },
    }));
    const infer = (heights: readonly number[]) =>
      handlers.get('/inference/infer')!({
        tensors: told,
        image_names: heights.map((_, i) => `camera${i}`),
        images: heights.map(picture),
        stamp: { sec: 0, nanosec: 42 },
        ...{ deadline_ms: 20_000, task: '', policy: '', session: '', reset: false, caller: 'arm' },
      });
    const rows = Math.floor((LIMITS.POLICY_PAYLOAD_BYTES_MAX - 160) / 3_072);
    expect(await infer([rows - 100, 100])).toMatchObject({ success: true, step_ms: 50 });
    expect(Object.keys(asked[0]!.images!)).toEqual(['camera0', 'camera1']);
    expect(await infer([rows, 100])).toMatchObject({
      success: false,
      error_code: 'model.bad_observation',
      message: expect.stringContaining(`the limit is ${LIMITS.POLICY_PAYLOAD_BYTES_MAX}`),
    });
    expect(asked).toHaveLength(1);
  });
});
