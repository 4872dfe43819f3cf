// The tarball of npm: this project's own files. npm brings the packages, by the lock that goes with it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { projectFiles } from '../bundle/project-files.mjs';
import { root } from '../install.mjs';
import { Refused } from './refused.mjs';

/** Writes <out>/auraison-edge-<version>.tgz; returns its path and size. */
export function makeTarball({ out }) {
  const work = mkdtempSync(join(tmpdir(), 'auraison-npm-'));
  try {
    for (const name of projectFiles()) {
      mkdirSync(dirname(join(work, name)), { recursive: true });
      cpSync(join(root, name), join(work, name), { verbatimSymlinks: true });
    }
    const {
      private: _,
      scripts: __,
      devDependencies: ___,
      ...about
    } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    writeFileSync(join(work, 'package.json'), `${JSON.stringify(about, null, 2)}\n`);
    // npm ignores package-lock.json in a package; this name it takes, with the versions of all packages below.
    writeFileSync(
      join(work, 'npm-shrinkwrap.json'),
      withoutDeveloperTools(readFileSync(join(work, 'package-lock.json'), 'utf8')),
    );
    rmSync(join(work, '.npmrc'), { force: true });
    const { status, stderr } = spawnSync(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', resolve(out)],
      { cwd: work, encoding: 'utf8' },
    );
    if (status !== 0) throw new Refused(`npm pack failed (exit ${status})\n${stderr}`);
    const file = join(resolve(out), `auraison-edge-${about.version}.tgz`);
    return { file, bytes: statSync(file).size, version: about.version };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** npm installs all that the lock of a package names, also what only developers of that package need. */
function withoutDeveloperTools(lock) {
  const { packages, ...rest } = JSON.parse(lock);
  const { devDependencies: _, ...head } = packages[''];
  const used = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  return `${JSON.stringify({ ...rest, packages: { '': head, ...Object.fromEntries(used) } })}\n`;
}
