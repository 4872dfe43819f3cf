import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CellBus, CONFIG_LIMITS, type NewEvent } from '../../contract/index.ts';
import { makeConfigDesk } from '../../daemon/config/desk.ts';
import { textOfDraft } from '../../daemon/config/draft.ts';
import { endFormerTrial, leftTrial } from '../../daemon/config/trial.ts';
import { requireConfig } from '../../daemon/config.ts';
import { type Reloaded, Reloader } from '../../daemon/supervisor/reloader.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { deskParts } from '../support/config-desk.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-taking-'));
  mkdirSync(join(folder, 'run'));
  file = join(folder, 'robot.toml');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ALLOWED = `# of this robot
[api]
take_config = true

[recorder]
sync_interval = "300 ms" # as the disk likes it
`;

describe('single keys', () => {
  it.each([
    ['a value', [{ key: 'recorder.sync_interval', value: '"1 s"' }], ALLOWED.replace('300 ms', '1 s')],
    ['a new key', [{ key: 'api.port', value: ' 7700 ' }], ALLOWED.replace('[api]\n', '[api]\nport = 7700\n')],
    ['a new table', [{ key: 'gate.urdf', value: "'/a'" }], `${ALLOWED}\n[gate]\nurdf = '/a'\n`],
    ['a default', [{ key: 'api.take_config' }], ALLOWED.replace('take_config = true\n', '')],
    ['a default that counts already', [{ key: 'gate.urdf' }], ALLOWED],
    [
      'two of them',
      [
        { key: 'api.port', value: '1' },
        { key: 'api.port', value: '2' },
      ],
      ALLOWED.replace('[api]\n', '[api]\nport = 2\n'),
    ],
  ])('are set to %s, and comments stay', (_, set, expected) => {
    expect(textOfDraft(ALLOWED, { set })).toBe(expected);
  });

  it.each([
    ['a text without quotes', ALLOWED, { key: 'recorder.sync_interval', value: '1 s' }, /no value of TOML/],
    ['a second line', ALLOWED, { key: 'api.port', value: '1\n[gate]\n' }, /one line/],
    ['a second key', ALLOWED, { key: 'api.port', value: '1 }' }, /no value of TOML/],
    ['a comment', ALLOWED, { key: 'api.port', value: '# nothing' }, /no value of TOML/],
    ['an unknown key', ALLOWED, { key: 'api.por', value: '1' }, /no single key/],
    ['a name of objects', ALLOWED, { key: 'api.constructor', value: '1' }, /no single key/],
    ['a pattern', ALLOWED, { key: 'api.p.rt', value: '1' }, /no single key/],
    [
      'a value over lines',
      '[api]\nhost_names = [\n"a",\n]\n',
      { key: 'api.host_names', value: '[]' },
      /cannot be set alone/,
    ],
    ['a table in one line', 'api = { port = 1 }\n', { key: 'api.port', value: '2' }, /cannot be set alone/],
    ['a dotted key', 'api.port = 1\n', { key: 'api.port', value: '2' }, /cannot be set alone/],
    [
      'a text like a table',
      '[gate]\nurdf = """\n[api]\nport = 1\n"""\n',
      { key: 'api.port', value: '2' },
      /cannot be set alone/,
    ],
    ['a file that is no TOML', 'a = \n', { key: 'api.port', value: '2' }, /is no TOML/],
  ])('are refused where there is %s', (_, source, edit, expected) => {
    expect(() => textOfDraft(source, { set: [edit] })).toThrow(expected);
  });
});

/** A daemon: the desk of its API, and the reloader of its supervisor, which hears of a signal. */
function daemon(source: string | null = ALLOWED, env: Record<string, string> = {}) {
  if (source !== null) writeFileSync(file, source);
  const clock = new ManualClock();
  const events: NewEvent[] = [];
  const told: ((body: unknown) => void)[] = [];
  const failed: string[] = [];
  const reloads: Promise<Reloaded>[] = [];
  const read = () => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return { config: requireConfig(text, file, env), dataDir: folder, file };
  };
  const settings = { current: read() };
  const reloader = new Reloader({
    ...{ clock, settings, read, report: () => {} },
    notify: { ready() {}, status() {}, reloading() {}, watchdog() {}, stopping() {} },
    supervisor: {
      tell: (_, body) => {
        for (const hear of told) hear(body);
      },
      renew: async (names) =>
        names.map((name) => ({ name, state: failed.includes(name) ? 'starting' : 'up' }) as never),
      summary: () => '',
    },
  });
  const api = makeConfigDesk(
    { ...settings.current, file: source === null ? undefined : file } as typeof settings.current,
    deskParts(
      {
        onBroadcast: (_: string, hear: (body: unknown) => void) => void told.push(hear),
      } as unknown as CellBus,
      {
        ...{ clock, usualFile: file, emit: async (more) => void events.push(...more) },
        reload: () => void reloads.push(reloader.reload()),
      },
    ),
    {},
  );
  const states = () => events.map(({ kind, payload }) => [kind, (payload as { state: string }).state]);
  /** The daemon reads its file, as soon as it is asked. */
  const settled = async () => {
    clock.advance(CONFIG_LIMITS.RELOAD_AFTER_MS);
    for (let seen = -1; seen !== reloads.length; ) {
      seen = reloads.length;
      await Promise.all(reloads);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const take = async (value = '"1 s"') => {
    const set = [{ key: 'recorder.sync_interval', value }];
    const { seen } = await api.check({ set });
    return await api.take({ set }, { seen, confirmMs: 30_000, by: 'ada' });
  };
  return { api, clock, events, failed, reloads, settings, settled, states, take };
}

const TAKEN = ALLOWED.replace('300 ms', '1 s');
const text = () => readFileSync(file, 'utf8');

describe('a configuration that is taken', () => {
  it('counts on trial, and then for good where somebody keeps it', async () => {
    const { api, clock, settled, settings, states, take } = daemon();
    expect(await take()).toEqual({ by: 'ada', keys: ['recorder.sync_interval'], ends_in_ms: 30_000 });
    expect(text()).toBe(TAKEN);
    // What holds the former file, with its secrets, is for the daemon only.
    expect(statSync(join(folder, 'run/config-trial.json')).mode & 0o777).toBe(0o600);
    await settled();
    expect(settings.current.config.recorder.sync_interval).toBe(1_000);
    clock.advance(10_000);
    expect(api.taking().trial?.ends_in_ms).toBe(19_800);
    expect(await api.settle(true, 'vera')).toMatchObject({
      outcome: 'kept',
      by: 'ada',
      reason: 'vera asked for it',
    });
    clock.advance(60_000);
    await settled();
    expect(text()).toBe(TAKEN);
    expect(states()).toEqual([
      ['config.trial', 'taken'],
      ['config.trial', 'kept'],
    ]);
    expect(api.taking()).toMatchObject({ allowed: true, last: { outcome: 'kept' } });
    await expect(api.settle(true, 'ada')).rejects.toThrow('no configuration is on trial');
  });

  it.each([
    ['nobody keeps it in time', ({ clock }: Rig) => clock.advance(30_000), 'it was not kept in time'],
    [
      'somebody puts the former one back',
      async ({ api }: Rig) => void (await api.settle(false, 'vera')),
      'vera asked for it',
    ],
  ])('is gone again where %s', async (_, end, reason) => {
    const rig = daemon();
    await rig.take();
    await rig.settled();
    await end(rig);
    await rig.settled();
    expect(text()).toBe(ALLOWED);
    expect(rig.settings.current.config.recorder.sync_interval).toBe(300);
    expect(rig.api.taking()).toMatchObject({ last: { outcome: 'put_back', reason } });
    expect(rig.api.taking().trial).toBeUndefined();
    expect(rig.states()).toEqual([
      ['config.trial', 'taken'],
      ['config.trial', 'put_back'],
    ]);
  });

  it('is gone again at once where a cell does not come up with it', async () => {
    const rig = daemon();
    rig.failed.push('execution');
    await rig.take();
    await rig.settled();
    expect(text()).toBe(ALLOWED);
    expect(rig.api.taking().last?.reason).toBe('with it these cells did not come up: execution');
    expect(rig.reloads.length).toBe(1);
  });

  it('is gone again after a kill of the daemon, whenever it came', async () => {
    const { take } = daemon();
    await take();
    expect(leftTrial(folder)).toBe(true);
    expect(endFormerTrial(folder)).toMatchObject({
      outcome: 'put_back',
      reason: 'the daemon ended during the trial',
    });
    expect([text(), leftTrial(folder)]).toEqual([ALLOWED, false]);
    // The next daemon writes it into its log.
    const next = daemon();
    await next.settled();
    expect(next.states()).toEqual([['config.trial', 'put_back']]);
    expect(endFormerTrial(folder)).toBeUndefined();
  });

  it('is gone again in time where the cell of the API was killed before the daemon was asked to read it', async () => {
    await daemon().take();
    // The next cell finds the trial and has the daemon read the file.
    const next = daemon(null);
    await next.settled();
    expect(text()).toBe(TAKEN);
    next.clock.advance(30_000);
    await next.settled();
    expect(text()).toBe(ALLOWED);
    expect(next.states()).toEqual([['config.trial', 'put_back']]);
  });

  it('is put back later where the former file cannot be written at first', async () => {
    const { clock, settled, take } = daemon();
    await take();
    await settled();
    const blocked = `${file}.${process.pid}.tmp`;
    mkdirSync(blocked);
    clock.advance(30_000);
    await settled();
    expect(text()).toBe(TAKEN);
    rmSync(blocked, { recursive: true });
    clock.advance(10_000);
    await settled();
    expect(text()).toBe(ALLOWED);
  });

  it('stays where a person changed the file meanwhile', async () => {
    const rig = daemon();
    await rig.take();
    await rig.settled();
    writeFileSync(file, `${TAKEN}# by hand\n`);
    rig.clock.advance(30_000);
    await rig.settled();
    expect(text()).toBe(`${TAKEN}# by hand\n`);
    expect(rig.api.taking().last).toMatchObject({
      outcome: 'kept',
      reason: expect.stringContaining('by somebody else'),
    });
  });

  it('is a new file where there was none, and none again where it is put back', async () => {
    const rig = daemon(null, { AURAISON_API_TAKE_CONFIG: 'true' });
    await rig.take();
    expect(text()).toBe('[recorder]\nsync_interval = "1 s"\n');
    expect((await rig.api.view()).file).toBe(file);
    await rig.settled();
    rig.clock.advance(30_000);
    await rig.settled();
    expect(existsSync(file)).toBe(false);
    expect((await rig.api.view()).file).toBeUndefined();
  });
});

type Rig = ReturnType<typeof daemon>;

describe('no configuration is taken', () => {
  it('where the file of the robot does not allow it', async () => {
    const { api, take } = daemon(ALLOWED.replace('true', 'false'));
    await expect(take()).rejects.toMatchObject({ code: 'config.refused' });
    expect(api.taking()).toMatchObject({ allowed: false, reason: expect.stringContaining(file) });
    expect(text()).toContain('300 ms');
  });

  it.each([
    ['faults', '"3 m"', 'recorder.sync_interval: expected a duration'],
    ['no difference', '"300 ms"', 'does not differ'],
  ])('with %s', async (_, value, expected) => {
    const { take } = daemon();
    await expect(take(value)).rejects.toThrow(expected);
    expect(text()).toBe(ALLOWED);
    expect(leftTrial(folder)).toBe(false);
  });

  it('over a change that somebody made since it was checked, or during another trial', async () => {
    const { api, take } = daemon();
    const set = [{ key: 'recorder.sync_interval', value: '"1 s"' }];
    const how = { seen: (await api.check({ set })).seen, confirmMs: 30_000, by: 'ada' };
    writeFileSync(file, `${ALLOWED}# by hand\n`);
    await expect(api.take({ set }, how)).rejects.toThrow('was changed since it was checked');
    await take();
    await expect(take('"2 s"')).rejects.toThrow('on trial already');
  });

  it('twice at the same time', async () => {
    const { take } = daemon();
    const both = await Promise.allSettled([take(), take('"2 s"')]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('where the file is a pipe, which is not opened', async () => {
    const { api } = daemon();
    rmSync(file);
    execFileSync('mkfifo', [file]);
    const set = [{ key: 'recorder.sync_interval', value: '"1 s"' }];
    await expect(api.check({ set })).rejects.toMatchObject({ code: 'config.unreadable' });
  });

  it('where the file cannot be written: it stays, and no trial is left', async () => {
    const { api } = daemon();
    const set = [{ key: 'recorder.sync_interval', value: '"1 s"' }];
    const { seen } = await api.check({ set });
    mkdirSync(`${file}.${process.pid}.tmp`);
    await expect(api.take({ set }, { seen, confirmMs: 30_000, by: 'ada' })).rejects.toMatchObject({
      ...{ code: 'config.unreadable', hint: expect.stringContaining('auraison reload') },
    });
    expect([text(), leftTrial(folder)]).toEqual([ALLOWED, false]);
  });
});
