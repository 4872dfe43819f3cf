import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CellBus, CONFIG_LIMITS, type ConfigApi } from '../../contract/index.ts';
import { makeConfigDesk } from '../../daemon/config/desk.ts';
import { hiddenText, shownValue } from '../../daemon/config/hidden.ts';
import { readConfig, requireConfig } from '../../daemon/config.ts';
import { deskParts } from '../support/config-desk.ts';
import { governedPorts } from '../support/governed-ports.ts';
import { startRig } from '../support/http-rig.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-desk-'));
  file = join(folder, 'robot.toml');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const IN_FORCE = `[recorder]
sync_interval = "300 ms"

[[models]]
name = "local"
kind = "openai"
url = "http://127.0.0.1:8000/v1"
model = "tiny"

[[mcp.servers]]
name = "notes"
command = "notes-server"
args = ["--token=hush", "--password", "hush"]
`;
const ENV = { AURAISON_DAEMON_NAME: 'robot7' };

/** A daemon that was started with `source`, and may have been reloaded since. */
function desk(source = IN_FORCE, env: Record<string, string> = ENV) {
  writeFileSync(file, source);
  let changed: ((body: unknown) => void) | undefined;
  const bus = { onBroadcast: (_: string, take: typeof changed) => (changed = take) } as unknown as CellBus;
  const config = requireConfig(source, file, env);
  const api: ConfigApi = makeConfigDesk({ config, file, dataDir: folder }, deskParts(bus), env);
  const reload = (text: string) => changed!({ sections: [], config: requireConfig(text, file, env) });
  return { api, reload };
}

async function keyOf(api: ConfigApi, section: string, key: string) {
  const { sections } = await api.view();
  return sections.find(({ name }) => name === section)!.keys.find((one) => one.key === key)!;
}

describe('the configuration in force', () => {
  it('says of each value where it comes from: file and line, variable, default', async () => {
    const { api } = desk();
    expect(await keyOf(api, 'recorder', 'sync_interval')).toMatchObject({
      ...{ value: '"300 ms"', source: 'file', line: 2, kind: 'duration' },
    });
    expect(await keyOf(api, 'daemon', 'name')).toMatchObject({
      ...{ value: '"robot7"', source: 'environment', variable: 'AURAISON_DAEMON_NAME' },
    });
    const port = await keyOf(api, 'api', 'port');
    expect(port).toMatchObject({ value: '7601', source: 'default' });
    expect(port.about).not.toBe('');
    const { lists } = await api.view();
    expect(lists.find(({ name }) => name === 'models')).toMatchObject({
      pending: false,
      rows: [{ name: 'local', line: 4, values: { model: '"tiny"' } }],
    });
  });

  it('hides what may be a secret, in the view and in a difference', async () => {
    const { api } = desk();
    const pasted = IN_FORCE.replaceAll('hush', 'quiet');
    for (const answer of [await api.view(), await api.check({ text: pasted })]) {
      expect(JSON.stringify(answer)).not.toMatch(/hush|quiet/);
      expect(JSON.stringify(answer)).toContain('--token=(hidden)');
    }
    // A value that is refused is not printed whole either.
    const refused = await api.check({ text: IN_FORCE.replace('//127', '//vera:hush@127') });
    expect(refused.faults).toMatchObject([{ line: 7, value: '"http://(hidden)@127.0.0.1:8000/v1"' }]);
  });

  it.each([
    ['a row', { api_key: 'abc', token_file: '/t' }, '{"api_key":"(hidden)","token_file":"/t"}'],
    ['a flag', ['serve', '--api-key', 'abc'], '["serve","--api-key","(hidden)"]'],
    ['a flag with a value', ['--token=abc'], '["--token=(hidden)"]'],
    ['a variable', ['HF_TOKEN=abc', 'LANG=C'], '["HF_TOKEN=(hidden)","LANG=C"]'],
    ['a header', 'Bearer abc', '"Bearer (hidden)"'],
    ['a query', 'https://a.example/x?api_key=abc&b=1', '"https://a.example/x?api_key=(hidden)&b=1"'],
    ['no reference', 'credential:token', '"credential:token"'],
    ['a header by its name', { 'X-Api-Key': 'abc' }, '{"X-Api-Key":"(hidden)"}'],
    ['a signed address', 'https://a.example/x?sig=abc', '"https://a.example/x?sig=(hidden)"'],
    ['a password with an @', 'https://u:p@ss@a.example/x', '"https://(hidden)@a.example/x"'],
    ['a password of a database', 'host=a password=abc dbname=b', '"host=a password=(hidden) dbname=b"'],
    ['a key of a known service', ['sk-abcdefgh1234'], '["(hidden)"]'],
    ['values of variables', { env: ['PAT=abc', 'LANG'] }, '{"env":["PAT=(hidden)","LANG"]}'],
    ['no place of a variable', { secret_env: ['PAT=/run/pat'] }, '{"secret_env":["PAT=/run/pat"]}'],
    ['no time', { first_token: '30 s' }, '{"first_token":"30 s"}'],
  ])('hides %s', (_, value, expected) => {
    expect(shownValue(value)).toBe(expected);
  });

  it('hides it also in why the file of now is not in force', async () => {
    const { api } = desk();
    for (const text of ['[lake]\nstorage_secret = "hush"', '[link]\ncentral_url = "ftp://vera:hush@a"']) {
      writeFileSync(file, text);
      const { file_fault } = await api.view();
      expect(file_fault).toContain('robot.toml:2');
      expect(file_fault).not.toContain('hush');
    }
  });

  it('looks through the longest text in no time', () => {
    const start = performance.now();
    for (const part of ['key', 'a', '-', 'sk-', 'password ', 'a://x@'])
      hiddenText(part.repeat(CONFIG_LIMITS.TEXT_CHARS_MAX / part.length));
    // Seconds, where a pattern looks again from each place.
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it('keeps what is in force apart from what the file says since, until a reload', async () => {
    const { api, reload } = desk();
    const later = IN_FORCE.replace('300 ms', '500 ms');
    writeFileSync(file, later);
    expect(await keyOf(api, 'recorder', 'sync_interval')).toMatchObject({
      ...{ value: '300 (duration, base unit)', pending: '"500 ms"' },
    });
    reload(later);
    const taken = await keyOf(api, 'recorder', 'sync_interval');
    expect(taken.value).toBe('"500 ms"');
    expect(taken.pending).toBeUndefined();
  });

  it('stays shown where the file is gone or has faults, and says which', async () => {
    const { api } = desk();
    writeFileSync(file, '[recorder]\nsync_interval = 3');
    const { file_fault, sections } = await api.view();
    expect(file_fault).toContain('robot.toml:2: recorder.sync_interval');
    expect(sections.length).toBeGreaterThan(10);
    rmSync(file);
    expect((await api.view()).file_fault).toContain('ENOENT');
  });
});

describe('a text that is checked', () => {
  it('has each fault with line, key and what is expected', async () => {
    const { api } = desk();
    const checked = await api.check({ text: '[recorder]\nsegmentsize = "1 MB"\n[api]\nport = "x"\n' });
    expect(checked).toMatchObject({ ok: false, differences: [] });
    expect(checked.faults).toMatchObject([
      {
        line: 2,
        key: 'recorder.segmentsize',
        expected: expect.stringContaining('did you mean segment_size'),
      },
      { line: 4, key: 'api.port', expected: expect.stringContaining('whole number') },
    ]);
    expect((await api.check({ text: 'a = ' })).faults).toMatchObject([{ key: '', line: 1 }]);
  });

  it('is compared with what is in force: values, rows, and what a reload would restart', async () => {
    const { api } = desk();
    const after = `[lease]\nresume = "after"\n[recorder]\nsync_interval = "400 ms"\n[daemon]\nname = "other"\n`;
    const checked = await api.check({ text: after });
    expect(checked.ok).toBe(true);
    expect(checked.differences).toEqual([
      { key: 'lease.resume', before: '"on_request"', after: '"after"' },
      { key: 'recorder.sync_interval', before: '"300 ms"', after: '"400 ms"' },
      { key: 'mcp.servers', before: expect.stringContaining('notes'), after: '[]' },
      { key: 'models[local]', before: expect.stringContaining('model = "tiny"') },
    ]);
    expect(checked.plan).toMatchObject({ restart: ['execution', 'runtime'], live: ['models'] });
    expect(checked.warnings).toEqual([
      'daemon.name: AURAISON_DAEMON_NAME of the environment wins over the file',
    ]);
    expect((await api.check({ text: IN_FORCE })).differences).toEqual([]);
  });

  it('names files that are only looked for: no device or pipe is opened', async () => {
    const { api } = desk();
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    const text = (path: string) => `[gate]\nurdf = "${path}"\n[api]\ntoken_file = "${path}"\n`;
    for (const path of ['/dev/zero', pipe, join(folder, 'absent')]) {
      const { ok, faults } = await api.check({ text: text(path) });
      expect(ok).toBe(false);
      expect(faults.map(({ key, line }) => [key, line])).toEqual([
        ['api.token_file', 4],
        ['gate.urdf', 2],
      ]);
    }
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'hush');
    const fine = await api.check({ text: text(secret) });
    expect(fine.ok).toBe(true);
    expect(JSON.stringify(fine)).not.toContain('hush');
  });

  it.each([
    ['tables of names that objects have', '[constructor]\nname = 1\n[__proto__]\nx = 1\n[toString]\na = 2'],
    ['thousands of faults', Array.from({ length: 4_900 }, (_, i) => `k${i} = 1`).join('\n')],
    [
      'a line that looks like an endless table',
      `[api]\nhost = """\n[${' '.repeat(60_000)}x\n"""\nport = "x"`,
    ],
    ['one long word', `${'a'.repeat(60_000)} = 1`],
  ])('with %s is refused', async (_, text) => {
    const { api } = desk();
    const { ok, faults } = await api.check({ text: text });
    expect(ok).toBe(false);
    expect(faults.length).toBeLessThanOrEqual(CONFIG_LIMITS.TEXT_FAULTS_MAX);
  });

  it('is refused where it nests without end, or is too long', async () => {
    const { api } = desk();
    const deep = `${Array(30_000).fill('a').join('.')} = 1`;
    await expect(api.check({ text: deep })).rejects.toMatchObject({ code: 'schema.invalid' });
    await expect(api.check({ text: '\n'.repeat(5_001) })).rejects.toMatchObject({ code: 'limit.exceeded' });
    await expect(api.check({ text: '#'.repeat(65_537) })).rejects.toMatchObject({ code: 'limit.exceeded' });
  });

  it('does not let the environment be blamed on the text', () => {
    const { faults } = readConfig('', 'text', { AURAISON_CONSTRUCTOR_NAME: 'x' });
    expect(faults).toMatchObject([{ file: 'environment', key: 'AURAISON_CONSTRUCTOR_NAME' }]);
  });
});

describe('the API of the configuration', () => {
  it('shows it, checks a text, and takes no body that is too large', async () => {
    const rig = await startRig({}, await governedPorts());
    try {
      const view = await (await rig.get('/v1/config')).json();
      expect(view).toMatchObject({ sections: expect.any(Array), lists: expect.any(Array) });
      const checked = await rig.post('/v1/config/check', { text: '[api]\nport = 1' });
      expect([checked.status, await checked.json()]).toMatchObject([
        200,
        { ok: true, differences: [{ key: 'api.port', before: '7601', after: '1' }] },
      ]);
      expect((await rig.post('/v1/config/check', { text: '#'.repeat(70_000) })).status).toBe(400);
    } finally {
      await rig.stop();
    }
  });
});
