import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type AppView, EdgeError, type PackageFile } from '../../contract/core.ts';
import type { CaseResult } from '../app/test-package.ts';
import { action, type CommandContext, type GlobalOptions } from '../context.ts';
import { table } from '../output.ts';
import { importApps } from './app-import.ts';

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const RELOAD_MS = 60_000;

/** Packages are read by libraries that other commands do not need: they are loaded when one is asked for. */
export function addAppCommands(program: Command): void {
  const app = program
    .command('app')
    .description('applications as folders of files: make, check, install, test, take out')
    .addHelpText(
      'after',
      `
Examples:
  auraison app new patrol                 a folder with everything an application needs
  auraison app check patrol && auraison app test patrol
  auraison app install patrol             into the data directory; a running daemon takes it at once
  auraison intent send patrol/drive --wait
  auraison app list`,
    );
  app
    .command('new <name>')
    .description('make a package that works as it is')
    .option('--dir <folder>', 'where its folder is made', '.')
    .option(
      '--harness <flow|pi|remote>',
      'a flow of steps, an agent with a model, or a program of yours',
      'flow',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app new patrol\n  auraison app new guide --harness pi --dir ~/apps',
    )
    .action(action(newApp));
  app
    .command('import <from...>')
    .description('make packages of agents and skills of Claude Code, and say what could not be taken over')
    .option('--dir <folder>', 'where the folders of the packages are made', '.')
    .option('--tools <names>', 'tools of the robot that they may use, by name or pattern, with commas')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app import .claude\n  auraison app import .claude/agents/guide.md --tools robot.state,robot.navigate\n  auraison app import .claude/skills/inspect --dir ~/apps',
    )
    .action(action(importApps));
  app
    .command('check [folder]')
    .description('judge a folder or tarball, with file, line and key of every fault; runs nothing of it')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app check patrol\n  auraison app check patrol-0.1.0.tgz --json',
    )
    .action(action(checkApp));
  app
    .command('install <package>')
    .description(
      'put a folder, a tarball or an npm package (npm:NAME) into the data directory, pinned by its digest',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app install patrol\n  auraison app install patrol-0.1.0.tgz\n  auraison app install npm:@acme/patrol@1.2.0',
    )
    .action(action(installApp));
  app
    .command('list')
    .description('every application, where it comes from, and why one is not offered')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app list\n  auraison app list --json | jq \'.apps[] | select(.state == "bad")\'',
    )
    .action(action(listApps));
  app
    .command('reload [name]')
    .description('have the daemon read all packages again; active runs keep what they started with')
    .addHelpText(
      'after',
      '\nWith a name, a package whose module ended the runtime cell is loaded again.\n\nExamples:\n  auraison app reload\n  auraison app reload patrol',
    )
    .action(action(reloadApps));
  app
    .command('test [package]')
    .description('run its tests: cases of tests/*.toml on a simulated robot, tests/*.test.ts by Node')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app test patrol\n  auraison app test guide --config robot.toml',
    )
    .action(action(testApp));
  app
    .command('remove <name>')
    .description('take an installed package out; its active runs continue to their end')
    .addHelpText('after', '\nExample:\n  auraison app remove patrol')
    .action(action(removeApp));
  app
    .command('pack [folder]')
    .description('make a tarball NAME-VERSION.tgz of it, signed where a key is given')
    .option('--out <file>', 'the tarball')
    .option('--key <file>', 'private Ed25519 key (PEM) that signs it')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison app pack patrol\n  openssl genpkey -algorithm ed25519 -out acme.key\n  auraison app pack patrol --key acme.key --out patrol.tgz',
    )
    .action(action(packApp));
}

async function newApp(
  { out }: CommandContext,
  name: string,
  { dir, harness }: { readonly dir: string; readonly harness: string },
): Promise<number> {
  if (!NAME.test(name) || name.length > 48)
    throw wrong(
      'new',
      name,
      `"${name}" is no name of a package`,
      'lower-case words with dashes, for example night-patrol',
    );
  if (harness !== 'flow' && harness !== 'pi' && harness !== 'remote')
    throw wrong(
      'new',
      harness,
      `there is no harness "${harness}"`,
      'flow: steps in a file; pi: an agent with a model; remote: a program of yours',
    );
  const { templateFiles } = await import('../app/templates.ts');
  const folder = resolve(dir, name);
  if (existsSync(folder))
    throw wrong('new', folder, `${folder} is there already`, 'choose another name, or --dir');
  const files = templateFiles(name, harness);
  const spec = dir === '.' ? name : folder;
  write(folder, files);
  out.result({ name, folder, files: files.map(({ path }) => path) }, () =>
    [
      `made ${folder}`,
      ...files.map(({ path }) => `  ${path}`),
      `next: auraison app check ${spec}${harness === 'remote' ? `, and ${spec}/README.md` : ` && auraison app test ${spec}`}`,
    ].join('\n'),
  );
  return 0;
}

async function checkApp({ out, settings }: CommandContext, folder = '.'): Promise<number> {
  const { judged } = await import('../app/read.ts');
  const { faultText } = await import('../../adapters/packages/index.ts');
  const { casesOf } = await import('../app/cases.ts');
  const read = judged(folder, settings);
  const faults = read.ok ? casesOf(read).faults : read.faults;
  if (!read.ok || faults.length > 0) {
    out.result({ valid: false, faults }, () => faults.map((fault) => faultText(fault)).join('\n'));
    return 1;
  }
  const { manifest, digest, signedBy } = read.pkg;
  const { name, version, harness, intents } = manifest;
  const types = intents.map(({ type }) => type);
  const { missingFor } = await import('../../daemon/compose/models.ts');
  // The package is right; what this robot lacks for it is said beside.
  const missing = missingFor(read.make(folder), settings.config);
  const { treeNotes } = await import('../../daemon/compose/flow-of.ts');
  const notes = treeNotes(read.pkg);
  const shown = { valid: true, name, version, harness, digest, signed_by: signedBy ?? '', intents: types };
  out.result({ ...shown, missing_models: missing ?? null, notes }, () =>
    [
      `${name} ${version} is fine: ${harness}, ${types.join(', ')}`,
      `  digest ${digest}`,
      `  ${signedBy === undefined ? 'not signed by a trusted key' : `signed by ${signedBy}`}`,
      ...(missing ? [`  models: ${missing.reason}`, `  fix: ${missing.fix}`] : []),
      ...codeNote(read.pkg.files),
      ...notes.map((note) => `  note  ${faultText(note)}`),
    ].join('\n'),
  );
  return 0;
}

/** Code that would have the rights of the daemon is named before it runs. */
function codeNote(files: readonly PackageFile[]): readonly string[] {
  const code = files
    .map(({ path }) => path)
    .filter((path) => path.endsWith('.ts') && !path.startsWith('tests/'));
  if (code.length === 0) return [];
  return [
    `  without a sandbox: ${code.join(', ')} run in the daemon, with its rights; apps.modules says whose may`,
  ];
}

async function installApp(context: CommandContext, spec: string): Promise<number> {
  const { out, settings } = context;
  const { goodPackage } = await import('../app/read.ts');
  const { PackageStore } = await import('../../adapters/packages/index.ts');
  const { pkg, signature } = goodPackage(spec, settings);
  const { name, version } = pkg.manifest;
  const row = new PackageStore(settings.dataDir).install(pkg, spec, signature);
  const taken = await reloadIfUp(context);
  const view = taken?.find((one) => one.name === name);
  const state = view?.state ?? 'not running';
  out.result({ name, ...row, state, reason: view?.reason ?? '' }, () =>
    [
      `installed ${name} ${version} (${pkg.digest.slice(0, 12)})`,
      ...codeNote(pkg.files),
      view === undefined
        ? '  no daemon answers: it is taken when one starts; auraison app list shows whether it was'
        : view.reason !== ''
          ? `  the daemon does not take it: ${view.reason}`
          : `  the daemon has it: auraison intent send ${view.intents[0]} --wait`,
    ].join('\n'),
  );
  return view !== undefined && (view.state === 'bad' || view.reason !== '') ? 1 : 0;
}

async function listApps(context: CommandContext): Promise<number> {
  const { settings, api } = context;
  try {
    return shown(context, (await api.get<{ apps: readonly AppView[] }>('/v1/apps')).apps);
  } catch (thrown) {
    if (!(thrown instanceof EdgeError) || thrown.code !== 'cell.unavailable') throw thrown;
  }
  const { appsOnDisk } = await import('../../daemon/compose/package-reader.ts');
  context.out.note('no daemon answers: this is what the next one would load');
  return shown(context, appsOnDisk(settings));
}

async function testApp(
  { out, settings }: CommandContext,
  spec: string | undefined,
  _options: unknown,
  command: Command,
): Promise<number> {
  const { goodPackage } = await import('../app/read.ts');
  const { testPackage } = await import('../app/test-package.ts');
  const read = goodPackage(spec ?? '.', settings, { requireSigned: false, modules: 'any' });
  const { config } = command.optsWithGlobals<GlobalOptions>();
  const results = await testPackage(read, settings, { config, note: out.note });
  const failed = results.filter(({ ok }) => !ok).length;
  out.result({ name: read.pkg.manifest.name, passed: results.length - failed, failed, results }, () =>
    testText(results),
  );
  return failed > 0 || results.length === 0 ? 1 : 0;
}

async function removeApp(context: CommandContext, name: string): Promise<number> {
  const { PackageStore } = await import('../../adapters/packages/index.ts');
  const store = new PackageStore(context.settings.dataDir);
  if (!store.remove(name)) {
    const known = Object.keys(store.lock()).join(', ') || 'none';
    throw wrong(
      'remove',
      name,
      `no package ${name} is installed here`,
      `installed: ${known}; auraison app list shows where others come from`,
    );
  }
  const taken = await reloadIfUp(context);
  context.out.result({ name, removed: true, running: taken !== undefined }, () => `removed ${name}`);
  return 0;
}

async function packApp(
  { out, settings }: CommandContext,
  folder: string | undefined,
  { out: target, key }: { readonly out?: string; readonly key?: string },
): Promise<number> {
  const { goodPackage } = await import('../app/read.ts');
  const { makeArchive, SIGNATURE_FILE, signDigest } = await import('../../adapters/packages/index.ts');
  const { pkg, signature } = goodPackage(folder ?? '.', settings, { requireSigned: false, modules: 'any' });
  const made = key === undefined ? signature : signDigest(pkg.digest, keyText(key));
  const sig: readonly PackageFile[] =
    made === undefined ? [] : [{ path: SIGNATURE_FILE, bytes: new TextEncoder().encode(`${made}\n`) }];
  const file = resolve(target ?? `${pkg.manifest.name}-${pkg.manifest.version}.tgz`);
  const archive = makeArchive([...pkg.files, ...sig]);
  writeFileSync(file, archive);
  out.result(
    { file, bytes: archive.length, digest: pkg.digest, signed: made !== undefined },
    () =>
      `${file}: ${archive.length} bytes, digest ${pkg.digest.slice(0, 12)}, ${made === undefined ? 'not signed' : 'signed'}`,
  );
  return 0;
}

function keyText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw wrong(
      'pack',
      path,
      `the key cannot be read: ${(cause as Error).message}`,
      'openssl genpkey -algorithm ed25519 -out my.key',
    );
  }
}

async function reloadApps(context: CommandContext, name: string | undefined): Promise<number> {
  return shown(context, await reload(context, name));
}

async function reload({ api }: CommandContext, name?: string): Promise<readonly AppView[]> {
  const path = name === undefined ? '/v1/apps/reload' : `/v1/apps/reload?app=${encodeURIComponent(name)}`;
  return (await api.post<{ apps: readonly AppView[] }>(path, {}, RELOAD_MS)).apps;
}

/** Undefined: no daemon is up. */
async function reloadIfUp(context: CommandContext): Promise<readonly AppView[] | undefined> {
  try {
    return await reload(context);
  } catch (thrown) {
    if (thrown instanceof EdgeError && thrown.code === 'cell.unavailable') return undefined;
    throw thrown;
  }
}

/** 1 where one is not as its owner wants it. */
function shown({ out }: CommandContext, apps: readonly AppView[]): number {
  out.result({ apps }, () =>
    [
      table(
        ['APPLICATION', 'VERSION', 'HARNESS', 'FROM', 'DIGEST', 'STATE', 'INTENTS'],
        apps.map(({ name, version, harness, source, digest, state, reason, intents }) => [
          name,
          version,
          harness,
          source,
          digest.slice(0, 12) || '-',
          reason === '' ? state : `${state}: see below`,
          intents.join(' '),
        ]),
      ),
      ...apps.flatMap(({ name, folder, state, reason }) =>
        reason === '' ? [] : [`${state}: ${name} (${folder}): ${reason}`],
      ),
    ].join('\n'),
  );
  return apps.some(({ state, reason }) => reason !== '' && state !== 'off') ? 1 : 0;
}

function testText(results: readonly CaseResult[]): string {
  if (results.length === 0) return 'it has no tests: tests/*.toml with [[cases]], or tests/*.test.ts';
  return results
    .flatMap(({ ok, file, name, moved, problems }) => [
      `${ok ? 'ok  ' : 'FAIL'} ${file}: ${name}${moved === undefined ? '' : ` (${moved} m)`}`,
      ...problems.map((problem) => `     ${problem}`),
    ])
    .join('\n');
}

function write(folder: string, files: readonly PackageFile[]): void {
  for (const { path, bytes } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

function wrong(operation: string, subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: `app ${operation}`, subject, message, hint });
}
