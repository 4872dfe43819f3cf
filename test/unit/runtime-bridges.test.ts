import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { checkRuntimes } from '../../cli/doctor/runtimes-check.ts';
import type { CellContext } from '../../contract/index.ts';
import { bridgeOf } from '../../daemon/compose/bridges.ts';
import { makeRemote } from '../../daemon/compose/remote.ts';
import { makeSandboxes } from '../../daemon/compose/sandboxes.ts';
import { sandboxWarnings } from '../../daemon/config/sandboxes.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';
import { runtimeToken } from '../../io/runtime-token.ts';

const folder = mkdtempSync(join(tmpdir(), 'bridges-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (row: string) => readConfig(`[[runtimes.accept]]\nname = "coder"\n${row}`, 'robot.toml', {});
const rowOf = (row: string) => {
  const { config, faults } = read(row);
  expect(faults).toEqual([]);
  return config.runtimes.accept[0]!;
};

/** Agents that the configuration names: the daemon starts their bridges. */
describe('[[runtimes.accept]] that names an agent', () => {
  it('starts the bridge that a person would start by hand, with what the row says', () => {
    const row = rowOf(
      'acp = ["opencode", "acp"]\nfolder = "/srv"\nenv = ["PATH", "HOME=/home/agent"]\nmode = "default"\ntimeout = "90 s"',
    );
    const { command, secrets, readOnly } = bridgeOf(row, '/srv')!;
    expect(command.slice(command.indexOf('runtimes'))).toEqual([
      ...[
        'runtimes',
        'acp',
        'coder',
        '--secrets',
        '--folder',
        '/srv',
        '--silence',
        '90',
        '--env',
        'PATH',
        '--env',
        'HOME',
      ],
      ...['--mode', 'default', '--', 'opencode', 'acp'],
    ]);
    expect([command[0], secrets, readOnly.length]).toEqual([process.execPath, {}, 1]);
  });

  it('hands the credential and the whole address of an A2A agent to no list of processes', () => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'very-secret\n');
    chmodSync(secret, 0o600);
    const url = 'https://lena:word@planner.example/agent?key=abc';
    const { command, secrets } = bridgeOf(rowOf(`a2a = "${url}"\ncredential = "${secret}"`), '/')!;
    expect(command.slice(command.indexOf('runtimes'))).toEqual([
      ...['runtimes', 'a2a', 'coder', 'https://planner.example', '--secrets', '--timeout', '600'],
    ]);
    expect(secrets).toEqual({ credential: 'very-secret', url });
    expect(bridgeOf(rowOf('command = ["patrol"]'), '/')).toBeUndefined();
  });

  it('shows the token of its runtime to the daemon, and not to the agent, which runs as the same user', async () => {
    const data = join(folder, 'data');
    mkdirSync(data);
    const row = `acp = ["cat"]\nfolder = "${folder}"\nsandbox = "none"\nenv = ["NODE_COMPILE_CACHE"]`;
    const settings = { config: read(row).config, dataDir: data } as Settings;
    const clock = new SystemClock();
    const said: string[] = [];
    const report = (_level: string, message: string) => void said.push(message);
    const context = { clock, report } as unknown as CellContext;
    const remote = await makeRemote(settings, context, {} as never, makeSandboxes(settings, clock));
    const token = await runtimeToken(new FileSecrets(data, 'test'), 'coder');
    const api = createServer().listen(0, '127.0.0.1');
    const shown = once(api, 'upgrade') as Promise<[IncomingMessage, Socket]>;
    await once(api, 'listening');
    try {
      remote.start(`http://127.0.0.1:${(api.address() as AddressInfo).port}`);
      const [{ headers }, socket] = await shown;
      const { pid } = remote.runtimes!.runtimes()[0]!.program!;
      const seen = ['environ', 'cmdline'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1'));
      expect([headers.authorization, said]).toEqual([`Bearer ${token}`, []]);
      expect(seen[0]).toContain('AURAISON_URL');
      expect(seen.join()).not.toContain(token);
      socket.destroy();
    } finally {
      await remote.stop();
      api.close();
    }
  });

  it.each([
    ['acp = ["opencode"]\ncommand = ["patrol"]', 'command, acp or a2a, one of them (coder)'],
    ['acp = ["opencode"]', 'folder = where the agent works'],
    ['acp = ["opencode"]\nsandbox = "none"', 'folder = where the agent works'],
    ['a2a = "http://planner.example"', 'https: over http only this host'],
    ['a2a = "ftp://planner.example"', 'an http or https address'],
    ['command = ["patrol"]\ncredential = "env:X"', 'no credential without a2a'],
    ['a2a = "https://planner.example"\nmode = "ask"', 'no login and no mode without acp'],
    ['sandbox = "held"', 'no sandbox without command, acp or a2a'],
  ])('is refused in words: %s', (row, words) => {
    expect(JSON.stringify(read(row).faults)).toContain(words);
  });

  it('runs without a sandbox only where that is said; the bridge to a remote agent runs nothing of it', () => {
    const warned = (row: string) => sandboxWarnings(read(row).config).length;
    expect(warned('acp = ["opencode"]\nfolder = "/srv"')).toBe(1);
    expect(warned('acp = ["opencode"]\nfolder = "/srv"\nsandbox = "none"')).toBe(0);
    expect(warned('a2a = "https://planner.example"')).toBe(0);
  });

  it('is in the report of the doctor, with what is missing', () => {
    const check = (row: string) => checkRuntimes({ config: read(row).config } as Settings);
    expect(check(`acp = ["${process.execPath}"]\nfolder = "${folder}"`)).toMatchObject({
      ...{ state: 'ok', detail: expect.stringContaining('coder is started by the daemon') },
    });
    expect(check('acp = ["no-such-agent"]\nfolder = "/no/such"')).toMatchObject({
      ...{
        state: 'bad',
        detail: 'coder: no-such-agent is not a program on the PATH; coder: /no/such is not there',
      },
    });
    expect(check('a2a = "https://planner.example"\ncredential = "env:NOT_SET_HERE"')).toMatchObject({
      ...{ state: 'bad', detail: expect.stringContaining('NOT_SET_HERE') },
    });
    expect(check('')).toMatchObject({ state: 'ok', detail: 'coder dials in, and is started elsewhere' });
  });
});

it('variables that a bridge gets are no keys of the configuration', () => {
  const env = {
    AURAISON_URL: 'http://127.0.0.1:1',
    AURAISON_RUNTIME_TOKEN: 'x',
  };
  expect(readConfig('', 'robot.toml', env).faults).toEqual([]);
});
