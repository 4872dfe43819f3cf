// Which files of this project go to a robot.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../install.mjs';
import { walk } from './walk.mjs';

/** Folders of this project that no robot reads. */
const LEFT_AT_HOME =
  /^(?:test|bench|packaging|\.ci|\.github|docs\/images|console\/src|scripts\/testing)\/|^(?:vitest\.config\.ts|biome\.json|tsconfig\.json)$|(?:^|\/)\.gitignore$|\.d\.m?ts$/;

/** What git would put into a clone, with changes; without git all but what is made here. */
export function projectFiles() {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const names =
    git.status === 0
      ? git.stdout.split('\0').filter(Boolean)
      : walk(root).filter((n) => !/^(?:node_modules|data|\.auraison|\.git)\//.test(n));
  return names.filter((name) => !LEFT_AT_HOME.test(name) && existsSync(join(root, name)));
}
