import { fileURLToPath } from 'node:url';
import { packageRules } from '../../adapters/packages/index.ts';
import { type Application, EdgeError } from '../../contract/core.ts';
import type { Settings } from '../settings.ts';
import { readPackage } from './package-reader.ts';

const FOLDER = fileURLToPath(new URL('../../apps/robot', import.meta.url));

/** The general agent of the robot, where there is a model for it. */
export function robotApp({ config }: Pick<Settings, 'config'>): readonly Application[] {
  if (config.models.length === 0) return [];
  const read = readPackage(FOLDER, packageRules(config.apps));
  const made = read.ok ? read.make(FOLDER) : undefined;
  if (made) return [made];
  throw new EdgeError('config.invalid', {
    operation: 'load application',
    subject: FOLDER,
    message: 'the package of the general agent is damaged',
    hint: 'install the daemon again',
  });
}
