import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { profileOf } from '../../daemon/compose/sandboxes.ts';
import { sandboxWarnings } from '../../daemon/config/sandboxes.ts';
import { readConfig } from '../../daemon/config.ts';

const read = (source: string) => readConfig(source, 'robot.toml', {});
const ROW = '[[sandboxes]]\nname = "tools"\n';

describe('[[sandboxes]]', () => {
  it('is read with its units; what it does not name is not given', () => {
    const { config, faults } = read(`${ROW}
read_only = ["/srv/maps"]
read_write = ["/srv/notes"]
network = ["api.example.com:443", "plant=10.0.0.7:502", "127.0.0.1:7601", "six=[fd00::7]:80"]
processor = 0.5
memory = "256 MiB"
processes = 20
time = "10 min"
secret_files = ["token=credential:plant"]
secret_env = ["API_KEY=env:KEY_OF_ROBOT"]
`);
    expect(faults).toEqual([]);
    const profile = profileOf(config.sandboxes[0]!, { KEY_OF_ROBOT: 'secret' });
    expect(profile).toMatchObject({
      name: 'tools',
      readOnly: ['/srv/maps'],
      readWrite: ['/srv/notes'],
      network: [
        { name: 'api.example.com', host: 'api.example.com', port: 443 },
        { name: 'plant', host: '10.0.0.7', port: 502 },
        { name: '127.0.0.1', host: '127.0.0.1', port: 7_601 },
        { name: 'six', host: 'fd00::7', port: 80 },
      ],
      processor: 0.5,
      memory: 256 * 2 ** 20,
      processes: 20,
      time: 600_000,
    });
    expect(profile.secrets.map(({ name, as }) => ({ name, as }))).toEqual([
      { name: 'token', as: 'file' },
      { name: 'API_KEY', as: 'variable' },
    ]);
    expect(profile.secrets[1]!.read()).toBe('secret');
    // Read at each start: a credential that is missing is a fault of the start, with its key.
    expect(() => profile.secrets[0]!.read()).toThrow('credential plant');
    expect(profileOf(read(ROW).config.sandboxes[0]!, {})).toMatchObject({
      ...{ readOnly: [], readWrite: [], network: [], secrets: [], time: 0 },
    });
  });

  it.each([
    ['name = "none"', 'another name'],
    ['read_only = ["maps"]', 'absolute paths'],
    ['network = ["https://example.com"]', '"HOST:PORT"'],
    ['network = ["example.com:0"]', 'a port from 1'],
    ['network = ["10.0.0.7:502"]', 'a name for the address, for example "plant=10.0.0.7:502"'],
    ['network = ["*"]', '"HOST:PORT"'],
    ['secret_files = ["../token=x"]', 'NAME=PLACE'],
    ['secret_env = ["API KEY=x"]', 'NAME=PLACE'],
    ['token = "x"', 'secrets stand in files'],
    ['memory = "1 MiB"', 'size of at least'],
    ['processes = 1', 'from 4'],
    ['provider = "chroot"', '"bubblewrap"'],
    ['image = "alpine"', 'programs of this host'],
    ['provider = "docker"', 'an image'],
    ['provider = "podman"\nimage = "alpine"\nnetwork = ["a.example:1"]', 'all or nothing'],
    ['provider = "kubernetes"\nimage = "alpine"\nread_only = ["/srv"]', 'no files of this host'],
    ['read_write = ["/srv/notes"]\nread_only = ["/srv/notes/maps"]', 'no path within /srv/notes'],
  ])('refuses %s and says what it wants', (line, expected) => {
    const { faults } = read(line.startsWith('name') ? `[[sandboxes]]\n${line}` : `${ROW}${line}`);
    expect(faults.map((fault) => fault.expected).join()).toContain(expected);
    for (const fault of faults) expect(fault.key).toMatch(/^sandboxes\[1\]\./);
  });

  it('knows the profiles that others name, and warns of programs without one', () => {
    const users = (sandbox: string) => `
[apps]
dirs = ["/srv/apps"]
${sandbox}
[[mcp.servers]]
name = "files"
command = "files"
${sandbox}
[[mcp.servers]]
name = "far"
url = "https://far.example/mcp"
[[runtimes.accept]]
name = "workshop"
command = ["node", "patrol.ts"]
${sandbox}
[[runtimes.accept]]
name = "elsewhere"
`;
    expect(sandboxWarnings(read(users('')).config)).toEqual([
      'mcp.servers: MCP server files runs without a sandbox: name one of [[sandboxes]], or say sandbox = "none"',
      'runtimes.accept: runtime workshop runs without a sandbox: name one of [[sandboxes]], or say sandbox = "none"',
      'apps.sandbox: each MCP server that a package brings runs without a sandbox: name one of [[sandboxes]], or say sandbox = "none"',
    ]);
    for (const sandbox of ['sandbox = "none"', 'sandbox = "tools"']) {
      const { config, faults } = read(`${users(sandbox)}${ROW}`);
      expect(faults).toEqual([]);
      expect(sandboxWarnings(config)).toEqual([]);
    }
    const { faults } = read(users('sandbox = "absent"'));
    expect(faults.map(({ key, value }) => `${key} ${value}`)).toEqual([
      'mcp.servers "absent"',
      'runtimes.accept "absent"',
      'apps.sandbox "absent"',
    ]);
    expect(faults[0]!.expected).toBe('the name of one of [[sandboxes]], none of which exists, or "none"');
  });

  it('is as docs/sandboxes.md shows it, key by key', () => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'sandboxes.md'), 'utf8');
    const [, example] = /```toml\n([\s\S]*?)```/.exec(text)!;
    const { config, faults } = read(example!);
    expect(faults).toEqual([]);
    expect(sandboxWarnings(config)).toEqual([]);
    for (const key of Object.keys(config.sandboxes[0]!)) expect(text).toContain(`\`${key}\``);
  });

  it('is not for what runs elsewhere', () => {
    const far = '[[mcp.servers]]\nname = "far"\nurl = "https://far.example/mcp"\nsandbox = "none"';
    expect(read(far).faults[0]?.expected).toContain('it runs elsewhere');
    const dials = '[[runtimes.accept]]\nname = "far"\nsandbox = "none"';
    expect(read(dials).faults[0]?.expected).toContain('no sandbox without command');
  });
});
