import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastGoodPolicies, PolicyBook, readPolicySource } from '../../adapters/cedar/index.ts';
import type { EdgeError, HookQuestion } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

let folder: string;
let kept: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policies-'));
  kept = join(folder, 'data', 'policy', 'last-good.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const POLICY = `@id("crew") permit (principal in Auraison::Role::"crew", action == Auraison::Action::"tool", resource);\n`;
const ENTITIES = JSON.stringify([
  { uid: { type: 'Auraison::Role', id: 'pilots' }, parents: [{ type: 'Auraison::Role', id: 'crew' }] },
]);

function write(policy: string, entities?: string): void {
  writeFileSync(join(folder, 'site.cedar'), policy);
  if (entities !== undefined) writeFileSync(join(folder, 'entities.json'), entities);
}

async function start(dir = folder) {
  const faults: { error: EdgeError; fallback: string }[] = [];
  const book = await PolicyBook.open({
    robot: 'tb1',
    clock: new ManualClock(),
    read: () => readPolicySource(dir, []),
    standing: ({ roles }) => ({ ok: true, roles }),
    lastGood: new LastGoodPolicies(kept, { dir, files: [] }, () => {}),
    onFault: (error, fallback) => faults.push({ error, fallback }),
  });
  return { book, faults };
}

const asks = (effect: string, roles = ['pilots']): HookQuestion => ({
  point: 'tool',
  subject: 'robot.navigate',
  context: { tenant: 'lab', principal: 'ada', roles, origin: 'api' },
  facts: {},
  about: { effect },
});

describe('a broken policy or entity file', () => {
  it.each([
    ['policy', 'permit (', ENTITIES, /site\.cedar:1: /],
    ['entity file', POLICY, '[{"uid": ', /entities\.json: .*JSON/],
    ['entity', POLICY, '[{"uid": {"type": "Auraison::Door", "id": "1"}}]', /entities\.json: \[0\]: /],
  ])(
    'at a start (%s) leaves the last good ones in force, and says so',
    async (_what, policy, entities, words) => {
      write(POLICY, ENTITIES);
      const before = await start();
      expect((await before.book.decide(asks('actuate'))).decision).toBe('allow');
      write(policy, entities);
      const { book, faults } = await start();
      expect(book.sha256).toBe(before.book.sha256);
      expect((await book.decide(asks('actuate'))).decision).toBe('allow');
      expect((await book.decide(asks('actuate', ['guest']))).decision).toBe('deny');
      expect(faults).toEqual([
        {
          error: expect.objectContaining({ message: expect.stringMatching(words) }),
          fallback: 'the last good policies',
        },
      ]);
      expect(book.view().reload_error).toMatch(words);
      write(POLICY, ENTITIES);
      await book.reload();
      expect(book.view().reload_error).toBeUndefined();
    },
  );

  it('at the first start of all allows nothing but to read; the file is named', async () => {
    write(POLICY, '{');
    const { book, faults } = await start();
    expect((await book.decide(asks('actuate', ['crew', 'operator']))).decision).toBe('deny');
    expect((await book.decide(asks('write', ['operator']))).decision).toBe('deny');
    expect((await book.decide(asks('read', ['operator']))).decision).toBe('allow');
    const [fault] = faults;
    expect([fault?.fallback, fault?.error.message]).toEqual([
      'nothing but reading and stopping',
      expect.stringContaining('entities.json'),
    ]);
    write(POLICY, ENTITIES);
    expect(await book.reload()).toBe(true);
    expect((await book.decide(asks('actuate'))).decision).toBe('allow');
  });

  it.each(['no folder', 'another folder'])(
    'after a start with %s is not saved by its policies',
    async (what) => {
      const other = join(folder, 'other');
      mkdirSync(other);
      writeFileSync(join(other, 'open.cedar'), '@id("all") permit (principal, action, resource);');
      const before = await start(what === 'no folder' ? '' : other);
      expect((await before.book.decide(asks('actuate', ['operator']))).decision).toBe('allow');
      write('permit (');
      const { book, faults } = await start();
      expect(faults[0]?.fallback).toBe('nothing but reading and stopping');
      expect((await book.decide(asks('actuate', ['operator']))).decision).toBe('deny');
    },
  );

  it('a copy that cannot be written whole leaves the one before', () => {
    const place = { dir: folder, files: [] };
    const source = (text: string) => ({
      policies: [{ file: 'site.cedar', text }],
      entities: { file: 'entities.json', text: '' },
    });
    mkdirSync(join(folder, 'data'));
    // A file system with a limit of its own for the size of files: what is larger is written in part.
    const script = `
      import { LastGoodPolicies } from './adapters/cedar/last-good.ts';
      process.on('SIGXFSZ', () => {});
      const kept = new LastGoodPolicies(${JSON.stringify(kept)}, ${JSON.stringify(place)}, (m) => console.log(m));
      kept.write(${JSON.stringify(source(POLICY))});
      kept.write(${JSON.stringify(source(POLICY + ' '.repeat(8_192)))});`;
    const run = spawnSync(
      'sh',
      ['-c', 'ulimit -f 4; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      { encoding: 'utf8', env: { ...process.env, NODE_NO_WARNINGS: '1' } },
    );
    expect(run.stdout).toMatch(/EFBIG/);
    const found = new LastGoodPolicies(kept, place, () => {}).read();
    expect(found).toEqual(source(POLICY));
    expect(existsSync(`${kept}.tmp`)).toBe(false);
  });

  it('is found by policy check, test and rejudge, which use the entities as the daemon does', () => {
    const config = join(folder, 'robot.toml');
    writeFileSync(
      config,
      `[daemon]\ndata_dir = ${JSON.stringify(join(folder, 'data'))}\n[policy]\ndir = ${JSON.stringify(folder)}\n`,
    );
    const cases = join(folder, 'cases.toml');
    writeFileSync(
      cases,
      '[[case]]\npoint = "tool"\nsubject = "robot.navigate"\nroles = ["pilots"]\nfacts = { x = 1.0, y = 1.0 }\nexpect = "allow"\n',
    );
    const cli = (...args: string[]) =>
      spawnSync(process.execPath, ['cli/main.ts', '--config', config, 'policy', ...args], {
        encoding: 'utf8',
        env: { ...process.env, NODE_NO_WARNINGS: '1' },
      });
    write(POLICY, ENTITIES);
    const check = cli('check');
    expect([check.status, check.stdout]).toEqual([0, expect.stringContaining('fine')]);
    const test = cli('test', cases);
    expect([test.status, test.stdout]).toEqual([0, expect.stringContaining('1 of 1 as expected')]);
    write(POLICY, '{');
    for (const args of [['check'], ['test', cases], ['rejudge', '--since', '1h']]) {
      const { status, stderr } = cli(...args);
      expect([args[0], status, stderr]).toEqual([args[0], 1, expect.stringContaining('entities.json')]);
    }
  });
});
