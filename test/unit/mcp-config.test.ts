import { describe, expect, it } from 'vitest';
import { checkMcp } from '../../cli/doctor/mcp-check.ts';
import { serverConfig } from '../../daemon/compose/mcp.ts';
import { makeSandboxes } from '../../daemon/compose/sandboxes.ts';
import { readConfig } from '../../daemon/config.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const read = (source: string) => readConfig(source, 'robot.toml', {});

describe('[[mcp.servers]]', () => {
  it('is read with its rules, and gives a server only the environment it names', () => {
    const { config, faults } = read(`
[[mcp.servers]]
name = "files"
command = "npx"
args = ["-y", "server"]
env = ["PATH", "LOG=a=b", "ABSENT"]
apps = ["maze"]
allow = ["read_*"]

[[mcp.servers.rules]]
tools = ["read_*"]
effect = "read"
replay = "safe"
deadline = "5 s"

[[mcp.servers]]
name = "plant"
url = "https://plant.example/mcp"
trust = "manual"
`);
    expect(faults).toEqual([]);
    const env = { PATH: '/bin', AURAISON_TOKEN: 'secret', HOME: '/h' };
    const sandboxes = makeSandboxes({ config, dataDir: '/data' }, new ManualClock());
    const [files, plant] = config.mcp.servers.map((row) => serverConfig(row, '/data', env, sandboxes));
    expect(files?.command).toEqual({
      file: 'npx',
      args: ['-y', 'server'],
      env: { PATH: '/bin', LOG: 'a=b' },
      folder: '/data',
    });
    expect(files?.rules).toEqual([{ tools: ['read_*'], effect: 'read', replay: 'safe', deadlineMs: 5_000 }]);
    expect(files?.http).toBeUndefined();
    expect(plant).toMatchObject({
      http: { url: 'https://plant.example/mcp' },
      trust: 'manual',
      apps: [],
      elicitation: 'refuse',
    });
  });

  it('refuses what could only be silent or unsafe, and says what it wants', () => {
    const row = (text: string) => `[[mcp.servers]]\n${text}\n`;
    for (const [source, expected] of [
      [row('name = "a"'), 'command or url'],
      [row('command = "x"'), 'name'],
      [row('name = "a"\ncommand = "x"\nurl = "https://e/"'), 'one of them'],
      [row('name = "A b"\ncommand = "x"'), 'lower-case'],
      [row('name = "a_b"\ncommand = "x"'), 'lower-case'],
      [row('name = "a"\nurl = "http://far.example/mcp"'), 'https'],
      [row('name = "a"\nurl = "ftp://x"'), 'http'],
      [row('name = "a"\ncommand = "x"\ntoken_file = "/t"'), 'no token without url'],
      [row('name = "a"\nurl = "https://e/"\noauth_client_id = "i"'), 'together'],
      [row('name = "a"\ncommand = "x"\nenv = ["A B"]'), 'NAME=value'],
      [row('name = "a"\ncommand = "x"\neffects = "read"'), 'only the keys'],
      [row('name = "a"\ncommand = "x"\ndeadline = 5'), 'deadline'],
      [row('name = "a"\ncommand = "x"\nresult_size = "1 GiB"'), 'result_size'],
      [row('name = "a"\ncommand = "x"') + row('name = "a"\ncommand = "y"'), 'twice'],
    ] as const) {
      const { faults } = read(source);
      expect(faults.map(({ expected }) => expected).join(), source).toContain(expected);
    }
  });

  it('is looked at by the doctor: programs and secrets that are missing are named', () => {
    const settings = (source: string) => ({ config: read(source).config, dataDir: '/data', file: undefined });
    expect(checkMcp(settings(''))).toMatchObject({ state: 'ok' });
    expect(checkMcp(settings('[[mcp.servers]]\nname = "a"\ncommand = "sh"'))).toMatchObject({
      state: 'ok',
      detail: expect.stringContaining('no application'),
    });
    const bad = checkMcp(
      settings(
        '[[mcp.servers]]\nname = "a"\ncommand = "no-such-program"\n[[mcp.servers]]\nname = "b"\nurl = "https://e/"\ntoken_file = "/no/such"',
      ),
    );
    expect(bad.state).toBe('bad');
    expect(bad.detail).toMatch(/a: no-such-program.*b: /);
  });
});
