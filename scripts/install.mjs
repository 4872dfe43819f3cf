// Installs what is missing, from the lock file, with progress. Plain JavaScript: it runs under any Node >= 20,
// before our own Node 24 is there.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { registryFault } from './registry.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = (what) => join(modules, `.auraison-${what}`);

/** Node 24 as npm brought it. */
export function ownNode() {
  return join(modules, `node-linux-${process.arch}`, 'bin', 'node');
}

/** What was installed for: the lock file, by content. */
export function lockId() {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return String(hash);
}

function installed(what) {
  for (const kind of what === 'run' ? ['run', 'all'] : ['all']) {
    if (existsSync(stamp(kind)) && readFileSync(stamp(kind), 'utf8') === lockId() && existsSync(ownNode()))
      return true;
  }
  return false;
}

/** Installs the packages: `run` leaves out what only tests need. Returns seconds spent; 0 when nothing was. */
export async function install(what, say) {
  if (process.platform !== 'linux')
    throw new Error(`Auraison Edge runs on Linux; this is ${process.platform}`);
  if (installed(what)) return 0;
  const begin = Date.now();
  const release = await takeLock(say);
  try {
    if (installed(what)) return 0;
    say(`installing packages from package-lock.json (${what === 'run' ? 'without' : 'with'} test tools) ...`);
    const flags = [
      'ci',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      // The lock file holds a hash of each package: what the cache has is good.
      '--prefer-offline',
      ...(what === 'run' ? ['--omit=dev'] : []),
    ];
    const unreachable = await registryFault();
    if (unreachable)
      say(`  ${unreachable.registry} does not answer (${unreachable.reason}); trying the cache of npm`);
    await npm(unreachable ? [...flags, '--offline'] : flags, say, begin, unreachable);
    writeFileSync(stamp(what), lockId());
  } finally {
    release();
  }
  return (Date.now() - begin) / 1000;
}

function npm(flags, say, begin, unreachable) {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', flags, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    const ticker = setInterval(() => say(`  ... ${Math.round((Date.now() - begin) / 1000)} s`, true), 5000);
    child.on('error', (error) => {
      clearInterval(ticker);
      reject(
        error.code === 'ENOENT' ? new Error('npm is not on PATH; install Node 20 or later with npm') : error,
      );
    });
    child.on('close', (code) => {
      clearInterval(ticker);
      if (code === 0) resolve();
      else if (unreachable) reject(new Error(offlineMessage(unreachable)));
      else reject(new Error(`npm ci failed (exit ${code}).\n${output.trim()}${cacheHint(output)}`));
    });
  });
}

function notWritable({ message }) {
  return `packages are missing, and this folder cannot be written (${message}).\n  Run npm start -- --install-only once as its owner.`;
}

/** npm names the file that it cannot write, not the key that moves its cache. */
function cacheHint(output) {
  return /\b(?:EACCES|EROFS|EPERM)\b/.test(output)
    ? '\n  npm cannot write: give it a cache in another folder, npm_config_cache=/var/tmp/npm npm start'
    : '';
}

function offlineMessage({ registry, reason }) {
  return [
    `packages are missing, and the npm registry ${registry} cannot be reached (${reason}).`,
    '  Connect this host once, or name a registry that it can reach: npm config set registry <url>',
  ].join('\n');
}

/** Two commands started at once install once. */
async function takeLock(say) {
  const lock = join(root, '.install.lock');
  for (let i = 0; ; i++) {
    try {
      mkdirSync(lock);
      return () => rmSync(lock, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Error(notWritable(error));
      const age = ageSeconds(lock);
      if (age > 600) rmSync(lock, { recursive: true, force: true });
      if (i === 0) say('another installation is running, waiting ...');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function ageSeconds(path) {
  try {
    return (Date.now() - statSync(path).mtimeMs) / 1000;
  } catch {
    return 0;
  }
}
