import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  digestOf,
  type FilesResult,
  faultText,
  makeArchive,
  PackageStore,
  readArchive,
  readPackageFiles,
  signDigest,
  trustedKey,
} from '../../adapters/packages/index.ts';
import { templateFiles } from '../../cli/app/templates.ts';
import { APP_LIMITS, type PackageFile } from '../../contract/index.ts';
import { appsOnDisk, judgeWhole, readPackage } from '../../daemon/compose/package-reader.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';
import { readTar, writeTar } from '../../formats/tar/index.ts';
import { packageApp, packageFaults } from '../support/package-app.ts';

const ANYBODY = { keys: new Map(), requireSigned: false };
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'auraison-app-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function folder(name: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [path, body] of Object.entries(files)) {
    mkdirSync(join(root, name, path, '..'), { recursive: true });
    writeFileSync(join(root, name, path), body);
  }
  return join(root, name);
}

function template(kind: 'flow' | 'pi' | 'remote', name = 'patrol'): Record<string, string> {
  return Object.fromEntries(
    templateFiles(name, kind).map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]),
  );
}

const file = (path: string, text = 'x'): PackageFile => ({ path, bytes: new TextEncoder().encode(text) });
const problems = (read: FilesResult) => (read.ok ? [] : read.faults.map(faultText));
const faultsOf = (files: Readonly<Record<string, string>>, kind: 'flow' | 'pi' = 'flow') => {
  const read = readPackage(folder('one', { ...template(kind), ...files }), ANYBODY);
  return read.ok ? [] : read.faults.map(faultText);
};

it.each(['flow', 'pi', 'remote'] as const)(
  'what app new makes for %s is a package, and its archive is the same package',
  (kind) => {
    const read = readPackage(folder('patrol', template(kind)), ANYBODY);
    if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
    const again = judgeWhole(readArchive(makeArchive(read.pkg.files)), ANYBODY);
    expect(again.ok && again.pkg.digest).toBe(read.pkg.digest);
    expect(makeArchive(read.pkg.files)).toEqual(makeArchive(read.pkg.files));
    expect(read.make('/somewhere')).toMatchObject({ name: 'patrol', harness: kind, folder: '/somewhere' });
  },
);

it('every unknown key is told with its line and what was probably meant, and the other faults with it', () => {
  const toml = template('flow')['app.toml']!;
  const broken = toml.replace('harness =', 'harnes =').replace('minimum = 0.1', 'minimun = 0.1');
  expect(faultsOf({ 'app.toml': broken })).toEqual([
    expect.stringMatching(/^app\.toml:4: harnes: is not known; did you mean harness\?/),
    expect.stringMatching(/^app\.toml: harness: missing/),
  ]);
  const schema = toml.replace('minimum = 0.1', 'pattern = "(a+)+$"');
  expect(faultsOf({ 'app.toml': schema })[0]).toMatch(
    /^app\.toml:\d+: intents\[1\]\.params: .*pattern: no word of these/,
  );
});

it.each([
  ['no TOML at all', { 'app.toml': 'name = "x' }, /^app\.toml:1: /],
  [
    'a version that is none',
    { 'app.toml': template('flow')['app.toml']!.replace('0.1.0', '1.0') },
    /^app\.toml:2: version: /,
  ],
  ['no flow', { 'flow.yaml': '' }, /^flow\.yaml: /],
  ['an alias', { 'flow.yaml': 'a: &a [1]\nb: *a\n' }, /anchors, aliases and tags/],
  [
    'an unknown step key',
    { 'flow.yaml': 'steps:\n  - id: a\n    ended: succeeded\n' },
    /^flow\.yaml:3: steps\[1\]\.ended: is not known; did you mean end\?/,
  ],
  [
    'a tool that is not named',
    { 'flow.yaml': 'steps:\n  - id: a\n    tool: arm.move\n  - id: b\n    end: failed\n' },
    /^flow\.yaml:3: steps\[1\]\.tool: "arm\.move" is not among tools/,
  ],
  [
    'a step that leads nowhere',
    { 'flow.yaml': 'steps:\n  - id: a\n    wait: 1 s\n    next: c\n  - id: b\n    end: failed\n' },
    /steps\[1\]\.next: "c" is no step/,
  ],
  [
    'a parameter that no intent has',
    {
      'flow.yaml':
        'steps:\n  - id: a\n    tool: robot.maneuver\n    args: { x: "{/params/feet}" }\n  - id: b\n    end: failed\n',
    },
    /\{\/params\/feet\} is no parameter of an intent: metres/,
  ],
  ['a skill that is none', { 'skills/fast/SKILL.md': 'go' }, /^skills\/fast\/SKILL\.md: /],
  [
    'an extension that Node cannot run',
    { 'extensions/odd.ts': 'enum A { B }\nexport default () => {};' },
    /^extensions\/odd\.ts: is no TypeScript/,
  ],
] as const)('%s is one clear fault', (_name, files, words) => {
  expect(faultsOf(files as Record<string, string>)[0]).toMatch(words);
});

const TREE =
  '<root BTCPP_format="4" main_tree_to_execute="Main"><BehaviorTree ID="Main"><Wait wait_duration="1"/></BehaviorTree></root>';
const withFlow = (name: string) =>
  template('flow')['app.toml']!.replace('harness = "flow"', `harness = "flow"\nflow = "${name}"`);

it.each([
  ['tree.xml', { 'tree.xml': TREE }],
  ['trees/main.xml', { 'trees/main.xml': TREE }],
  ['steps.yaml', { 'steps.yaml': template('flow')['flow.yaml']!, 'flow.yaml': 'steps: []' }],
])('app.toml may name the file of its flow: %s', (name, files) => {
  const made = packageApp({ 'app.toml': withFlow(name), ...files });
  expect(made.flow?.name).toBe('patrol');
});

it.each([
  ['that is not there', 'tree.xml', {}, /^tree\.xml: is missing/],
  ['that is broken', 'tree.xml', { 'tree.xml': '<root BTCPP_format="3"/>' }, /^tree\.xml:1: /],
  [
    'whose step leads nowhere',
    'steps.yaml',
    { 'steps.yaml': 'steps:\n  - id: a\n    wait: 1 s\n    next: c\n  - id: b\n    end: failed\n' },
    /^steps\.yaml:4: steps\[1\]\.next: "c" is no step/,
  ],
  ['of another kind', 'flow.json', {}, /^app\.toml:5: flow: /],
])('the file of a flow %s is one clear fault', (_what, name, files, words) => {
  expect(packageFaults({ 'app.toml': withFlow(name), ...files })).toMatch(words);
});

it('a folder is read no further than its limits, and never beyond itself', () => {
  const link = folder('link', template('flow'));
  symlinkSync('/etc/hostname', join(link, 'data.txt'));
  expect(problems(readPackageFiles(link))).toEqual([expect.stringMatching(/^data\.txt: is a link/)]);
  const many = folder('many', template('flow'));
  for (let i = 0; i < 10_000; i++) writeFileSync(join(many, `f${i}`), '');
  expect(problems(readPackageFiles(many))).toEqual([expect.stringMatching(/more than 512 files/)]);
  const huge = folder('huge', {
    ...template('flow'),
    'big.bin': new Uint8Array(APP_LIMITS.FILE_BYTES_MAX + 1),
  });
  expect(problems(readPackageFiles(huge))).toEqual([expect.stringMatching(/^big\.bin: has \d+ bytes/)]);
  const deep = folder('deep', { ...template('flow'), [`${'d/'.repeat(12)}x`]: 'x' });
  expect(problems(readPackageFiles(deep))).toEqual([expect.stringMatching(/folders may be 8 deep/)]);
  expect(problems(readPackageFiles(join(root, 'nothing')))).toHaveLength(1);
});

it('hidden files and node_modules are no part of a package', () => {
  const plain = readPackageFiles(folder('plain', template('flow')));
  const more = readPackageFiles(
    folder('more', { ...template('flow'), '.git/config': 'x', 'node_modules/a/b.js': 'x' }),
  );
  if (!plain.ok || !more.ok) throw new Error('both are packages');
  expect(digestOf(more.files)).toBe(digestOf(plain.files));
  const other = readPackageFiles(folder('other', { ...template('flow'), 'flow.yaml': 'steps: []' }));
  expect(other.ok && digestOf(other.files)).not.toBe(digestOf(plain.files));
});

it.each([
  ['../../evil.ts', 'leads out'],
  ['package/../../evil.ts', 'leads out'],
  ['/etc/evil', 'leads out'],
  ['a\\..\\b', 'character'],
])('an archive with %s is refused and writes nothing', (path, words) => {
  const archive = gzipSync(writeTar([file('app.toml'), file(path)]));
  expect(problems(readArchive(archive))[0]).toContain(words);
});

it('an archive that unfolds to gigabytes, has links, is cut off or is none is refused', () => {
  const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(100_000);
  expect(problems(readArchive(bomb))[0]).toMatch(/unfolds to more than/);
  const crowd = gzipSync(writeTar(Array.from({ length: 10_000 }, (_, i) => file(`f${i}`, ''))));
  expect(problems(readArchive(crowd))[0]).toMatch(/more than 512 files/);
  const tar = writeTar([file('app.toml', 'x'.repeat(2_000))]);
  const linked = tar.slice();
  linked[156] = '2'.charCodeAt(0);
  const sum = linked.slice(0, 512).reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
  linked.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  expect(problems(readArchive(gzipSync(linked)))[0]).toMatch(/is a link/);
  expect(problems(readArchive(gzipSync(tar.slice(0, 1_024))))[0]).toMatch(/truncated/);
  expect(problems(readArchive(new TextEncoder().encode('no archive')))[0]).toMatch(/no gzipped tar/);
  for (let flips = 0; flips < 500; flips++) {
    const odd = tar.slice();
    odd[(flips * 7_919) % 1_024] = (flips * 31) % 256;
    expect(() => readTar(odd, { filesMax: 8, fileBytesMax: 4_096 })).not.toThrow();
  }
});

it('long names survive an archive', () => {
  const files = [file(`${'folder/'.repeat(12)}${'n'.repeat(60)}.txt`, 'far')];
  const read = readTar(writeTar(files), { filesMax: 8, fileBytesMax: 4_096 });
  expect(read.ok && read.files.map(({ path }) => path)).toEqual(files.map(({ path }) => path));
});

it('only a trusted signature of exactly these files counts', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const keys = new Map([
    ['acme', trustedKey(publicKey.export({ type: 'spki', format: 'pem' }) as string, 'acme')],
  ]);
  const rules = { keys, requireSigned: true };
  const files = template('flow');
  const unsigned = readPackage(folder('signed', files), rules);
  expect(!unsigned.ok && unsigned.faults.map(faultText)).toEqual([
    expect.stringMatching(/^app\.sig: is missing/),
  ]);
  const read = readPackageFiles(join(root, 'signed'));
  if (!read.ok) throw new Error('it is a package');
  writeFileSync(join(root, 'signed', 'app.sig'), signDigest(digestOf(read.files), pem));
  const signed = readPackage(join(root, 'signed'), rules);
  expect(signed.ok && signed.pkg.signedBy).toBe('acme');
  writeFileSync(join(root, 'signed', 'README.md'), 'changed after it was signed');
  const changed = readPackage(join(root, 'signed'), rules);
  expect(!changed.ok && changed.faults.map(faultText)).toEqual([expect.stringMatching(/of no trusted key/)]);
});

it('a kept version is what its digest says, also after somebody changed it by hand', () => {
  const read = readPackage(folder('patrol', template('flow')), ANYBODY);
  if (!read.ok) throw new Error('it is a package');
  const store = new PackageStore(join(root, 'data'));
  const kept = store.keep(read.pkg);
  rmSync(join(kept, 'flow.yaml'));
  writeFileSync(join(kept, 'flow.yaml'), 'steps: []');
  expect(readPackage(store.keep(read.pkg), ANYBODY)).toMatchObject({
    ok: true,
    pkg: { digest: read.pkg.digest },
  });
  store.install(read.pkg, 'here', undefined);
  expect(store.lock()).toMatchObject({ patrol: { version: '0.1.0', digest: read.pkg.digest } });
  expect([store.remove('patrol'), store.remove('patrol')]).toEqual([true, false]);
});

it('a path that is a file and a folder at once is refused before anything is written', () => {
  const files = [...templateFiles('patrol', 'flow'), file('a'), file('a/b')];
  expect(problems(readArchive(makeArchive(files)))).toEqual(['a/b: lies below a, which is a file']);
});

it.each(['{}', 'null', '{"apps":null}', '{"apps":{"patrol":null}}', '{"apps":{"../x":{"digest":"1"}}}', 'x'])(
  'a lock that says %s is a damaged one, and the hint says how to go on',
  (text) => {
    mkdirSync(join(root, 'apps'), { recursive: true });
    writeFileSync(join(root, 'apps', 'lock.json'), text);
    const read = () => new PackageStore(root).lock();
    expect(read).toThrow(/lock\.json is damaged/);
    expect(read).toThrow(
      expect.objectContaining({ code: 'config.invalid', hint: expect.stringMatching(/^delete it/) }),
    );
  },
);

it('a key or a lock that cannot be read is a line of the list, and the other packages are there', () => {
  const dir = folder('packages/patrol', template('flow'));
  mkdirSync(join(root, 'data', 'apps'), { recursive: true });
  writeFileSync(join(root, 'data', 'apps', 'lock.json'), '{}');
  const text = `[apps]\ndirs = ["${dir}"]\ntrusted_keys = ["${join(root, 'nobody.pub')}"]\n`;
  const { config, faults } = readConfig(text, 'robot.toml', {});
  expect(faults).toEqual([]);
  const views = appsOnDisk({ config, dataDir: join(root, 'data') } as Settings).filter(
    ({ source }) => source !== 'shipped',
  );
  expect(views.map(({ name, state, reason }) => [name, state, reason])).toEqual([
    ['patrol', 'loaded', ''],
    ['trusted_keys', 'bad', expect.stringContaining(`${join(root, 'nobody.pub')}`)],
    ['installed', 'bad', expect.stringContaining('lock.json is damaged')],
  ]);
});

it('says of each wrong key of app.toml what it is, all at once', () => {
  const text = template('flow')['app.toml']!.replace('"0.1.0"', '"0.2"').replace('"10 min"', '"10 m"');
  expect(faultsOf({ 'app.toml': text })).toEqual([
    'app.toml:2: version: is no semantic version, for example 0.1.0, found "0.2"',
    expect.stringMatching(
      /^app\.toml:\d+: deadline: is no time with its unit \(ms, s, min, h\), .*found "10 m"$/,
    ),
  ]);
});

it('says what is missing beside what is wrong', () => {
  const text = template('flow')
    ['app.toml']!.replace('"0.1.0"', '"0.2"')
    .replace(/^description = .*$/m, '');
  expect(faultsOf({ 'app.toml': text }).toSorted()).toEqual([
    'app.toml: description: missing',
    'app.toml:2: version: is no semantic version, for example 0.1.0, found "0.2"',
  ]);
});

it('the outer loop of docs/write-an-app.md is one that a package may have', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/write-an-app.md'), 'utf8');
  const [, loop = ''] = /### Outer loop\n+```toml\n([\s\S]*?)```/.exec(page) ?? [];
  expect(loop).toContain('[[loop.check]]');
  const app = template('flow')['app.toml']!.replace('tools = [', 'tools = ["mcp.lab.*", ');
  expect(faultsOf({ 'app.toml': `${app}\n${loop}` })).toEqual([]);
});
