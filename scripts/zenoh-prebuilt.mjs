// Packs a built native Zenoh driver as an npm package for hosts without a compiler.
//
// Usage: node scripts/zenoh-prebuilt.mjs [--out FOLDER] [--addon FILE] [--platform linux-x64|linux-arm64]
// Without --addon it takes (and where needed builds) the driver of this machine.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildZenohDriver } from '../adapters/zenoh/zenoh-build.mjs';

const native = join(dirname(fileURLToPath(import.meta.url)), '../adapters/zenoh/native');
/** Machine field of an ELF header. */
const MACHINES = { 'linux-x64': 0x3e, 'linux-arm64': 0xb7 };
const say = (text) => process.stderr.write(`${text}\n`);

try {
  process.stdout.write(`${await pack()}\n`);
} catch (error) {
  say(error.message);
  process.exit(1);
}

async function pack() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: '.' },
      addon: { type: 'string' },
      platform: { type: 'string', default: `${process.platform}-${process.arch}` },
    },
  });
  const layout = join(native, 'npm', values.platform);
  if (!existsSync(layout)) {
    throw new Error(
      `no package is laid out for ${values.platform}; there are ${Object.keys(MACHINES).join(', ')}`,
    );
  }
  const manifest = JSON.parse(readFileSync(join(layout, 'package.json'), 'utf8'));
  const version = /^version = "(.+)"$/m.exec(readFileSync(join(native, 'Cargo.toml'), 'utf8'))?.[1];
  if (manifest.version !== version) {
    throw new Error(
      `${layout}/package.json has version ${manifest.version}, the driver ${version}: make them equal`,
    );
  }
  const addon = values.addon ?? (await buildZenohDriver(say)).path;
  checkMachine(addon, values.platform);
  // In a folder of its own: the repository never holds a binary.
  const folder = mkdtempSync(join(tmpdir(), 'auraison-zenoh-pack-'));
  try {
    cpSync(layout, folder, { recursive: true });
    copyFileSync(addon, join(folder, manifest.main));
    const out = resolve(values.out);
    mkdirSync(out, { recursive: true });
    const name = execFileSync('npm', ['pack', '--silent', '--pack-destination', out, folder], {
      encoding: 'utf8',
    });
    return join(out, name.trim().split('\n').at(-1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function checkMachine(path, platform) {
  const head = readFileSync(path).subarray(0, 20);
  const isElf = head.subarray(0, 4).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46]));
  if (!isElf || head.readUInt16LE(18) !== MACHINES[platform]) {
    throw new Error(`${path} is no library for ${platform}`);
  }
}
