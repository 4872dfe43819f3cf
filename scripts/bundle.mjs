// npm run bundle -- --out DIR: one folder that holds all a robot runs, without what only developers need. It is
// copied to a robot as it stands (rsync, tar): no npm, no compiler and no network are needed there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { contentFaults } from './bundle/contents.mjs';
import { projectFiles } from './bundle/project-files.mjs';
import { reasonToLeave, zeromqAddon } from './bundle/rules.mjs';
import { walk } from './bundle/walk.mjs';
import { lockId, root } from './install.mjs';
import { pack } from './pack/pack.mjs';

const HELP = `npm run bundle -- --out DIR [--arch x64|arm64] [--gpu] [--force] [--json]

Makes DIR: all that a robot runs. Copy it there and type DIR/bin/auraison.

  --out DIR   the folder; it must not exist, or be empty
  --arch      the processor of the robot: x64 or arm64; this host has ${process.arch}. For another one npm 10 is needed
  --gpu       with CUDA and TensorRT of ONNX Runtime, where the installed package has them
  --force     replace DIR where it is a bundle
  --json      the account as JSON

Examples:
  npm run bundle -- --out /tmp/auraison-edge
  rsync -a /tmp/auraison-edge/ robot:/opt/auraison-edge/ && ssh robot sudo /opt/auraison-edge/bin/auraison service install`;

const LIBC = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';

class Refused extends Error {}

const begin = Date.now();
try {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      arch: { type: 'string', default: process.arch },
      gpu: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) console.log(HELP);
  else report(await bundle(values), values.json);
} catch (error) {
  console.error(`bundle: ${error.message}`);
  if (!(error instanceof Refused) && error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
    console.error(error.stack);
  process.exit(1);
}

async function bundle({ out, arch, gpu, force }) {
  if (!['x64', 'arm64'].includes(arch)) throw new Refused(`--arch ${arch}: one of x64, arm64`);
  if (!out) throw new Refused('--out DIR is missing; see npm run bundle -- --help');
  const target = resolve(out);
  makeWayFor(target, force);
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(join(dirname(target), '.bundle-'));
  try {
    say(`the project's own files ...`);
    for (const file of projectFiles()) copy(join(root, file), join(work, file));
    say('packages from package-lock.json ...');
    npmCi(work, arch);
    // Packages of another processor cannot be tried here; the rules are the same for both.
    const before = arch === process.arch ? importable(work) : undefined;
    const left = prune(join(work, 'node_modules'), { arch, zeromq: addonOf(work, arch), gpu });
    const symbols = strip(join(work, 'node_modules'), arch);
    if (symbols > 0) left['symbols of binaries'] = symbols;
    const broken = before ? importable(work).missing.filter((name) => before.found.includes(name)) : [];
    if (broken.length > 0)
      throw new Refused(
        `after pruning these can no longer be imported: ${broken.join(', ')}; correct scripts/bundle/rules.mjs`,
      );
    say('the sources once more in few files, which start faster ...');
    await pack({ out: join(work, 'packed'), up: '../' });
    const faults = contentFaults(work, arch);
    if (faults.length > 0)
      throw new Refused(
        `these do not belong into a bundle for ${arch}; correct scripts/bundle/rules.mjs:\n${faults.slice(0, 20).join('\n')}`,
      );
    writeFileSync(join(work, 'node_modules', '.auraison-run'), lockId());
    const account = { ...manifest(work, arch), left };
    if (existsSync(target)) rmSync(target, { recursive: true });
    chmodSync(work, 0o755);
    renameSync(work, target);
    return { out: target, seconds: (Date.now() - begin) / 1000, ...account };
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
}

function makeWayFor(target, force) {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new Refused(`${target} is a file; name a folder`);
  if (readdirSync(target).length === 0) return;
  if (!existsSync(join(target, 'BUNDLE.json')))
    throw new Refused(`${target} is not empty and no bundle; name another folder`);
  if (!force) throw new Refused(`${target} is a bundle already; --force replaces it`);
}

function npmCi(folder, arch) {
  const flags = [
    'ci',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--prefer-offline',
    ...(arch === process.arch ? [] : ['--os=linux', `--cpu=${arch}`, `--libc=${LIBC}`]),
  ];
  const { status, stdout, stderr, error } = spawnSync('npm', flags, { cwd: folder, encoding: 'utf8' });
  if (error) throw new Refused(`npm cannot be started (${error.message}); install Node 20 or later with npm`);
  if (status !== 0) throw new Refused(`npm ci failed (exit ${status})\n${stdout}${stderr}`);
}

function nodePath(folder) {
  return join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
}

/** Every package that a source of this project imports, tried in the folder: pruning may break none. */
function importable(folder) {
  const names = new Set();
  for (const path of walk(folder)) {
    if (path.startsWith('node_modules/') || !path.endsWith('.ts')) continue;
    const text = readFileSync(join(folder, path), 'utf8');
    for (const [, name] of text.matchAll(/^import (?!type )[^;]*?'((?!node:)[@\w][^']*)';/gm))
      names.add(name);
    for (const [, name] of text.matchAll(/\bimport\('((?!node:)[@\w][^']*)'\)/g)) names.add(name);
  }
  const script = `const found = [], missing = [];
for (const name of ${JSON.stringify([...names].sort())}) await import(name).then(() => found.push(name), () => missing.push(name));
process.stdout.write('\\n' + JSON.stringify({ found, missing }), () => process.exit(0));`;
  const probe = join(folder, 'importable.mjs');
  writeFileSync(probe, script);
  const { stdout, stderr } = spawnSync(nodePath(folder), [probe], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 300_000,
  });
  rmSync(probe);
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch {
    throw new Refused(`packages cannot be tried: ${stderr.slice(0, 2_000)}`);
  }
}

function addonOf(folder, arch) {
  const modules = join(folder, 'node_modules');
  const addons = join(modules, 'zeromq', 'build', 'linux', arch, 'node');
  if (!existsSync(addons)) return undefined;
  const header = join(modules, `node-linux-${arch}`, 'include', 'node', 'node_version.h');
  const abi = /^#define NODE_MODULE_VERSION (\d+)$/m.exec(readFileSync(header, 'utf8'));
  return zeromqAddon(readdirSync(addons), Number(abi[1]), LIBC);
}

/** Bytes that `strip` of binutils saves; none where it is not installed. What is signed or odd stays as it is. */
function strip(modules, arch) {
  const triple = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[arch];
  const tool = [...(arch === process.arch ? ['strip'] : []), `${triple}-strip`, 'llvm-strip'].find(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
  if (tool === undefined) {
    say(
      `strip for ${arch} (binutils-${triple.replace('_', '-')}) is not installed: symbols of binaries stay, about 30 MB`,
    );
    return 0;
  }
  const binaries = walk(modules).filter((path) => /(?:\.node|\.so(?:\.[\d.]+)?|\/bin\/node)$/.test(path));
  return binaries.reduce((saved, path) => {
    const file = join(modules, path);
    if (lstatSync(file).isSymbolicLink()) return saved;
    const stripped = `${file}.stripped`;
    const { status } = spawnSync(tool, ['--strip-unneeded', '-o', stripped, file]);
    const gain = status === 0 ? lstatSync(file).size - lstatSync(stripped).size : 0;
    if (gain > 0) renameSync(stripped, file);
    else rmSync(stripped, { force: true });
    return saved + Math.max(0, gain);
  }, 0);
}

/** Removes what no robot reads; returns bytes by reason. */
function prune(modules, target) {
  const left = {};
  for (const path of walk(modules)) {
    const reason = reasonToLeave(path.split('node_modules/').at(-1), target);
    if (reason === undefined) continue;
    const file = join(modules, path);
    left[reason] = (left[reason] ?? 0) + lstatSync(file).size;
    rmSync(file);
  }
  dropDeadLinks(modules);
  dropEmptyFolders(modules);
  evenModes(modules);
  return left;
}

function dropDeadLinks(folder) {
  for (const path of walk(folder)) {
    const file = join(folder, path);
    if (lstatSync(file).isSymbolicLink() && !existsSync(file)) rmSync(file);
  }
}

/** Packages come with the modes of their makers' disks; of all their files only Node itself is executed. */
function evenModes(modules) {
  for (const path of walk(modules)) {
    const file = join(modules, path);
    if (!lstatSync(file).isSymbolicLink())
      chmodSync(file, /^node-linux-[^/]+\/bin\/node$/.test(path) ? 0o755 : 0o644);
  }
}

function dropEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) dropEmptyFolders(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** BUNDLE.json says what this is; SHA256SUMS proves each file: `sha256sum --check --quiet SHA256SUMS`. */
function manifest(folder, arch) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const git = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  const head = {
    name: 'auraison-edge',
    version,
    platform: `linux-${arch}`,
    ...(git.status === 0 ? { commit: git.stdout.trim() } : {}),
  };
  writeFileSync(join(folder, 'BUNDLE.json'), `${JSON.stringify(head, null, 2)}\n`);
  const lines = [];
  let bytes = 0;
  const files = walk(folder).sort();
  for (const path of files) {
    const file = join(folder, path);
    if (lstatSync(file).isSymbolicLink()) continue;
    const content = readFileSync(file);
    bytes += content.length;
    lines.push(`${createHash('sha256').update(content).digest('hex')}  ${path}`);
  }
  writeFileSync(join(folder, 'SHA256SUMS'), `${lines.join('\n')}\n`);
  return { ...head, files: files.length, bytes };
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function report(account, json) {
  if (json) return console.log(JSON.stringify(account));
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1).padStart(7)} MB`;
  for (const [reason, bytes] of Object.entries(account.left).sort((a, b) => b[1] - a[1]))
    console.log(`${mb(bytes)}  left out: ${reason}`);
  console.log(
    `${mb(account.bytes)}  ${account.out}: ${account.files} files, version ${account.version}, ${account.seconds.toFixed(0)} s`,
  );
}
