import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type FilesResult, readArchive, readPackageFiles } from '../../adapters/packages/index.ts';
import { APP_LIMITS } from '../../contract/apps/manifest.ts';
import { EdgeError } from '../../contract/core.ts';

const NPM_MS = 120_000;

/** The files of what a person names: a folder, a tarball, or `npm:` and a package as npm takes it. */
export function filesOf(spec: string): FilesResult {
  if (spec.startsWith('npm:')) return fromNpm(spec.slice('npm:'.length));
  const path = resolve(spec);
  if (!existsSync(path))
    throw new EdgeError('config.unreadable', {
      operation: 'read package',
      subject: spec,
      message: `there is no ${spec}`,
      hint: 'name a folder with an app.toml, a tarball (.tgz), or npm:PACKAGE',
    });
  return statSync(path).isDirectory() ? readPackageFiles(path) : readArchive(bounded(path));
}

/** `npm pack` runs no script of the package; what it made is read as any tarball. */
function fromNpm(spec: string): FilesResult {
  const folder = mkdtempSync(join(tmpdir(), 'auraison-npm-'));
  try {
    // A leading dash would be an option of npm.
    const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder, '--', spec];
    const { status, error, stderr } = spawnSync('npm', args, { encoding: 'utf8', timeout: NPM_MS });
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    if (status === 0 && tarball !== undefined) return readArchive(bounded(join(folder, tarball)));
    throw new EdgeError('host.missing', {
      operation: 'npm pack',
      subject: spec,
      message: `npm gave no package for ${spec}: ${error?.message ?? lastLine(stderr)}`,
      hint: 'npm has to be on the PATH, and reach its registry or the folder that is named',
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bounded(path: string): Uint8Array {
  const { size } = statSync(path);
  if (size <= APP_LIMITS.ARCHIVE_BYTES_MAX) return readFileSync(path);
  throw new EdgeError('limit.exceeded', {
    operation: 'read package',
    subject: path,
    message: `${path} has ${size} bytes, at most ${APP_LIMITS.ARCHIVE_BYTES_MAX} are allowed`,
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
