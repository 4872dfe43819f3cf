import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EdgeError, LIMITS, type PolicyInferRequest } from '../../contract/core.ts';
import type { Handoff } from '../../daemon/cell/handoff.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import type { FromCell } from '../../daemon/cell/wire.ts';
import { HandedFiles } from '../../io/handed-files.ts';
import { memoryFolder } from '../../io/memory-folder.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'handed-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const CHUNK = {
  actions: { shape: [1, 2], data: new Float32Array([0.5, -0.5]) },
  ...{ stepMs: 100, stamp: 7n, policyHash: 'a'.repeat(64) },
};

function question(pixels: number): PolicyInferRequest {
  const image = new Uint8Array(pixels * 3).map((_, i) => i % 251);
  return {
    caller: { id: 'http/local/operator', wire: 'http', principal: 'operator' },
    ...{ policy: undefined, session: undefined, deadlineMs: 500, prefix: undefined, call: 'c1' },
    observation: {
      tensors: { state: { shape: [3], data: new Float32Array([1, 2, 3]) } },
      images: { front: { shape: [1, pixels, 3], data: image } },
      stamp: 7n,
    },
  };
}

/** The runtime cell asks the execution cell. `passed` has the size of what the supervisor would pass on. */
function cells(options: { files?: boolean; clock?: ManualClock } = {}) {
  const clock = options.clock ?? new ManualClock();
  const passed: { t: string; bytes: number }[] = [];
  const held: FromCell[] = [];
  let isHeld = false;
  const files = () =>
    options.files === false ? undefined : new HandedFiles(() => memoryFolder('/data', 'handed', root), clock);
  const bus = (name: 'runtime' | 'execution', to: () => MessageBus) =>
    new MessageBus(
      name,
      clock,
      (message) => {
        const written = serialize(message);
        passed.push({ t: message.t, bytes: written.length });
        if (isHeld) held.push(message);
        else void to().receive(deserialize(written) as never);
      },
      files(),
    );
  const runtime: MessageBus = bus('runtime', () => execution);
  const execution: MessageBus = bus('execution', () => runtime);
  const asked: PolicyInferRequest[] = [];
  execution.handle('policy.infer', async (body) => {
    asked.push(body);
    return { chunk: CHUNK };
  });
  const left = () => readdirSync(root).flatMap((folder) => readdirSync(join(root, folder)));
  return { runtime, execution, passed, asked, left, clock, held, hold: (on: boolean) => (isHeld = on) };
}

describe('large bodies between cells', () => {
  it('are handed over once, and only their handle passes the supervisor', async () => {
    const { runtime, passed, asked, left } = cells();
    const sent = question(100_000);
    expect(await runtime.request('execution', 'policy.infer', sent)).toEqual({ chunk: CHUNK });
    expect(asked).toEqual([sent]);
    expect(Math.max(...passed.map(({ bytes }) => bytes))).toBeLessThan(1_000);
    expect(left()).toEqual([]);
  });

  it('go both ways: an answer of many rows is handed over too', async () => {
    const { runtime, execution, passed, left } = cells();
    const text = 'é机'.repeat(100_000);
    runtime.handle('infer.chat_next', async () => ({ deltas: [{ kind: 'text', text }] }));
    const got = await execution.request('runtime', 'infer.chat_next', { callId: 'c', waitMs: 1 });
    expect(got).toEqual({ deltas: [{ kind: 'text', text }] });
    expect(Math.max(...passed.map(({ bytes }) => bytes))).toBeLessThan(1_000);
    expect(left()).toEqual([]);
  });

  it('small ones are sent in their message, in the turn that asks', () => {
    const { runtime, passed } = cells();
    void runtime.request('execution', 'policy.infer', question(1_000));
    expect(passed).toEqual([{ t: 'request', bytes: expect.any(Number) }]);
  });

  it('are sent as bytes, within their budget, where there is no memory to hand them over in', async () => {
    const folder = memoryFolder('/data', 'handed', join(root, 'a-file'));
    writeFileSync(join(root, 'no-folder'), '');
    expect(memoryFolder('/data', 'handed', join(root, 'no-folder'))).toBeUndefined();
    expect(folder).toBeDefined();
    const { runtime, asked, passed } = cells({ files: false });
    const sent = question(100_000);
    await runtime.request('execution', 'policy.infer', sent);
    expect(asked).toEqual([sent]);
    expect(passed[0]!.bytes).toBeGreaterThan(300_000);
  });

  it('that timed out before they were left are not sent, and nothing of them stays', async () => {
    const clock = new ManualClock();
    const { runtime, passed, left } = cells({ clock });
    const asked = runtime.request('execution', 'policy.infer', question(100_000), 10);
    const settled = expect(asked).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await clock.advance(11);
    await settled;
    await expect.poll(left).toEqual([]);
    expect(passed).toEqual([]);
  });

  it('are removed when no cell takes them', async () => {
    const { runtime, left, clock, held, hold } = cells();
    hold(true);
    const asked = runtime.request('execution', 'policy.infer', question(100_000), 500);
    const settled = expect(asked).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await expect.poll(() => held.length).toBe(1);
    expect(left()).toHaveLength(1);
    await clock.advance(501);
    await settled;
    await expect.poll(left).toEqual([]);
  });

  it('an answer that comes too late is removed', async () => {
    const { runtime, execution, left, held, hold, clock } = cells();
    runtime.handle('infer.chat_next', async () => ({ deltas: [{ kind: 'text', text: 'x'.repeat(MIB) }] }));
    const next = execution.request('runtime', 'infer.chat_next', { callId: 'c', waitMs: 1 }, 100);
    hold(true);
    const settled = expect(next).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await expect.poll(() => held.length).toBe(1);
    await clock.advance(101);
    await settled;
    expect(left()).toHaveLength(1);
    await execution.receive(held[0] as never);
    await expect.poll(left).toEqual([]);
  });
});

describe('the place where bodies are handed over', () => {
  const files = (clock: ManualClock): Handoff =>
    new HandedFiles(() => memoryFolder('/data', 'handed', root), clock);
  const names = () => readdirSync(root).flatMap((folder) => readdirSync(join(root, folder)));
  const refused = (promise: Promise<unknown>) =>
    promise.then(
      () => 'taken',
      ({ code, message }: EdgeError) => `${code}: ${message}`,
    );

  it('holds so many bytes of one process, and counts what was taken as free', async () => {
    const place = files(new ManualClock());
    const body = new Uint8Array(LIMITS.HANDED_BYTES_MAX / 4);
    const left = [await place.leave(body), await place.leave(body), await place.leave(body)];
    expect(left.every(Boolean)).toBe(true);
    expect(await place.leave(body)).toBeUndefined();
    await files(new ManualClock()).take(left[0]!);
    expect(await place.leave(body)).toBeDefined();
    place.close();
    expect(names()).toEqual([]);
  });

  it('gives a body once, and nothing by another name or of another size', async () => {
    const place = files(new ManualClock());
    const handed = (await place.leave({ a: 1n }))!;
    expect(await refused(place.take({ name: '../../etc/passwd', bytes: 1 }))).toMatch(/^cell.unavailable/);
    expect(await place.take(handed)).toEqual({ a: 1n });
    expect(await refused(place.take(handed))).toMatch(/^cell.unavailable: the body .* cannot be read/);
    const other = (await place.leave({ a: 2n }))!;
    expect(await refused(place.take({ ...other, bytes: 3 }))).toMatch(/expected 3/);
    expect(names()).toEqual([]);
  });

  it('is rid of what a process that died left there', async () => {
    const folder = memoryFolder('/data', 'handed', root)!;
    const old = join(folder, 'f'.repeat(32));
    writeFileSync(old, 'x');
    utimesSync(old, 1, 1);
    const clock = new ManualClock();
    const handed = await files(clock).leave('y');
    expect(names()).toEqual([handed!.name]);
  });

  it('is rid within a minute of what was young when it started, and at its end', async () => {
    const folder = memoryFolder('/data', 'handed', root)!;
    const clock = new ManualClock();
    const write = (letter: string) => {
      const path = join(folder, letter.repeat(32));
      writeFileSync(path, 'x');
      const seconds = Number(clock.now() / 1_000_000_000n);
      utimesSync(path, seconds, seconds);
    };
    const place = files(clock);
    write('e');
    await place.take((await place.leave('y'))!);
    expect(names()).toEqual(['e'.repeat(32)]);
    await clock.advance(61_000);
    write('f');
    await place.take((await place.leave('y'))!);
    expect(names()).toEqual(['f'.repeat(32)]);
    await clock.advance(61_000);
    place.close();
    expect(readdirSync(root)).toEqual([]);
  });

  it('is not a folder that others may write to, nor a link to one', async () => {
    const { chmodSync, symlinkSync } = await import('node:fs');
    const folder = memoryFolder('/data', 'handed', root)!;
    chmodSync(folder, 0o777);
    expect(memoryFolder('/data', 'handed', root)).toBeUndefined();
    rmSync(folder, { recursive: true });
    symlinkSync(tmpdir(), folder);
    expect(memoryFolder('/data', 'handed', root)).toBeUndefined();
  });
});
