import type { Application } from '../../../contract/core.ts';

/** The name under which extensions and servers of an application are found: of a package that of its version. */
export function keyOf({ name, digest }: Pick<Application, 'name' | 'digest'>): string {
  return digest === undefined ? name : `${name}/${digest.slice(0, 12)}`;
}
