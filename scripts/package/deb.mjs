// A Debian package from a bundle: files below /usr/lib/auraison-edge, a unit, a user, a first configuration.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ownNode, root } from '../install.mjs';
import { nfpm } from './nfpm.mjs';
import { Refused } from './refused.mjs';
import { thirdParty } from './third-party.mjs';

export const COMPRESSIONS = ['xz', 'zstd', 'gzip', 'none'];
const HOME = '/usr/lib/auraison-edge';
const ARCHES = { 'linux-x64': 'amd64', 'linux-arm64': 'arm64' };
/** Shared libraries that Node and the native packages load; the daemon notifies systemd by its own tool. */
const DEPENDS = [
  'libc6 (>= 2.28)',
  'libgcc-s1',
  'libstdc++6 (>= 9)',
  'systemd (>= 247)',
  'init-system-helpers (>= 1.54)',
];

/** Writes <out>/auraison-edge_<version>_<arch>.deb; returns its path and size. */
export function makeDeb({ bundle, out, version, compression, maintainer }) {
  if (!COMPRESSIONS.includes(compression))
    throw new Refused(`--compression ${compression}: one of ${COMPRESSIONS.join(', ')}`);
  const about = join(resolve(bundle), 'BUNDLE.json');
  if (!existsSync(about))
    throw new Refused(`${bundle} is no bundle; make one: npm run bundle -- --out ${bundle}`);
  const { platform, version: bundled } = JSON.parse(readFileSync(about, 'utf8'));
  const arch = ARCHES[platform];
  if (arch === undefined)
    throw new Refused(`${about}: platform ${platform}; known are ${Object.keys(ARCHES)}`);
  const full = version ?? `${bundled}-1`;
  const work = mkdtempSync(join(tmpdir(), 'auraison-deb-'));
  try {
    const file = join(resolve(out), `auraison-edge_${full}_${arch}.deb`);
    const config = join(work, 'nfpm.json');
    writeFileSync(
      config,
      JSON.stringify({
        ...{ name: 'auraison-edge', arch, platform: 'linux', version: full, version_schema: 'none' },
        ...{ section: 'net', priority: 'optional', maintainer, license: 'Apache-2.0', umask: 0o22 },
        description: DESCRIPTION,
        depends: DEPENDS,
        contents: contents(resolve(bundle), work, { full, maintainer }),
        scripts: Object.fromEntries(
          [
            ['preinstall', 'preinst'],
            ['postinstall', 'postinst'],
            ['preremove', 'prerm'],
            ['postremove', 'postrm'],
          ].map(([key, name]) => [key, join(root, 'packaging', 'debian', name)]),
        ),
        deb: { compression },
      }),
    );
    const { status, stdout, stderr } = spawnSync(
      nfpm(),
      ['package', '--config', config, '--packager', 'deb', '--target', file],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Refused(`nfpm failed (exit ${status})\n${stdout}${stderr}`);
    return { file, bytes: statSync(file).size, arch, version: full };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const DESCRIPTION = `daemon that makes a robot an agent
Auraison Edge joins ROS 2 and Zenoh, local models and durable data in one
process tree with one configuration: agents act by typed tools under Cedar
policies, everything is recorded, and the robot stops first.`;

function contents(bundle, work, { full, maintainer }) {
  const made = (name, text, mode = 0o644) => {
    const path = join(work, name);
    writeFileSync(path, text);
    return { src: path, file_info: { mode } };
  };
  const doc = '/usr/share/doc/auraison-edge';
  const changes = `auraison-edge (${full}) unstable; urgency=medium

  * See changelog.gz beside this file.

 -- ${maintainer}  ${new Date(statSync(join(bundle, 'BUNDLE.json')).mtime).toUTCString().replace('GMT', '+0000')}
`;
  const packed = (text) => gzipSync(text, { level: 9 });
  return [
    { src: bundle, dst: HOME, type: 'tree' },
    { src: `..${HOME.slice('/usr'.length)}/bin/auraison`, dst: '/usr/bin/auraison', type: 'symlink' },
    { ...made('unit', unit(bundle)), dst: '/usr/lib/systemd/system/auraison-edge.service' },
    { ...made('sysusers', debian('sysusers.conf')), dst: '/usr/lib/sysusers.d/auraison-edge.conf' },
    {
      ...made('toml', firstConfig(work)),
      dst: '/etc/auraison-edge/auraison-edge.toml',
      type: 'config|noreplace',
    },
    { dst: '/etc/auraison-edge/secrets', type: 'dir', file_info: { mode: 0o700 } },
    { ...made('man', packed(auraison('man'))), dst: '/usr/share/man/man1/auraison.1.gz' },
    { ...made('copyright', debian('copyright')), dst: `${doc}/copyright` },
    {
      ...made('third-party', `${thirdParty(join(bundle, 'node_modules')).join('\n')}\n`),
      dst: `${doc}/third-party.txt`,
    },
    { ...made('changes', packed(changes)), dst: `${doc}/changelog.Debian.gz` },
    { ...made('changelog', packed(readFileSync(join(root, 'CHANGELOG.md')))), dst: `${doc}/changelog.gz` },
    { ...made('overrides', debian('lintian-overrides')), dst: '/usr/share/lintian/overrides/auraison-edge' },
  ];
}

function debian(name) {
  return readFileSync(join(root, 'packaging', 'debian', name), 'utf8');
}

/** That of the bundle, with a user that stays: files can be given to it, and the packages of others know it. */
export function unit(bundle) {
  return readFileSync(join(bundle, 'systemd', 'auraison-edge.service'), 'utf8')
    .replaceAll('@AURAISON@', HOME)
    .replace('by `auraison service install`', 'by the package')
    .replace('DynamicUser=yes\n', '');
}

function firstConfig(work) {
  auraison('service', 'install', '--root', join(work, 'installed'));
  return readFileSync(join(work, 'installed', 'etc', 'auraison-edge', 'auraison-edge.toml'), 'utf8');
}

/** The command of this checkout: that of the bundle may be for another processor. */
function auraison(...args) {
  const entry = join(root, 'cli', 'entry.ts');
  const { status, stdout, stderr } = spawnSync(
    ownNode(),
    ['--disable-warning=ExperimentalWarning', entry, ...args],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Refused(`auraison ${args.join(' ')} failed:\n${stderr}`);
  return stdout;
}
