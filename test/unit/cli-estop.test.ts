import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkOlder, engage, releaseText, stateText } from '../../cli/commands/estop.ts';
import { type Keyboard, teleop } from '../../cli/commands/teleop.ts';
import type { CommandContext } from '../../cli/context.ts';
import { EdgeError, METHODS } from '../../contract/core.ts';
import { lockDataDir } from '../../daemon/supervisor/data-lock.ts';
import { nobodysPort, personAt, portOf } from '../support/cli-person.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

let folder: string;
let dataDir: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-estop-'));
  dataDir = join(folder, 'data');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const file = () => join(dataDir, 'estop');

const person = (port: number, env: Record<string, string> = {}) => personAt(folder, port, env);

beforeEach(() => writeFileSync(join(folder, 'robot.toml'), ''));

/** The API of a daemon that keeps its data elsewhere, as a service does. */
async function service(): Promise<Rig> {
  const rig = await startRig();
  closing.push(() => rig.stop());
  return rig;
}

/** As a daemon does that runs with this data directory. */
function held(work?: string): void {
  const lock = lockDataDir(dataDir, process.pid, work);
  closing.push(() => lock.release());
}

describe('auraison estop release', () => {
  const pressedAt = (ms: number) => ({
    ...({ engaged: true, since_ns: '1', source: 'ros', by: '/emergency_stop', reason: '' } as const),
    press: `${ms}000000`,
  });

  it('is for what was pressed before the command was started, by a person or by a file', () => {
    const nowMs = Date.now();
    expect(() => checkOlder(file(), undefined, nowMs - 500, nowMs)).not.toThrow();
    expect(() => checkOlder(file(), pressedAt(nowMs - 600), nowMs - 500, nowMs)).not.toThrow();
    const refused = expect.objectContaining({ code: 'command.refused' });
    expect(() => checkOlder(file(), pressedAt(nowMs - 400), nowMs - 500, nowMs)).toThrow(refused);
    mkdirSync(dataDir);
    writeFileSync(file(), '');
    const laterMs = Date.now() + 60_000;
    expect(() => checkOlder(file(), undefined, laterMs, laterMs)).not.toThrow();
    expect(() => checkOlder(file(), undefined, nowMs - 60_000, laterMs)).toThrow(refused);
  });

  it('is not for ever refused by times that are still to come: a clock was set back', () => {
    const nowMs = 1_000_000;
    expect(() => checkOlder(file(), pressedAt(nowMs + 5), nowMs - 500, nowMs)).not.toThrow();
  });
});

describe('what auraison estop says', () => {
  const engaged = {
    ...({ engaged: true, source: 'api', by: 'vera', reason: 'smoke' } as const),
    ...{ since_ns: '1700000000000000000', press: '1700000000000000000' },
  };
  const free = { engaged: false, since_ns: '', source: '', by: '', reason: '' } as never;

  it('names the way to release it', () => {
    expect(stateText(engaged)).toBe(
      'ENGAGED by vera (api) since 2023-11-14T22:13:20.000Z: smoke\n  a person releases it: auraison estop release',
    );
  });

  it('tells a release from a stop that was not engaged', () => {
    expect(releaseText(engaged, free)).toBe('released: now not engaged; nothing starts to move by it');
    expect(releaseText(free, free)).toBe('not engaged');
    expect(releaseText(undefined, free)).toBe('not engaged');
    expect(releaseText(engaged, free, '/d/estop')).toMatch(/^\/d\/estop is removed; released: /);
    expect(releaseText(engaged, engaged)).toMatch(/^ENGAGED by vera/);
  });
});

describe('auraison estop', () => {
  it('fails loudly where a daemon of another data directory refuses, and leaves nothing behind', async () => {
    const port = portOf(await service());
    const { context, told } = person(port);
    const error = (await engage(context, 'a child').catch((thrown: unknown) => thrown)) as EdgeError;
    expect(error).toBeInstanceOf(EdgeError);
    expect(error.code).toBe('api.unauthorised');
    expect(error.message).toContain('NOT stopped');
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain(`${dataDir} is not its data directory`);
    for (const way of ['sudo', '--data-dir', 'AURAISON_TOKEN', 'button']) expect(error.hint).toContain(way);
    expect(told).toEqual([]);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('takes away what the shell wrote where it stopped nothing, and leaves it where it holds', async () => {
    mkdirSync(dataDir);
    const left = () => writeFileSync(file(), 'a child\n');
    process.env['STOP_FILE_LEFT'] = file();
    closing.push(() => delete process.env['STOP_FILE_LEFT']);
    left();
    const { context } = person(portOf(await service()));
    await expect(engage(context, 'a child')).rejects.toMatchObject({ code: 'api.unauthorised' });
    expect(existsSync(file())).toBe(false);
    held();
    left();
    expect(await engage(context, 'a child')).toBe(0);
    expect(readFileSync(file(), 'utf8')).toBe('a child\n');
  });

  it('ends with 1 where the cell did not answer and the stop was left to a file: nobody saw the robot stand', async () => {
    const rig = await startRig({}, { leaveStop: () => {} });
    closing.push(() => rig.stop());
    const away = new EdgeError('cell.restarted', { operation: 'engage', subject: 'execution' });
    rig.answers.set(METHODS.execution.estopEngage, () => Promise.reject(away));
    const { context, told, results } = person(portOf(rig), { AURAISON_TOKEN: TOKEN });
    expect(await engage(context, 'a child')).toBe(1);
    expect(results.at(-1)).toMatchObject({ engaged: true, confirmed: false });
    expect(told.join()).toContain('the robot was not confirmed to stand');
  });

  it('goes by the file where the token is wrong and the daemon of this directory runs', async () => {
    const port = portOf(await service());
    held();
    const { context, told } = person(port, { AURAISON_TOKEN: 'of-yesterday' });
    expect(await engage(context, 'a child')).toBe(0);
    expect(readFileSync(file(), 'utf8')).toBe('a child\n');
    expect(told.at(-1)).toContain(`engaged by the file ${file()}`);
    expect(told.at(-1)).not.toContain('no daemon');
  });

  it('goes by the file where the daemon of this directory does not answer', async () => {
    held();
    const { context, told, results } = person(await nobodysPort());
    expect(await engage(context, 'a child')).toBe(0);
    expect(results.at(-1)).toEqual({ engaged: true, file: file(), daemon: true });
    expect(told.at(-1)).toContain(`engaged by the file ${file()}`);
    expect(told.at(-1)).not.toContain('no daemon');
  });

  it.each([undefined, 'bag import'])(
    'leaves word for the next daemon where none is found, and does not say that anything stopped (held by %s)',
    async (work) => {
      if (work !== undefined) held(work);
      const { context, told, results } = person(await nobodysPort());
      expect(await engage(context, 'a child')).toBe(1);
      expect(results).toEqual([{ engaged: false, file: file(), daemon: false }]);
      expect(readFileSync(file(), 'utf8')).toBe('a child\n');
      expect(told.at(-1)).toContain(`NOT stopped: no daemon runs with ${dataDir}`);
      for (const way of [file(), 'button', 'sudo', '--data-dir']) expect(told.at(-1)).toContain(way);
      expect(told.at(-1)).not.toContain('it holds');
    },
  );

  it.each(['EADDRNOTAVAIL', 'EHOSTUNREACH', 'ENETUNREACH'])(
    'leaves word also where the interface of the daemon is down: %s',
    async (code) => {
      const { context } = person(7601);
      const cause = Object.assign(new TypeError('fetch failed'), { cause: { code } });
      const fault = new EdgeError('cell.unavailable', { operation: 'POST', subject: 'api', cause });
      const api = { url: 'http://10.0.0.7:7601', post: () => Promise.reject(fault) };
      const cut = { ...context, api: { ...api, get: api.post } } as unknown as CommandContext;
      expect(await engage(cut, 'a child')).toBe(1);
      expect(readFileSync(file(), 'utf8')).toBe('a child\n');
    },
  );

  // It is late, it lost its execution cell, it is another program.
  it.each(['deadline.exceeded', 'cell.unavailable', 'internal.fault'] as const)(
    'fails where somebody is there with %s who is not of this directory',
    async (code) => {
      mkdirSync(dataDir);
      writeFileSync(join(dataDir, 'daemon.lock'), '');
      const { context } = person(7601);
      const fault = () => new EdgeError(code, { operation: 'POST /v1/estop', subject: 'execution' });
      const api = { url: 'http://127.0.0.1:7601', post: async () => Promise.reject(fault()) };
      const failing = { ...context, api: { ...api, get: api.post } } as unknown as CommandContext;
      await expect(engage(failing, 'a child')).rejects.toMatchObject({
        code,
        message: expect.stringContaining('NOT stopped'),
      });
    },
  );

  it('says what it could not do where the file cannot be written', async () => {
    writeFileSync(dataDir, 'a file where a directory belongs');
    const { context } = person(await nobodysPort());
    await expect(engage(context, 'a child')).rejects.toMatchObject({
      message: expect.stringContaining(`${file()} cannot be written`),
      hint: expect.stringContaining('sudo'),
    });
  });

  it('is as honest behind key e of teleop', async () => {
    const { context } = person(portOf(await service()));
    const { api } = context;
    const post: typeof api.post = async <T>(path: string, ...more: [unknown?, number?]) =>
      path === '/v1/estop' ? api.post<T>(path, ...more) : ({ lease_id: 7 } as T);
    const keyboard = {
      isTTY: true,
      setRawMode: () => keyboard,
      resume: () => keyboard,
      pause: () => keyboard,
      off: () => keyboard,
      on: (_: string, listener: (key: Buffer) => void) => {
        queueMicrotask(() => listener(Buffer.from('e')));
        return keyboard;
      },
    };
    const steering = { ...context, api: { url: api.url, get: api.get, post } } as unknown as CommandContext;
    await expect(
      teleop(steering, { speed: '0.2', turn: '0.8' }, keyboard as unknown as Keyboard),
    ).rejects.toMatchObject({
      code: 'api.unauthorised',
      message: expect.stringContaining('NOT stopped'),
    });
  });
});
