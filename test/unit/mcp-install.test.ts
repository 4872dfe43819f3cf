import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MCP_CLIENTS, type Places } from '../../cli/mcp/clients.ts';
import { clientOf, entryOf, install } from '../../cli/mcp/install.ts';

const ENTRY = { command: '/opt/auraison/bin/auraison', args: ['mcp'] };
let home: string;
let places: Places;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mcp-install-'));
  places = { home, config: join(home, '.config'), folder: join(home, 'work'), platform: 'linux' };
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
const add = (name: string, options = {}) =>
  install(clientOf(name), places, ENTRY, { name: 'robot', ...options });

describe('mcp install', () => {
  it.each(MCP_CLIENTS)(
    '$name: writes the entry where the client looks for it, and takes it out',
    async ({ name, key }) => {
      const { path, state, backup } = await add(name);
      expect(state).toBe('added');
      expect(backup).toBeUndefined();
      expect(json(path)).toEqual({
        [key]: { robot: key === 'servers' ? { type: 'stdio', ...ENTRY } : ENTRY },
      });
      expect((await add(name)).state).toBe('as it was');
      expect((await add(name, { remove: true })).state).toBe('removed');
      expect(json(path)).toEqual({ [key]: {} });
      expect((await add(name, { remove: true })).state).toBe('was not there');
    },
  );

  it.each([
    ['claude', 'work/.mcp.json'],
    ['claude-desktop', '.config/Claude/claude_desktop_config.json'],
    ['cursor', '.cursor/mcp.json'],
    ['vscode', '.config/Code/User/mcp.json'],
    ['gemini', '.gemini/settings.json'],
  ])('%s: its file is %s', async (name, path) => {
    expect((await add(name)).path).toBe(join(home, path));
  });

  it('keeps what stands in the file, its form and its rights, and a copy of it', async () => {
    const path = join(home, '.cursor', 'mcp.json');
    mkdirSync(dirname(path));
    const before = '{\n\t"theme": "dark",\n\t"mcpServers": {\n\t\t"other": { "command": "x" }\n\t}\n}\n';
    writeFileSync(path, before, { mode: 0o640 });
    const { state, backup } = await add('cursor');
    expect(state).toBe('changed');
    expect(json(path)).toEqual({
      theme: 'dark',
      mcpServers: { other: { command: 'x' }, robot: ENTRY },
    });
    expect(readFileSync(path, 'utf8')).toContain('\n\t"theme"');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readFileSync(backup!, 'utf8')).toBe(before);
  });

  it.each(['{ // a comment\n}', '[]', '{"mcpServers": 7}', 'nonsense'])(
    'leaves a file that it cannot read as it is: %s',
    async (text) => {
      const path = join(home, '.cursor', 'mcp.json');
      mkdirSync(dirname(path));
      writeFileSync(path, text);
      await expect(add('cursor')).rejects.toMatchObject({ code: 'config.invalid', subject: path });
      expect(readFileSync(path, 'utf8')).toBe(text);
    },
  );

  it('writes through symbolic links, also to a file that is not there yet', async () => {
    const kept = join(home, 'dotfiles');
    mkdirSync(join(home, '.cursor'));
    mkdirSync(kept);
    symlinkSync('../dotfiles/mcp.json', join(home, '.cursor', 'mcp.json'));
    for (const other of [undefined, { command: 'x' }]) {
      if (other) writeFileSync(join(kept, 'mcp.json'), JSON.stringify({ mcpServers: { other } }));
      const { path } = await add('cursor');
      expect(lstatSync(path).isSymbolicLink()).toBe(true);
      expect(json(join(kept, 'mcp.json'))).toEqual({
        mcpServers: { ...(other ? { other } : {}), robot: ENTRY },
      });
    }
  });

  it.runIf(process.platform === 'linux').each(['/proc/nowhere/home', '/dev/null/home'])(
    'refuses a home where nothing can be written: %s',
    async (nowhere) => {
      places = { ...places, home: nowhere, config: join(nowhere, '.config') };
      for (const name of ['cursor', 'vscode'])
        await expect(add(name)).rejects.toMatchObject({
          ...{ code: 'config.unreadable', subject: expect.stringContaining(nowhere) },
          ...{
            message: expect.stringContaining('cannot be written'),
            hint: expect.stringContaining('--print'),
          },
        });
    },
  );

  it('writes nothing with --print', async () => {
    const { path, state } = await add('vscode', { print: true, project: true });
    expect(state).toBe('printed');
    expect(path).toBe(join(home, 'work', '.vscode', 'mcp.json'));
    expect(existsSync(path)).toBe(false);
  });

  it('says which clients there are, and which has no file for one folder', async () => {
    expect(() => clientOf('emacs')).toThrow(/no MCP client is called emacs/);
    await expect(add('windsurf', { project: true })).rejects.toThrow(/no file for one folder/);
  });

  it('names the command in full, the flags of this call and the other host, and never a token', () => {
    const bin = join(home, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'auraison'), '#!/bin/sh\n', { mode: 0o755 });
    const env = {
      PATH: `relative:${bin}`,
      AURAISON_URL: 'http://robot-7.example:7601',
      AURAISON_TOKEN: 'secret',
    };
    const entry = entryOf({ dataDir: '/var/lib/r' }, env, '/else');
    expect(entry).toEqual({
      command: join(bin, 'auraison'),
      args: ['--data-dir', '/var/lib/r', 'mcp'],
      env: { AURAISON_URL: 'http://robot-7.example:7601' },
    });
    const relative = entryOf({ dataDir: 'data' }, { AURAISON_CONFIG: 'my.toml' }, '/else');
    expect(relative.args).toEqual(['--config', resolve('my.toml'), '--data-dir', resolve('data'), 'mcp']);
    expect(entryOf({}, { PATH: '/nowhere' }, '/else').command).toBe('/else');
  });
});
