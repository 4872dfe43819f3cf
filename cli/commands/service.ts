import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { showDefaults } from '../../daemon/config.ts';
import { action } from '../context.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const UNIT = 'etc/systemd/system/auraison-edge.service';
const CONFIG = 'etc/auraison-edge/auraison-edge.toml';

export function addServiceCommands(program: Command): void {
  const service = program.command('service').description('run as a systemd service');
  service
    .command('install')
    .description('install the systemd unit and a first configuration file, then enable and start it')
    .option('--root <directory>', 'install into this directory instead of / and start nothing (for packages)')
    .option('--no-start', 'install and enable only')
    .addHelpText(
      'after',
      '\nExamples:\n  sudo bin/auraison service install\n  auraison service install --root ./package',
    )
    .action(
      action(async ({ out }, options: { root?: string; start: boolean }) => {
        const target = resolve(options.root ?? '/');
        const files = [writeUnit(target), writeConfig(target)];
        const steps = options.root === undefined ? enable(options.start) : [];
        out.result({ files, steps }, () =>
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
        out.result({ removed: path }, () => `removed  ${path} (data stays in /var/lib/auraison-edge)`);
        return 0;
      }),
    );
}

/** The unit with the place of this installation in it. */
export function unitText(): string {
  return readFileSync(join(ROOT, 'systemd', 'auraison-edge.service'), 'utf8').replaceAll('@AURAISON@', ROOT);
}

function writeUnit(target: string): { path: string; state: string } {
  const path = join(target, UNIT);
  write(path, unitText(), 0o644);
  return { path, state: 'written' };
}

/** A configuration that is there is a person's work: it is never overwritten. */
function writeConfig(target: string): { path: string; state: string } {
  const path = join(target, CONFIG);
  if (existsSync(path)) return { path, state: 'kept   ' };
  write(path, showDefaults(), 0o644);
  return { path, state: 'written' };
}

function write(path: string, text: string, mode: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
  } catch (cause) {
    throw new EdgeError('host.missing', {
      operation: 'service install',
      subject: path,
      message: `cannot write ${path}: ${(cause as Error).message}`,
      hint: 'run it with sudo, or into a directory of yours with --root',
      cause,
    });
  }
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
