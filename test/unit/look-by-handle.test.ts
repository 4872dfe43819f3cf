import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBlobStore } from '../../adapters/blobs/file-blob-store.ts';
import { robotTools } from '../../adapters/mcp/server/robot-tools.ts';
import type { McpCall, RobotMcpPorts } from '../../adapters/mcp/server/server-ports.ts';
import type { BlobStore, EncodedImage, Intent, Picture, Tool, ToolReturn } from '../../contract/index.ts';
import { LIMITS, LOOK_LIMITS } from '../../contract/index.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { serveLooking } from '../../daemon/execution/looking/serve-looking.ts';
import { wholeAnswer } from '../../daemon/runtime/attempt/stored-images.ts';
import { GatedToolBox } from '../../daemon/runtime/attempt/tool-box.ts';
import type { ToolGate } from '../../daemon/runtime/gate/tool-gate.ts';
import { encodeImage, IMAGE } from '../../formats/cdr/index.ts';
import type { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeHouse } from '../support/house.ts';

/** What a JPEG of 40 KB would be: bytes that appear nowhere else. */
const JPEG = Uint8Array.from({ length: 40_000 }, (_, i) => (i * 7919) >> 3);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'look-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A store that counts what is put and read. */
function counted() {
  const files = new FileBlobStore(join(folder, 'blobs'));
  const count = { put: 0, get: 0 };
  const store: BlobStore = {
    put: (bytes) => {
      count.put++;
      return files.put(bytes);
    },
    get: (sha256) => {
      count.get++;
      return files.get(sha256);
    },
    renew: (sha256) => files.renew(sha256),
  };
  return { store, count };
}

/** Two cells and the supervisor between them; each has the blobs of the same data directory. */
function cells(encode = async (_: Picture): Promise<EncodedImage> => encoded(JPEG)) {
  const clock = new ManualClock();
  const crossed: Buffer[] = [];
  const runtime: MessageBus = new MessageBus('runtime', clock, (message) => {
    crossed.push(serialize(message));
    void execution.receive(structuredClone(message) as never);
  });
  const execution: MessageBus = new MessageBus('execution', clock, (message) => {
    crossed.push(serialize(message));
    void runtime.receive(structuredClone(message) as never);
  });
  const made = counted();
  const used = counted();
  const samples = new SampleBus({ clock, ledger: new Ledger() });
  let closed = 0;
  const images = { encode, close: () => void closed++ };
  serveLooking(execution, samples, { clock, images, blobs: made.store });
  const shape = { width: 320, height: 240, encoding: 'rgb8', bigEndian: false, step: 960 };
  const image = { header: { stamp: 1n, frame_id: 'cam' }, ...shape, data: new Uint8Array(960 * 240) };
  samples.publish({ topic: '/cam', type: IMAGE, stamp: 1n, received: 1n, bytes: encodeImage(image) });
  const { named } = makeHouse(runtime as unknown as FakeBus, clock);
  const box = boxOf([named('robot.look')], used.store, clock);
  return { clock, crossed, made, used, box, named, closed: () => closed };
}

function encoded(data: Uint8Array): EncodedImage {
  return { mime: 'image/jpeg', data, width: 64, height: 48, from: { width: 320, height: 240 } };
}

/** A tool box whose gate lets everything through and keeps what the log would be given. */
function boxOf(tools: readonly Tool[], blobs: BlobStore, clock: ManualClock) {
  const noted: unknown[] = [];
  const gate = {
    callTool: async ({ work }: Parameters<ToolGate['callTool']>[0]) => {
      const answered = await work(new AbortController().signal, 'call');
      noted.push(structuredClone(answered));
      return answered;
    },
  } as unknown as ToolGate;
  const box = new GatedToolBox({
    ...{ runId: '01a00000-0000-7000-8000-000000000001', intent: {} as Intent, clock, gate, blobs, tools },
  });
  return Object.assign(box, { noted });
}

const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

describe('a picture of robot.look', () => {
  it('crosses the supervisor as a handle: none of its bytes, written once, read once', async () => {
    const { box, crossed, made, used } = cells();
    const { images } = await box.call('robot.look', {});
    expect(images).toEqual([{ mime: 'image/jpeg', data: JPEG }]);
    expect([made.count, used.count]).toEqual([
      { put: 1, get: 0 },
      { put: 0, get: 1 },
    ]);
    const [file, ...others] = filesIn(join(folder, 'blobs'));
    expect(others).toEqual([]);
    expect(readFileSync(join(file!.parentPath, file!.name))).toEqual(Buffer.from(JPEG));
    // The log names the same bytes.
    expect(box.noted).toMatchObject([
      { images: [{ mime: 'image/jpeg', sha256: file!.name, bytes: JPEG.length }] },
    ]);
    expect(crossed).toHaveLength(2);
    const windows = Array.from({ length: JPEG.length / 16 }, (_, i) => JPEG.subarray(16 * i, 16 * i + 16));
    for (const message of crossed)
      expect(windows.filter((window) => message.includes(window as Buffer))).toEqual([]);
    expect(crossed.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(2_000);
  });

  it('that was changed on the disk is no answer', async () => {
    const { box, used } = cells();
    const read = used.store.get;
    used.store.get = async (sha256) => {
      const [file] = filesIn(join(folder, 'blobs'));
      writeFileSync(join(file!.parentPath, file!.name), 'something else');
      return await read(sha256);
    };
    await expect(box.call('robot.look', {})).rejects.toMatchObject({ code: 'log.damaged' });
    expect(box.noted).toEqual([]);
  });

  it('that is gone when it is wanted says so, and that another look helps', async () => {
    const { box, used } = cells();
    used.store.get = async () => undefined;
    await expect(box.call('robot.look', {})).rejects.toMatchObject({ code: 'tool.failed', retryable: true });
  });

  it('is bounded in bytes before it is stored', async () => {
    const large = new Uint8Array(LOOK_LIMITS.IMAGE_BYTES_MAX + 1);
    const { box, made } = cells(async () => encoded(large));
    await expect(box.call('robot.look', {})).rejects.toMatchObject({ code: 'sample.too_large' });
    expect(made.count.put).toBe(0);
  });

  it('is bounded in number: looks beyond a few at a time are refused, and the next one is answered', async () => {
    const waiting: (() => void)[] = [];
    const { box } = cells(() => new Promise((resolve) => waiting.push(() => resolve(encoded(JPEG)))));
    const looks = Array.from({ length: LOOK_LIMITS.OPEN_MAX }, () => box.call('robot.look', {}));
    await expect(box.call('robot.look', {})).rejects.toMatchObject({ code: 'cell.overloaded' });
    expect(waiting).toHaveLength(LOOK_LIMITS.OPEN_MAX);
    for (const done of waiting.splice(0)) done();
    await Promise.all(looks);
    const next = box.call('robot.look', {});
    await Promise.resolve();
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    waiting[0]!();
    expect((await next).images).toHaveLength(1);
  });

  it('whose encoder never answers fails within its time, and the encoder is started again', async () => {
    const { box, clock, closed } = cells(() => new Promise(() => {}));
    const look = box.call('robot.look', {});
    const failed = expect(look).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(LOOK_LIMITS.ENCODE_MS);
    await failed;
    expect(closed()).toBe(1);
  });
});

it('a look over MCP reads the image by its handle too', async () => {
  const { named, used, clock } = cells();
  const ports = {
    ...{ houseTools: () => [named('robot.look')], clock, who: {}, ids: { next: () => 'id' } },
    wholeAnswer: (answer: ToolReturn, tool: string) => wholeAnswer(used.store, answer, tool),
  } as unknown as RobotMcpPorts;
  const look = robotTools(ports).find(({ name }) => name === 'robot_look')!;
  const { images } = await look.run({}, { signal: new AbortController().signal } as McpCall);
  expect(images).toEqual([{ mime: 'image/jpeg', data: JPEG }]);
  expect(used.count).toEqual({ put: 0, get: 1 });
});

describe('images that a tool names by their handle', () => {
  const tool = (stored: readonly object[]): Tool =>
    ({
      spec: {
        ...{ name: 't.see', description: '', input: { type: 'object' }, effect: 'read', replay: 'safe' },
        ...{ deadlineMs: 1_000, origin: 'app' },
      },
      run: async () => ({ result: {}, stored }),
    }) as never as Tool;

  it('are counted with the others, and have the size that the handle says', async () => {
    const clock = new ManualClock();
    const { store, count } = counted();
    const sha256 = await store.put(JPEG);
    const one = { mime: 'image/jpeg', sha256, bytes: JPEG.length };
    const many = Array.from({ length: LIMITS.TOOL_RESULT_IMAGES_MAX + 1 }, () => one);
    await expect(boxOf([tool(many)], store, clock).call('t.see', {})).rejects.toMatchObject({
      code: 'tool.failed',
    });
    await expect(
      boxOf([tool([{ ...one, bytes: JPEG.length - 1 }])], store, clock).call('t.see', {}),
    ).rejects.toMatchObject({ code: 'tool.failed' });
    await expect(
      boxOf([tool([{ ...one, bytes: LOOK_LIMITS.IMAGE_BYTES_MAX + 1 }])], store, clock).call('t.see', {}),
    ).rejects.toMatchObject({ code: 'tool.failed' });
    expect(count.get).toBe(1);
  });
});
