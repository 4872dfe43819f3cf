import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { readConfig, showDefaults } from '../../daemon/config.ts';
import { action } from '../context.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const UNIT = 'etc/systemd/system/auraison-edge.service';
const CONFIG = 'etc/auraison-edge/auraison-edge.toml';
/** Loaded by the unit as credentials; without the folder systemd does not start it. */
const SECRETS = 'etc/auraison-edge/secrets';
/** The unit of a Debian package. */
const PACKAGED = '/usr/lib/systemd/system/auraison-edge.service';
/** The StateDirectory of the unit: commands of every user have to look there too. */
const DATA = '/var/lib/auraison-edge';
const DATA_KEY = `data_dir = "${DATA}"`;
/** Folders that a unit hides from its processes, by the setting that does so. */
const HIDDEN: readonly (readonly [string, readonly string[]])[] = [
  ['ProtectHome=yes', ['/home', '/root', '/run/user']],
  ['PrivateTmp=yes', ['/tmp', '/var/tmp']],
];

export function addServiceCommands(program: Command): void {
  const service = program.command('service').description('run as a systemd service');
  service
    .command('install')
    .description('install the systemd unit and a first configuration file, then enable and start it')
    .option('--root <directory>', 'install into this directory instead of / and start nothing (for packages)')
    .option('--no-start', 'install and enable only')
    .option('--force', 'also from where the unit does not see this installation: a drop-in of yours opens it')
    .addHelpText(
      'after',
      '\nExamples:\n  sudo /opt/auraison-edge/bin/auraison service install\n  auraison service install --root ./package',
    )
    .action(
      action(async ({ out }, options: { root?: string; start: boolean; force?: boolean }) => {
        if (options.root === undefined) requireUnpackaged();
        if (options.root === undefined && options.force !== true) requireReachable(ROOT);
        const { files, notes } = installFiles(resolve(options.root ?? '/'));
        for (const note of notes) out.note(`auraison: ${note}`);
        const steps = options.root === undefined ? enable(options.start) : [];
        out.result({ files, steps, notes }, () =>
          [...files.map((f) => `${f.state}  ${f.path}`), ...steps.map((s) => `done     ${s}`)].join('\n'),
        );
        return 0;
      }),
    );
  service
    .command('uninstall')
    .description('stop and remove the unit; data and configuration stay')
    .action(
      action(async ({ out }) => {
        systemctl('disable', '--now', 'auraison-edge.service');
        const path = `/${UNIT}`;
        if (existsSync(path)) spawnSync('rm', ['-f', path]);
        systemctl('daemon-reload');
        out.result({ removed: path }, () => `removed  ${path} (data stays in ${DATA})`);
        return 0;
      }),
    );
}

/** The unit with the path of this installation. */
export function unitText(): string {
  return readFileSync(join(ROOT, 'systemd', 'auraison-edge.service'), 'utf8').replaceAll('@AURAISON@', ROOT);
}

/** Throws `host.missing` where a package of the distribution has installed the service: two units would fight for one name. */
function requireUnpackaged(): void {
  if (!existsSync(PACKAGED)) return;
  throw new EdgeError('host.missing', {
    operation: 'service install',
    subject: PACKAGED,
    message: 'a package has installed the service already',
    hint: 'systemctl enable --now auraison-edge starts it; apt remove auraison-edge makes room for this installation',
  });
}

type Installed = { readonly path: string; readonly state: string };

/** Throws `host.missing` where the unit would not see the installation, and so would never start. */
export function requireReachable(root: string): void {
  const unit = unitText().split('\n');
  for (const [line, directories] of HIDDEN) {
    const hiding = directories.find((directory) => isBelow(root, directory));
    if (hiding === undefined || !unit.includes(line)) continue;
    throw new EdgeError('host.missing', {
      operation: 'service install',
      subject: root,
      message: `the service does not see what is below ${hiding} (${line}), and this installation is in ${root}`,
      hint: `copy it first: sudo cp -a ${root} /opt/auraison-edge && sudo /opt/auraison-edge/bin/auraison service install; or open it by a drop-in and use --force`,
    });
  }
}

function isBelow(path: string, directory: string): boolean {
  const real = existsSync(directory) ? realpathSync(directory) : directory;
  return [directory, real].some((one) => path === one || path.startsWith(`${one}/`));
}

/** The unit and a first configuration; `notes` say what an existing configuration lacks. */
export function installFiles(target: string): {
  readonly files: readonly Installed[];
  readonly notes: readonly string[];
} {
  const unit = join(target, UNIT);
  write(unit, unitText(), 0o644);
  makeSecretsFolder(join(target, SECRETS));
  const written = { path: unit, state: 'written' };
  const path = join(target, CONFIG);
  if (!existsSync(path)) {
    write(path, showDefaults().replace('data_dir = ""', DATA_KEY), 0o644);
    return { files: [written, { path, state: 'written' }], notes: [] };
  }
  // An existing configuration is never overwritten.
  const { config, faults } = readConfig(readFileSync(path, 'utf8'), path, {});
  const lost = faults.length === 0 && config.daemon.data_dir === '';
  const note = `${path} lacks ${DATA_KEY} below [daemon]: without it commands do not find the data of the service`;
  return { files: [written, { path, state: 'kept   ' }], notes: lost ? [note] : [] };
}

function makeSecretsFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function write(path: string, text: string, mode: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): EdgeError {
  return new EdgeError('host.missing', {
    operation: 'service install',
    subject: path,
    message: `cannot write ${path}: ${(cause as Error).message}`,
    hint: 'run it with sudo, or into a directory of yours with --root',
    cause,
  });
}

function enable(start: boolean): string[] {
  systemctl('daemon-reload');
  systemctl('enable', ...(start ? ['--now'] : []), 'auraison-edge.service');
  return ['systemctl daemon-reload', `systemctl enable${start ? ' --now' : ''} auraison-edge.service`];
}

function systemctl(...args: string[]): void {
  const { status, stderr, error } = spawnSync('systemctl', args, { encoding: 'utf8', timeout: 60_000 });
  if (status === 0) return;
  throw new EdgeError('host.missing', {
    operation: 'service install',
    subject: `systemctl ${args.join(' ')}`,
    message: error
      ? `systemctl cannot be run: ${error.message}`
      : `systemctl ${args.join(' ')}: ${stderr.trim()}`,
    hint: 'is this host run by systemd? Look at: journalctl -u auraison-edge',
  });
}
