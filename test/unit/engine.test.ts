import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { argvOf, envOf } from '../../adapters/vllm/engine/engine-args.ts';
import { freeMemory } from '../../adapters/vllm/engine/engine-memory.ts';
import { EngineModel } from '../../adapters/vllm/engine/engine-model.ts';
import { EngineProcess } from '../../adapters/vllm/engine/engine-process.ts';
import { checkRevision, folderDigest } from '../../adapters/vllm/engine/engine-revision.ts';
import {
  type EngineOptions,
  type EngineParts,
  SupervisedEngine,
} from '../../adapters/vllm/engine/supervised-engine.ts';
import { EdgeError } from '../../contract/index.ts';
import { request } from '../conformance/language-model.ts';
import { FakeLanguageModel } from '../fakes/fake-language-model.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OPTIONS: EngineOptions = {
  command: ['serve', '{model}', '--port', '{port}'],
  model: 'org/model',
  revision: '',
  port: 1,
  name: 'tiny',
  env: [],
  memoryFloor: 0,
  startMs: 10_000,
  stopMs: 100,
  sleepAfterMs: 0,
  sleepLevel: 1,
};

/** An engine whose process is a promise: what it does a test says. */
function rig(options: Partial<EngineOptions> = {}, parts: Partial<EngineParts> = {}) {
  const clock = new ManualClock();
  const world = {
    health: undefined as number | undefined,
    served: ['tiny'],
    free: 8_000_000_000,
    orders: [] as string[],
    lives: 0,
    /** Comes up this long after it was started, milliseconds. */
    upMs: 1_000,
  };
  let exit: ((reason: string) => void) | undefined;
  const events: Record<string, unknown>[] = [];
  const engine = new SupervisedEngine(
    { ...OPTIONS, ...options },
    {
      clock,
      client: {
        health: async () => world.health,
        served: async () => world.served,
        sleep: async (level) => void world.orders.push(`sleep ${level}`),
        wake: async (level) => void world.orders.push(`wake ${level}`),
        isSleeping: async () => false,
      },
      launch: () => {
        world.lives += 1;
        const up = clock.after(world.upMs, () => {
          world.health = 200;
        });
        let over = false;
        const ended = new Promise<string>((resolve) => {
          exit = (reason) => {
            if (over) return;
            over = true;
            up.cancel();
            world.health = undefined;
            resolve(reason);
          };
        });
        return { pid: 100 + world.lives, ended, stop: async () => exit?.('it was stopped') };
      },
      memory: async () => ({ kind: 'gpu', freeBytes: world.free }),
      revision: async () => 'abc',
      ownEnv: {},
      emit: async (fresh) =>
        void events.push(...fresh.map(({ payload }) => payload as Record<string, unknown>)),
      report: () => {},
      ...parts,
    },
  );
  const later = async (ms: number) => {
    for (let past = 0; past < ms; past += 250) {
      await clock.advance(250);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const states = () => events.map(({ state }) => state).filter((state, at, all) => state !== all[at - 1]);
  return { clock, world, engine, events, states, later, die: (reason: string) => exit?.(reason) };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'fine',
    ({ code }: EdgeError) => code,
  );

describe('the command of an engine', () => {
  const command = { model: 'm', revision: 'a'.repeat(40), port: 8_000, name: 'n', env: [] };

  it('is filled in word by word: what a value holds is never read by a shell', () => {
    const words = [
      'vllm',
      'serve',
      '{model}',
      '--revision',
      '{revision}',
      '--port={port}',
      '--x',
      '{"a": "{name}"}',
    ];
    const evil = '; rm -rf $HOME';
    expect(argvOf({ ...command, command: words, model: evil })).toEqual([
      ...['vllm', 'serve', evil, '--revision', 'a'.repeat(40), '--port=8000', '--x', '{"a": "n"}'],
    ]);
  });

  it('leaves a pin out that only this host understands', () => {
    const words = ['serve', '{model}', '--revision', '{revision}', '--port', '{port}'];
    for (const revision of ['', `sha256:${'0'.repeat(64)}`])
      expect(argvOf({ ...command, command: words, revision })).toEqual(['serve', 'm', '--port', '8000']);
    expect(() => argvOf({ ...command, command: ['x', '{model}'], model: '' })).toThrow(
      /engine.model is empty/,
    );
  });

  it('gets the variables that are named, and no secret of the daemon', () => {
    const own = { PATH: '/bin', HOME: '/h', SECRET_TOKEN: 's', HF_HOME: '/hf' };
    expect(envOf({ env: ['HF_HOME', 'ABSENT', 'MODE=1=2'] }, own)).toEqual({
      PATH: '/bin',
      HOME: '/h',
      HF_HOME: '/hf',
      MODE: '1=2',
    });
  });
});

describe('the pin of a model', () => {
  const model = join(folder, 'model');
  mkdirSync(join(model, 'sub'), { recursive: true });
  writeFileSync(join(model, 'config.json'), '{}');
  writeFileSync(join(model, 'sub', 'weights'), 'w');

  it('of a folder is the digest of all its files', async () => {
    const digest = await folderDigest(model);
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await checkRevision(model, digest)).toBe(digest);
    expect(await checkRevision(model, '')).toBe(digest);
    symlinkSync(model, join(folder, 'link'));
    expect(await checkRevision(join(folder, 'link'), digest)).toBe(digest);
    writeFileSync(join(model, 'sub', 'weights'), 'W');
    await expect(checkRevision(model, digest)).rejects.toMatchObject({
      code: 'model.unavailable',
      retryable: false,
      message: expect.stringMatching(/another one than was pinned/),
    });
    await expect(checkRevision(model, 'main')).rejects.toMatchObject({
      code: 'config.invalid',
      hint: expect.stringMatching(/sha256:/),
    });
  });

  it('of a hub is a commit, never a branch', async () => {
    expect(await checkRevision('org/model', 'a'.repeat(40))).toBe('a'.repeat(40));
    await expect(checkRevision('org/model', 'main')).rejects.toMatchObject({ code: 'config.invalid' });
    await expect(checkRevision(join(folder, 'nowhere'), '')).rejects.toMatchObject({
      code: 'model.unavailable',
    });
  });
});

describe('free memory', () => {
  it('is that of the graphics processor with most of it; without one that of the host', async () => {
    const tool = join(folder, 'smi');
    writeFileSync(tool, '#!/bin/sh\necho 1000\necho 7000\n', { mode: 0o755 });
    expect(await freeMemory(tool)).toEqual({ kind: 'gpu', freeBytes: 7_000 * 1024 * 1024 });
    const meminfo = join(folder, 'meminfo');
    writeFileSync(meminfo, 'MemTotal: 9 kB\nMemAvailable:    2048 kB\n');
    expect(await freeMemory(join(folder, 'none'), meminfo)).toEqual({ kind: 'host', freeBytes: 2_097_152 });
    writeFileSync(tool, '#!/bin/sh\necho "no devices" >&2\nexit 9\n', { mode: 0o755 });
    expect((await freeMemory(tool, meminfo)).kind).toBe('host');
    expect(await freeMemory(join(folder, 'none'), join(folder, 'none'))).toMatchObject({ kind: 'unknown' });
  });
});

describe('the process of an engine', () => {
  it('lives and ends where its note can be neither written nor removed: that is told', async () => {
    const lines: string[] = [];
    const life = new EngineProcess({
      argv: [process.execPath, '-e', 'setInterval(() => {}, 1_000)'],
      env: { PATH: process.env['PATH'] ?? '' },
      stopMs: 1_000,
      // A folder is no file, whoever writes: tests may run as root.
      noteFile: mkdtempSync(join(folder, 'note-')),
      clock: new SystemClock(),
      onLine: (line) => void lines.push(line),
    });
    await until(() => lines.length > 0, 'the fault is told');
    expect(lines).toEqual([expect.stringMatching(/cannot be noted.*EISDIR/)]);
    expect(life.pid).toBeGreaterThan(1);
    await life.stop();
    await life.ended;
    expect(lines.at(-1)).toMatch(/cannot be removed/);
  });
});

describe('a supervised engine', () => {
  it('is started, becomes ready, is started again when it dies, with back-off', async () => {
    const it = rig();
    it.engine.start();
    expect(await codeOf(it.engine.enter(10, undefined))).toBe('model.unavailable');
    await it.later(2_000);
    expect(it.engine.engine()).toMatchObject({ state: 'ready', pid: 101, restarts: 0, revision: 'abc' });
    it.die('it was ended by SIGKILL');
    await it.later(250);
    expect(it.engine.engine()).toMatchObject({ state: 'starting', reason: expect.stringMatching(/SIGKILL/) });
    expect(await codeOf(it.engine.enter(10, undefined))).toBe('model.unavailable');
    await it.later(3_000);
    expect(it.engine.engine()).toMatchObject({ state: 'ready', pid: 102, restarts: 1 });
    // It dies at once, again and again: the waits grow.
    it.world.upMs = 1e9;
    const before = it.world.lives;
    for (let second = 0; second < 60; second++) {
      it.die('it ended with code 1');
      await it.later(1_000);
    }
    expect(it.world.lives - before).toBeLessThan(8);
    await it.engine.stop();
    expect(it.engine.state).toBe('stopped');
    expect(it.states()).toEqual(expect.arrayContaining(['starting', 'ready', 'stopped']));
  });

  it('waits for memory, and says how much is missing', async () => {
    const it = rig({ memoryFloor: 10_000_000_000 });
    it.engine.start();
    await it.later(1_000);
    expect(it.engine.engine()).toMatchObject({
      state: 'waiting',
      reason: expect.stringMatching(/7629 MiB are free on the graphics processor, 9537 MiB are needed/),
    });
    expect(it.world.lives).toBe(0);
    it.world.free = 11_000_000_000;
    await it.later(8_000);
    expect(it.engine.state).toBe('ready');
    await it.engine.stop();
  });

  it('of another model than was pinned is never started, and not tried again', async () => {
    const it = rig(
      {},
      {
        revision: async () => {
          throw new EdgeError('model.unavailable', {
            operation: 'check',
            subject: 'm',
            message: 'another one',
            retryable: false,
          });
        },
      },
    );
    it.engine.start();
    await it.later(120_000);
    expect(it.engine.engine()).toMatchObject({ state: 'failed', reason: 'another one', restarts: 0 });
    expect(it.world.lives).toBe(0);
    await it.engine.stop();
  });

  it('that serves something else is ended; one whose port is taken is not started', async () => {
    const it = rig();
    it.world.served = ['other'];
    it.engine.start();
    await it.later(3_000);
    expect(it.engine.engine()).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/it serves other, not tiny/),
    });
    await it.engine.stop();
    const taken = rig();
    taken.world.health = 200;
    taken.engine.start();
    await taken.later(500);
    expect(taken.engine.engine().reason).toMatch(/another server answers on port 1 already/);
    expect(taken.world.lives).toBe(0);
    await taken.engine.stop();
  });

  it('that does not come up in time is ended and tried again', async () => {
    const it = rig({ startMs: 5_000 });
    it.world.upMs = 1e9;
    it.engine.start();
    await it.later(7_000);
    expect(it.events.map(({ reason }) => reason)).toContainEqual(
      expect.stringMatching(/not ready within 5000 ms/),
    );
    await it.later(3_000);
    expect(it.world.lives).toBeGreaterThanOrEqual(2);
    await it.engine.stop();
  });
});

describe('sleep', () => {
  async function ready(options: Partial<EngineOptions> = {}) {
    const made = rig(options);
    made.engine.start();
    await made.later(2_000);
    const inner = new FakeLanguageModel('tiny', () => ({ text: 'hello' }));
    return { ...made, inner, model: new EngineModel(inner, made.engine, made.clock) };
  }

  it('waits for calls under way, holds those that come, and a call wakes it: none hangs, none is cut', async () => {
    const it = await ready({ sleepLevel: 2 });
    const leave = await it.engine.enter(1_000, undefined);
    const asleep = it.engine.sleep();
    await it.later(500);
    expect(it.world.orders).toEqual([]);
    const comes = it.model.complete(request({ deadlineMs: 60_000 }));
    leave();
    await it.later(1_000);
    expect((await asleep).engine).toBe('tiny');
    expect((await comes).text).toBe('hello');
    expect(it.world.orders).toEqual(['sleep 2', 'wake 2']);
    await it.engine.sleep();
    expect(it.engine.state).toBe('sleeping');
    // Nobody asks a sleeping engine how it is: it might never answer. It is worth a call all the same.
    expect(await it.model.health()).toMatchObject({ ok: true, reason: 'it sleeps' });
    const calls = [1, 2, 3].map(() => it.model.complete(request({ deadlineMs: 60_000 })));
    await it.later(500);
    expect((await Promise.all(calls)).map(({ text }) => text)).toEqual(['hello', 'hello', 'hello']);
    expect(it.world.orders.filter((order) => order.startsWith('wake'))).toHaveLength(2);
    await it.engine.stop();
  });

  it('comes by itself when nobody asks, and not while somebody works', async () => {
    const it = await ready({ sleepAfterMs: 4_000 });
    const leave = await it.engine.enter(1_000, undefined);
    await it.later(10_000);
    expect(it.engine.state).toBe('ready');
    leave();
    await it.later(10_000);
    expect(it.engine.state).toBe('sleeping');
    await it.engine.stop();
  });

  it('is given up where calls do not end; one that cannot be woken refuses, typed, by the deadline of its caller', async () => {
    const it = await ready({ memoryFloor: 1 });
    const leave = await it.engine.enter(1_000, undefined);
    const asleep = codeOf(it.engine.sleep());
    await it.later(31_000);
    expect(await asleep).toBe('cell.overloaded');
    expect(await codeOf(it.engine.enter(10, undefined))).toBe('fine');
    leave();
    const fresh = await ready({ memoryFloor: 1 });
    await fresh.engine.sleep();
    fresh.world.free = 0;
    const refused = codeOf(fresh.model.complete(request({ deadlineMs: 5_000 })));
    await fresh.later(500);
    expect(await refused).toBe('model.unavailable');
    expect(fresh.engine.state).toBe('sleeping');
    await fresh.engine.stop();
    await it.engine.stop();
  });

  it('that was interrupted by a call and cannot be ended refuses that call at once', async () => {
    const it = await ready({ memoryFloor: 1 });
    const leave = await it.engine.enter(1_000, undefined);
    const asleep = it.engine.sleep();
    await it.later(500);
    const comes = codeOf(it.model.complete(request({ deadlineMs: 600_000 })));
    it.world.free = 0;
    leave();
    await it.later(1_000);
    await asleep;
    expect(await Promise.race([comes, it.later(1_000).then(() => 'it waits')])).toBe('model.unavailable');
    await it.engine.stop();
  });

  it('a caller that is gone waits no more', async () => {
    const it = await ready();
    await it.engine.sleep();
    it.world.free = 8e9;
    const abort = new AbortController();
    abort.abort();
    expect(await codeOf(it.model.complete(request(), { signal: abort.signal }))).toBe('run.cancelled');
    await it.engine.stop();
    expect(await codeOf(it.model.complete(request()))).toBe('model.unavailable');
  });
});
